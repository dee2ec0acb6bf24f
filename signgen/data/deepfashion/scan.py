"""Make records of DeepFashion In-shop from its pairs, and look at every picture they use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from signgen.data.deepfashion.keypoints import RawKeyPoints
from signgen.data.deepfashion.layouts import Listing, Tree
from signgen.data.deepfashion.lists import ListedPair
from signgen.data.deepfashion.names import ViewName
from signgen.data.manifest import Entry, Problem, Scan
from signgen.data.preparation.dataset import picture_fault
from signgen.media import MAX_PIXELS
from signgen.structures import Record, UserError

__all__ = ["FPS", "Pairs", "Progress", "scan"]

FPS = 1.0
"""Views are no video; a manifest wants a number."""
_PADDED = (256, 256)

Pairs = Mapping[str, Sequence[ListedPair]]
"""Pairs by split."""
Progress = Callable[[Iterable[str], int], Iterable[str]]


def scan(
    tree: Tree,
    listing: Listing,
    pairs: Pairs,
    pictures: Mapping[ViewName, str],
    points: RawKeyPoints,
    *,
    subset: int = 0,
    progress: Progress | None = None,
) -> tuple[Scan, dict[str, int]]:
    """Make records of pairs whose pictures and key points are there.

    Args:
        tree: The dataset.
        listing: Its lists, for their problems and files.
        pairs: Pairs by split, as listed or rebuilt.
        pictures: Paths of pictures by name.
        points: Key points by name.
        subset: Records of each split; 0 for all.
        progress: Wraps the names of the records.

    Returns:
        Records and problems, and the number of pairs left out by split.
    """
    problems = list(listing.problems)
    entries: list[Entry] = []
    left_out: dict[str, int] = {}
    for split, listed in pairs.items():
        path = listing.files.get(split, tree.root / f"{split}.lst")
        groups, odd = _grouped(listed, path)
        names = sorted(groups)[: subset or None]
        asked = kept = 0
        for group in names if progress is None else progress(names, len(names)):
            views = sorted({name for pair in groups[group] for name in pair})
            sizes, faults = _look(views, tree.root, pictures, points)
            problems += faults
            entry = _entry(split, groups[group], sizes, pictures)
            asked += len(groups[group])
            if entry is None:
                what = "has no pair whose pictures and key points are usable; left out."
                problems.append(Problem(path, f"{group} {what}", f"{split}/{group}"))
            else:
                entries.append(entry)
                kept += len(entry.pairs or ())
        problems += odd
        left_out[split] = asked - kept + len(odd)
    return Scan(tree.root, tuple(entries), tuple(problems)), left_out


def _grouped(
    listed: Sequence[ListedPair], path: Path
) -> tuple[dict[str, set[tuple[ViewName, ViewName]]], list[Problem]]:
    """Sort pairs into records, without those of two garments and repetitions."""
    groups: dict[str, set[tuple[ViewName, ViewName]]] = {}
    problems = []
    for source, target, place in listed:
        names = f"{place} pairs {source.nested} with {target.nested}"
        group = groups.setdefault(source.group, set())
        if source.group != target.group:
            what = f"{names}; expected two views of one person in one garment. Left out."
            problems.append(Problem(path, what))
        elif (source, target) in group:
            problems.append(Problem(path, f"{names} for the second time; kept once."))
        else:
            group.add((source, target))
    return {name: pairs for name, pairs in groups.items() if pairs}, problems


def _look(
    views: Sequence[ViewName],
    root: Path,
    pictures: Mapping[ViewName, str],
    points: RawKeyPoints,
) -> tuple[dict[ViewName, tuple[int, int]], list[Problem]]:
    """Look at the pictures and key points of a record.

    Returns:
        (H, W) of each usable view, and what is wrong with the others.
    """
    sizes: dict[ViewName, tuple[int, int]] = {}
    problems = []
    for view in views:
        if view not in pictures:
            what = f"has no picture of {view.nested}; its pairs are left out."
            problems.append(Problem(root, what))
            continue
        path = root / pictures[view]
        if view not in points.rows:
            fault = points.faults.get(view, f"has no key points in {points.places[0]}")
            problems.append(Problem(path, f"{fault}; its pairs are left out."))
        else:
            size = _size(path)
            if isinstance(size, str):
                problems.append(Problem(path, f"{size} Its pairs are left out."))
            else:
                sizes[view] = size
    common = max(Counter(sizes.values()).items(), key=lambda item: (item[1], item[0]), default=None)
    for view in [view for view, size in sizes.items() if common and size != common[0]]:
        (height, width), (most_high, most_wide) = sizes.pop(view), common[0] if common else (0, 0)
        what = f"is {width} x {height} pixels; the other views are {most_wide} x {most_high}."
        problems.append(Problem(root / pictures[view], f"{what} Its pairs are left out."))
    return sizes, problems


def _size(path: Path) -> tuple[int, int] | str:
    """Return (H, W) of a picture, or what is wrong with it."""
    if fault := picture_fault(path):
        return fault
    try:
        with Image.open(path, formats=["PNG", "JPEG"]) as picture:
            width, height = picture.size
    except (OSError, SyntaxError, ValueError) as error:
        return f"is no picture that can be read ({error})."
    if width * height > MAX_PIXELS:
        return f"has {width * height} pixels; too many."
    if (height, width) == _PADDED:
        raise UserError(
            f"{path} is 256 x 256 pixels, the small copy with white margins (or a squashed one); "
            "expected the pictures of img_highres.zip, 750 x 1101. Put them into img."
        )
    return height, width


def _entry(
    split: str,
    pairs: Iterable[tuple[ViewName, ViewName]],
    sizes: Mapping[ViewName, tuple[int, int]],
    pictures: Mapping[ViewName, str],
) -> Entry | None:
    usable = [pair for pair in pairs if pair[0] in sizes and pair[1] in sizes]
    if not usable:
        return None
    views = sorted({name for pair in usable for name in pair})
    index = {name: number for number, name in enumerate(views)}
    first = views[0]
    return Entry(
        Record(first.group, split, first.garment, len(views)),
        tuple(pictures[name] for name in views),
        sizes[first],
        FPS,
        pairs=tuple(sorted((index[source], index[target]) for source, target in usable)),
    )
