"""Split strips, whose frames show several pictures side by side, into folders of pictures.

    python tools/split_strips.py STRIP.gif [STRIP.mp4 ...] --out DIR

Published results often are strips of equal columns without gaps, such as FPDM's: source, pose,
truth, generated. Column NAME of strip CLIP becomes DIR/NAME/CLIP/000000.png and so on, so that
`signgen eval --generated DIR/generated --reference DIR/truth` scores what was published. The frames
are taken as they are stored; colours that a GIF lost stay lost.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.media import read_frames, save_image

NAMES = ("source", "pose", "truth", "generated")


def split(strip: Path, out: Path, names: Sequence[str] = NAMES) -> int:
    """Split one strip; its folders appear whole or not at all.

    Args:
        strip: Video, animated GIF or folder of pictures.
        out: Folder that holds, or will hold, one folder per column.
        names: Names of the columns from left to right, all different.

    Returns:
        Number of frames.

    Raises:
        UserError: If the strip is missing or damaged, its width is no multiple of the number of
            columns, or a folder is already there (73).
    """
    frames = read_frames(strip)
    width = frames.info.size[1]
    if width % len(names):
        raise UserError(
            f"{strip} is {width} pixels wide, which {len(names)} equal columns cannot be; "
            "name its columns with --names, or give their number with --columns."
        )
    column = width // len(names)
    targets = [out / name / strip.stem for name in names]
    for target in targets:
        if target.exists():
            raise UserError(
                f"{target} is already there. Remove it or choose another --out.",
                ExitCode.CANNOT_CREATE,
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{out} cannot be created: {error.strerror}. Choose another --out."
        raise UserError(message, ExitCode.CANNOT_CREATE) from error
    count = 0
    with tempfile.TemporaryDirectory(prefix=".split-", dir=out) as temporary:
        parts = [Path(temporary) / name for name in names]
        for part in parts:
            part.mkdir()
        for frame in frames:
            for place, part in enumerate(parts):
                picture = frame[:, place * column : (place + 1) * column]
                save_image(part / f"{count:06}.png", picture)
            count += 1
        _move(parts, targets)
    return count


def _move(parts: Sequence[Path], targets: Sequence[Path]) -> None:
    """Move all folders to their places, or none."""
    moved: list[Path] = []
    try:
        for part, target in zip(parts, targets, strict=True):
            target.parent.mkdir(exist_ok=True)
            os.rename(part, target)
            moved.append(target)
    except BaseException:
        for target in moved:
            shutil.rmtree(target)
        raise


def column_names(names: Sequence[str] | None, columns: int | None) -> tuple[str, ...]:
    """Return the names of the columns.

    Args:
        names: Names as given, or None.
        columns: Their number as given, or None.

    Returns:
        `names`, else those of FPDM's strips for four columns, else `column0`, `column1`, ...

    Raises:
        UserError: If both are given and disagree, or a name is no name of a folder (2).
    """
    chosen = tuple(names or ())
    if not chosen:
        wanted = len(NAMES) if columns is None else columns
        chosen = NAMES if wanted == len(NAMES) else tuple(f"column{i}" for i in range(wanted))
    if not chosen or (columns is not None and columns != len(chosen)):
        raise UserError(
            f"--columns is {columns} with {len(chosen)} names; expected as many, at least one.",
            ExitCode.USAGE,
        )
    for name in chosen:
        if Path(name).name != name or name.startswith(".") or chosen.count(name) > 1:
            raise UserError(
                f"--names has {name!r}; expected names of folders, all different.", ExitCode.USAGE
            )
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Split the strips that are named and say how many frames each has.

    Args:
        arguments: Words after the program's name; those of the process if not given.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("strips", nargs="+", type=Path, metavar="STRIP")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--columns", type=int, help=f"number of columns (default {len(NAMES)})")
    parser.add_argument(
        "--names", nargs="+", help=f"from left to right (default {' '.join(NAMES)})"
    )
    options = parser.parse_args(arguments)
    try:
        names = column_names(options.names, options.columns)
        for strip in options.strips:
            print(f"{strip.stem}: {split(strip, options.out, names)} frames")
    except UserError as error:
        print(f"split_strips: error: {error}", file=sys.stderr)
        return error.code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
