"""DeepFashion In-shop: photographs of garments in several views, the other corpus of FPDM.

A record is the same person in the same garment: gender, category, item and variant. Its frames are
the views that listed pairs use, its `pairs` are those pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from signgen.config.pose import Device
from signgen.config.regions import LabelSetName
from signgen.data.deepfashion.facts import (
    DeepFashionReport,
    Pair,
    keypoint_facts,
    list_facts,
    pairs_digest,
    rebuild_pairs,
    rebuilt_fact,
)
from signgen.data.deepfashion.keypoints import (
    Frame,
    RawKeyPoints,
    choose_frame,
    read_keypoints,
    share_outside,
    to_pixels,
)
from signgen.data.deepfashion.layouts import (
    Listing,
    Tree,
    find_tree,
    index_pictures,
    keypoint_places,
    read_listing,
)
from signgen.data.deepfashion.lists import ListedPair, ViewName, parse_name
from signgen.data.manifest import Entry, Problem, Scan
from signgen.data.preparation.dataset import check_picture, preparation, prepare_dataset
from signgen.data.preparation.parsing import add_parsing
from signgen.media import image_size
from signgen.structures import PoseSequence, Progress, Record, UserError

__all__ = ["prepare_deepfashion"]

_SKELETON = "openpose-18"
_FPS = 1.0  # views are no video; a manifest wants a number
_PADDED = (256, 256)

Pairs = Mapping[str, Sequence[ListedPair]]
"""Pairs by split."""


def prepare_deepfashion(
    raw: Path,
    out: Path,
    *,
    layout: str | None = None,
    keypoints: Sequence[str] = (),
    keypoint_frame: Frame | None = None,
    rebuild: bool = False,
    subset: int = 0,
    parsing: str = "",
    label_set: LabelSetName | None = None,
    device: Device = "auto",
    progress: Progress | None = None,
) -> DeepFashionReport:
    """Verify a copy of the corpus and write its manifest and packed key points.

    Args:
        raw: The copy, in any of `layouts.LAYOUTS`.
        out: Folder to write to.
        layout: Its layout; None to tell it by its files.
        keypoints: CSV files or folders of texts, where the layout's own are not wanted.
        keypoint_frame: Frame of the key points; None to tell it by their values.
        rebuild: Make the pairs from `train.lst` and `test.lst` and the key points.
        subset: Records of each split, the first by name; 0 for all.
        parsing: Where label maps come from, if they are wanted; see `add_parsing`.
        label_set: What the numbers in given label maps mean.
        device: Where label maps are made.
        progress: Wraps the records as their pictures are looked at, with their number.
    """
    # Lists, pictures and key points
    tree = find_tree(raw, layout)
    listing = read_listing(tree, pairs_needed=not rebuild)
    pictures = index_pictures(tree.root)
    named = _names(listing.pairs)
    if rebuild:
        named |= {name for names in listing.images.values() for name in names}
    if not named:
        first = "".join(f" First: {problem}" for problem in listing.problems[:1])
        raise UserError(f"{tree.root}: its lists name no picture.{first}")
    points = read_keypoints([Path(text) for text in keypoints] or keypoint_places(tree), named)
    frame = keypoint_frame or choose_frame(points)
    outside = share_outside(points, frame)

    # Pairs, and their numbers beside those of the complete corpus
    facts = list_facts(listing)
    pairs: Pairs = listing.pairs
    if rebuild:
        pairs = _rebuilt(tree, listing, points)
        facts += [rebuilt_fact(s, pairs[s], listing.pairs[s]) for s in pairs if s in listing.pairs]
    facts += keypoint_facts(_names(pairs), pictures, points)

    # Records; pictures are looked at one by one, so that a bad view does not cost its whole record
    records, left_out = _scan(tree.root, listing, pairs, pictures, points, subset, progress)
    with preparation(out):
        prepared = prepare_dataset(
            records,
            "deepfashion",
            _SKELETON,
            lambda entry: _poses(entry, points, frame),
            out,
            check=False,
        )
        if parsing:
            prepared = add_parsing(prepared, parsing, label_set, device, progress)
    return DeepFashionReport(
        layout=tree.layout.name,
        root=tree.root,
        frame=frame,
        outside=outside,
        facts=tuple(facts),
        pairs_left_out=left_out,
        digests={split: pairs_digest(_pairs_of(prepared.manifest.split(split))) for split in pairs},
        prepared=prepared,
    )


def _names(pairs: Pairs) -> set[ViewName]:
    return {name for listed in pairs.values() for pair in listed for name in pair[:2]}


def _rebuilt(tree: Tree, listing: Listing, points: RawKeyPoints) -> Pairs:
    if not listing.images:
        raise UserError(
            f"{tree.root} has neither train.lst nor test.lst; --rebuild-pairs makes pairs of the "
            "pictures that they name."
        )
    return {
        split: rebuild_pairs(names, points, f"{split}.lst")
        for split, names in listing.images.items()
    }


def _poses(entry: Entry, points: RawKeyPoints, frame: Frame) -> PoseSequence:
    """Return the key points of a record's views in pixels of its pictures."""
    rows = np.stack([points.rows[name] for name in _views(entry)])
    keypoints, visible = to_pixels(rows, frame, entry.size)
    return PoseSequence(keypoints, visible.astype(np.float32), _SKELETON, entry.size, _FPS)


def _views(entry: Entry) -> list[ViewName]:
    return [name for path in entry.frames if (name := parse_name(path))]


def _pairs_of(entries: Iterable[Entry]) -> list[Pair]:
    pairs = []
    for entry in entries:
        views = _views(entry)
        pairs += [(views[source], views[target]) for source, target in entry.pairs or ()]
    return pairs


# ----- records ------------------------------------------------------------------------------------


def _scan(
    root: Path,
    listing: Listing,
    pairs: Pairs,
    pictures: Mapping[ViewName, str],
    points: RawKeyPoints,
    subset: int,
    progress: Progress | None,
) -> tuple[Scan, dict[str, int]]:
    """Make records of pairs whose pictures and key points are there; count pairs left out."""
    problems = list(listing.problems)
    entries: list[Entry] = []
    left_out: dict[str, int] = {}
    for split, listed in pairs.items():
        path = listing.files.get(split, root / f"{split}.lst")
        groups, odd = _grouped(listed, path)
        names = sorted(groups)[: subset or None]
        left_out[split] = len(odd) + sum(len(groups[name]) for name in names)
        for name in names if progress is None else progress(names, len(names)):
            sizes, faults = _sizes(groups[name], root, pictures, points)
            problems += faults
            usable = [pair for pair in groups[name] if pair[0] in sizes and pair[1] in sizes]
            if usable:
                entries.append(_entry(split, usable, sizes, pictures))
                left_out[split] -= len(usable)
            else:
                message = "has no pair whose pictures and key points are usable; left out."
                problems.append(Problem(path, f"{name} {message}", f"{split}/{name}"))
        problems += odd
    return Scan(root, tuple(entries), tuple(problems)), left_out


def _grouped(
    listed: Sequence[ListedPair], path: Path
) -> tuple[dict[str, set[Pair]], list[Problem]]:
    """Sort pairs into records, without those of two garments and repetitions."""
    groups: dict[str, set[Pair]] = {}
    problems = []
    for source, target, place in listed:
        names = f"{place} pairs {source.nested} with {target.nested}"
        if source.group != target.group:
            message = f"{names}; expected two views of one person in one garment. Left out."
            problems.append(Problem(path, message))
        elif (source, target) in groups.get(source.group, ()):
            problems.append(Problem(path, f"{names} for the second time; kept once."))
        else:
            groups.setdefault(source.group, set()).add((source, target))
    return groups, problems


def _sizes(
    pairs: Iterable[Pair], root: Path, pictures: Mapping[ViewName, str], points: RawKeyPoints
) -> tuple[dict[ViewName, tuple[int, int]], list[Problem]]:
    """Look at the pictures of a record: (H, W) of usable views, and what is wrong with others."""
    sizes: dict[ViewName, tuple[int, int]] = {}
    problems = []
    for view in sorted({name for pair in pairs for name in pair}):
        path = root / pictures.get(view, "")
        if view not in pictures:
            message = f"has no picture of {view.nested}; its pairs are left out."
            problems.append(Problem(path, message))
        elif view not in points.rows:
            fault = points.faults.get(view, f"has no key points in {points.places[0]}")
            problems.append(Problem(path, f"{fault}; its pairs are left out."))
        else:
            try:
                check_picture(path)
                sizes[view] = image_size(path, ("PNG", "JPEG"))
            except UserError as error:
                problems.append(Problem.of(UserError(f"{error} Its pairs are left out."), path))
        if sizes.get(view) == _PADDED:
            raise UserError(
                f"{path} is 256 x 256 pixels, the small copy with white margins (or a squashed "
                "one); expected the pictures of img_highres.zip, 750 x 1101. Put them into img."
            )
    # The most frequent size is that of the record
    counts = Counter(sizes.values())
    common = max(counts, key=lambda size: (counts[size], size), default=(0, 0))
    for view, (height, width) in [item for item in sizes.items() if item[1] != common]:
        del sizes[view]
        others = f"the other views are {common[1]} x {common[0]}. Its pairs are left out."
        message = f"is {width} x {height} pixels; {others}"
        problems.append(Problem(root / pictures[view], message))
    return sizes, problems


def _entry(
    split: str,
    pairs: Iterable[Pair],
    sizes: Mapping[ViewName, tuple[int, int]],
    pictures: Mapping[ViewName, str],
) -> Entry:
    views = sorted({name for pair in pairs for name in pair})
    index = {name: number for number, name in enumerate(views)}
    return Entry(
        Record(views[0].group, split, views[0].garment, len(views)),
        tuple(pictures[name] for name in views),
        sizes[views[0]],
        _FPS,
        pairs=tuple(sorted((index[source], index[target]) for source, target in pairs)),
    )
