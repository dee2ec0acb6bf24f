"""RWTH-PHOENIX-Weather 2014T as its archive unpacks, and other data in its folder layout.

    ROOT/annotations/manual/PHOENIX-2014-T.<split>.corpus.csv   name|video|...|speaker|orth|...
    ROOT/features/fullFrame-<W>x<H>px/<split>/<name>/images0001.png ...
    ROOT/keypoints/<split>/<name>.json              a clip's key points, from `prepare synthetic`
    ROOT/parts/<split>/<name>/images0001.png        label maps of human parsing, optional, with
    ROOT/parts/label_set.txt                        the name of their label set

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

from signgen.data.manifest import SPLITS, Entry, Problem, Scan
from signgen.human_parsing.maps import LABEL_SET_FILE, read_label_set
from signgen.media import VIDEO_SUFFIXES, Backend, image_size, open_video
from signgen.structures import ExitCode, Record, UserError

__all__ = ["COUNTS", "PARTS", "find_root", "keypoint_file", "scan"]

COUNTS = {"train": (7096, 827_354), "dev": (519, 55_775), "test": (642, 64_627)}
"""Videos and frames of each split of the corpus, version 3."""

PARTS = "parts"
"""Folder of the label maps."""
_FPS = 25.0
_COLUMNS = ("name", "video", "start", "end", "speaker", "orth", "translation")
_PICTURE = re.compile(r"images(\d+)\.png")


def find_root(folder: Path) -> Path:
    """Return the folder that holds the frames, at `folder` or up to three levels below it."""
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder; expected data in the PHOENIX-2014T layout, or what "
            "`signgen prepare` wrote. `signgen prepare synthetic --out FOLDER` makes some.",
            ExitCode.NO_INPUT,
        )
    for pattern in ("", "*/", "*/*/", "*/*/*/"):
        for features in sorted(folder.glob(f"{pattern}features")):
            if any(features.glob("fullFrame-*px")):
                return features.parent.resolve()
        for videos in sorted(folder.glob(f"{pattern}videos")):
            if (videos.parent / "annotations").is_dir():
                return videos.parent.resolve()
    raise UserError(
        f"{folder} has neither features/fullFrame-<W>x<H>px nor videos/ with annotations/; "
        "expected the PHOENIX-2014T layout, or what `signgen prepare` makes of other data.",
        ExitCode.NO_INPUT,
    )


def keypoint_file(entry: Entry) -> str:
    """Return where the key points of a clip lie in a tree that holds them itself."""
    return f"keypoints/{entry.name}.json"


def scan(root: Path, splits: Sequence[str] = SPLITS, video_reader: Backend = "auto") -> Scan:
    """Look for the clips that the tables of a corpus name.

    Args:
        root: The folder that holds `features/` and `annotations/`, see `find_root`.
        splits: Splits to look for; one without a table is left out.
        video_reader: What decodes videos.

    Returns:
        The clips whose frames are all there, and one problem for each other clip.
    """
    pictures = sorted((root / "features").glob("fullFrame-*px"))
    places = (*pictures[:1], root / "videos")
    entries: list[Entry] = []
    problems: list[Problem] = []
    for split in splits:
        table = root / "annotations" / "manual" / f"PHOENIX-2014-T.{split}.corpus.csv"
        for row in _rows(table, split) if table.is_file() else ():
            clip = row if isinstance(row, Problem) else _clip(root, places, row, video_reader)
            if isinstance(clip, Problem):
                problems.append(clip)
            elif (root / PARTS / clip.name).is_dir():
                entries.append(replace(clip, parts=f"{PARTS}/{clip.name}/images####.png"))
            else:
                entries.append(clip)
    noted = (root / PARTS / LABEL_SET_FILE).is_file()
    label_set = read_label_set(root / PARTS).name if noted else ""
    return Scan(root, tuple(entries), tuple(problems), label_set)


def _rows(table: Path, split: str) -> Iterator[Record | Problem]:
    """Yield each row as a record whose frames are not counted yet, or what is wrong with it."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{table} cannot be read as UTF-8 text: {error}.") from error
    lines = csv.reader(text.splitlines(), delimiter="|", quoting=csv.QUOTE_NONE)
    header = next(lines, [])
    if missing := {"name", "speaker"} - set(header):
        raise UserError(
            f"{table} lacks the column {', '.join(sorted(missing))}; expected a first line "
            f"{'|'.join(_COLUMNS)}."
        )
    names: set[str] = set()
    for number, cells in enumerate(lines, 2):
        if not cells:
            continue
        row = dict(zip(header, cells, strict=False))
        name, left_out = row.get("name", ""), f"{split}/line {number}"
        if len(cells) != len(header):
            problem = f"has {len(cells)} fields; expected {len(header)}"
        elif name in {"", ".", ".."} or re.search(r"[/\\\0]", name):
            problem = f"names a clip {name[:60]!r}; expected a folder's name"
        elif name in names:
            problem, left_out = "names a clip for the second time", f"{split}/{name}"
        else:
            names.add(name)
            gloss, translation = row.get("orth", ""), row.get("translation", "")
            yield Record(name, split, row["speaker"], 1, gloss, translation)
            continue
        yield Problem(table, f"line {number} {problem}.", left_out)


def _clip(
    root: Path, places: Sequence[Path], record: Record, video_reader: Backend
) -> Entry | Problem:
    """Look for the frames of one clip: a folder of pictures or a video."""
    name = f"{record.split}/{record.id}"
    for place in places:
        folder = place / name
        if folder.is_dir():
            return _pictures(root, folder, record)
        for suffix in sorted(VIDEO_SUFFIXES):
            path = folder.with_name(record.id + suffix)
            if path.is_file():
                try:
                    video = open_video(path, video_reader)
                    record = replace(record, num_frames=len(video))
                    frames = path.relative_to(root).as_posix()
                    return Entry(record, frames, video.size, video.fps)
                except UserError as error:
                    return Problem.of(error, path, name)
    return Problem(places[0] / name, "is missing; expected the frames of a clip.", name)


def _pictures(root: Path, folder: Path, record: Record) -> Entry | Problem:
    name = f"{record.split}/{record.id}"
    with os.scandir(folder) as files:
        numbers = sorted(int(m[1]) for file in files if (m := _PICTURE.fullmatch(file.name)))
    if not numbers:
        return Problem(folder, "holds no images*.png; expected a clip's frames.", name)
    if gaps := sorted(set(range(1, numbers[-1] + 1)) - set(numbers)):
        missing = ", ".join(f"images{number:04d}.png" for number in gaps[:3])
        more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        return Problem(folder, f"lacks {missing}{more}; expected frames without a gap.", name)
    first = folder / "images0001.png"
    try:
        size = image_size(first, ("PNG",))
    except UserError as error:
        return Problem.of(error, first, name)
    pattern = (folder / "images####.png").relative_to(root).as_posix()
    return Entry(replace(record, num_frames=len(numbers)), pattern, size, _FPS)
