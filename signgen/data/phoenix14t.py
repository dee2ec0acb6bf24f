"""RWTH-PHOENIX-Weather 2014T as its archive unpacks, and other data in its folder layout.

    ROOT/annotations/manual/PHOENIX-2014-T.<split>.corpus.csv   name|video|...|speaker|orth|...
    ROOT/features/fullFrame-<W>x<H>px/<split>/<name>/images0001.png ...
    ROOT/keypoints/<split>/<name>.json              a clip's key points, from `prepare synthetic`
    ROOT/parts/<split>/<name>/images0001.png        human-parsing labels, optional

    ROOT/videos/<split>/<name>.mp4                  instead of a clip's pictures; any format

The first two are the corpus as published. Its tables are separated by `|` without quoting; their
`video` column names a `/1/` folder that does not exist on disk, so frames are found by
`<split>/<name>`; one folder holds a stray file, so only `images*.png` count.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from signgen.data.manifest import SPLITS, Entry, Problem, Scan
from signgen.media import MAX_PIXELS, VIDEO_SUFFIXES, open_video
from signgen.structures import ExitCode, Record, UserError

__all__ = ["COUNTS", "FPS", "find_root", "keypoint_file", "scan"]

FPS = 25.0
COUNTS = {"train": (7096, 827_354), "dev": (519, 55_775), "test": (642, 64_627)}
"""Videos and frames of each split of the corpus, version 3."""

_COLUMNS = ("name", "video", "start", "end", "speaker", "orth", "translation")
_NEEDED = {"name", "speaker"}
_PICTURE = re.compile(r"images(\d+)\.png")


def find_root(folder: Path) -> Path:
    """Return the folder that holds the frames, at `folder` or up to three levels below it.

    Args:
        folder: What the user named, for example the unpacked archive.

    Raises:
        UserError: If there is none.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder; expected data in the PHOENIX-2014T layout, or what "
            "`signgen prepare` wrote. `signgen prepare synthetic --out FOLDER` makes some.",
            ExitCode.NO_INPUT,
        )
    for pattern in ("", "*/", "*/*/", "*/*/*/"):
        for candidate in sorted(path.parent for path in folder.glob(f"{pattern}features")):
            if any((candidate / "features").glob("fullFrame-*px")):
                return candidate.resolve()
        for candidate in sorted(path.parent for path in folder.glob(f"{pattern}videos")):
            if (candidate / "annotations").is_dir():
                return candidate.resolve()
    raise UserError(
        f"{folder} has neither features/fullFrame-<W>x<H>px nor videos/ with annotations/; "
        "expected the PHOENIX-2014T layout, or what `signgen prepare` makes of other data.",
        ExitCode.NO_INPUT,
    )


def scan(root: Path, splits: Sequence[str] = SPLITS) -> Scan:
    """Look for the clips that the tables of a corpus name.

    Args:
        root: The folder that holds `features/` and `annotations/`, see `find_root`.
        splits: Splits to look for; one without a table is left out.

    Returns:
        The clips whose frames are all there, and one problem for each other clip.

    Raises:
        UserError: If a table cannot be read at all or lacks a column.
    """
    pictures = sorted((root / "features").glob("fullFrame-*px"))
    places = (*pictures[:1], root / "videos")
    entries, problems = [], []
    for split in splits:
        table = root / "annotations" / "manual" / f"PHOENIX-2014-T.{split}.corpus.csv"
        if not table.is_file():
            continue
        seen: set[str] = set()
        for place, row in _rows(table):
            found = _clip(root, places, split, row) if isinstance(row, dict) else row
            name = row["name"] if isinstance(row, dict) else ""
            if name in seen:
                found = "names a clip for the second time"
            seen.add(name)
            if isinstance(found, Entry):
                entries.append(_with_parts(found, root))
            elif isinstance(found, Problem):
                problems.append(found)
            else:
                problems.append(Problem(table, f"{place} {found}.", f"{split}/{name or place}"))
    return Scan(root, tuple(entries), tuple(problems))


def _rows(table: Path) -> Iterator[tuple[str, dict[str, str] | str]]:
    """Yield `line N` and the row as a dictionary, or what is wrong with it."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{table} cannot be read as UTF-8 text: {error}.") from error
    lines = csv.reader(text.splitlines(), delimiter="|", quoting=csv.QUOTE_NONE)
    header = next(lines, [])
    if missing := _NEEDED - set(header):
        raise UserError(
            f"{table} lacks the column {', '.join(sorted(missing))}; expected a first line "
            f"{'|'.join(_COLUMNS)}."
        )
    for number, row in enumerate(lines, 2):
        if not row:
            continue
        if len(row) != len(header):
            yield f"line {number}", f"has {len(row)} fields; expected {len(header)}"
            continue
        named = dict(zip(header, row, strict=True))
        if (
            not named["name"]
            or named["name"] in {".", ".."}
            or re.search(r"[/\\\0]", named["name"])
        ):
            yield f"line {number}", f"names a clip {named['name'][:60]!r}; expected a folder's name"
            continue
        yield f"line {number}", named


def _clip(root: Path, places: Sequence[Path], split: str, row: dict[str, str]) -> Entry | Problem:
    """Look for the frames of one clip: a folder of pictures or a video."""
    name = row["name"]
    record = Record(name, split, row["speaker"], 1, row.get("orth", ""), row.get("translation", ""))
    for place in places:
        folder = place / split / name
        if folder.is_dir():
            return _pictures(root, folder, record)
        for suffix in sorted(VIDEO_SUFFIXES):
            video = folder.with_name(name + suffix)
            if video.is_file():
                return _video(root, video, record)
    return Problem(
        places[0] / split / name, "is missing; expected the frames of a clip.", f"{split}/{name}"
    )


def _video(root: Path, path: Path, record: Record) -> Entry | Problem:
    try:
        video = open_video(path)
        record = replace(record, num_frames=len(video))
        return Entry(record, path.relative_to(root).as_posix(), video.size, video.fps)
    except UserError as error:
        return Problem(path, str(error).removeprefix(f"{path} "), f"{record.split}/{record.id}")


def _pictures(root: Path, folder: Path, record: Record) -> Entry | Problem:
    name = f"{record.split}/{record.id}"
    with os.scandir(folder) as found:
        numbers = sorted(int(m[1]) for f in found if (m := _PICTURE.fullmatch(f.name)))
    if not numbers:
        return Problem(folder, "holds no images*.png; expected a clip's frames.", name)
    gaps = sorted(set(range(1, numbers[-1] + 1)) - set(numbers))
    if gaps:
        shown = ", ".join(f"images{number:04d}.png" for number in gaps[:3])
        more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        return Problem(folder, f"lacks {shown}{more}; expected frames without a gap.", name)
    first = folder / "images0001.png"
    try:
        with Image.open(first, formats=["PNG"]) as picture:
            width, height = picture.size
    except (OSError, SyntaxError, ValueError) as error:
        return Problem(first, f"is no picture that can be read ({error}).", name)
    if width * height > MAX_PIXELS:
        return Problem(first, f"has {width * height} pixels; too many.", name)
    pattern = (folder / "images####.png").relative_to(root).as_posix()
    return Entry(replace(record, num_frames=len(numbers)), pattern, (height, width), FPS)


def _with_parts(entry: Entry, root: Path) -> Entry:
    record = entry.record
    if not (root / "parts" / record.split / record.id).is_dir():
        return entry
    return replace(entry, parts=f"parts/{record.split}/{record.id}/images####.png")


def keypoint_file(root: Path, record: Record) -> Path:
    """Return where the key points of a clip lie in a tree that holds them itself."""
    return root / "keypoints" / record.split / f"{record.id}.json"
