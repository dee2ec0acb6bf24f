"""Files that the browser sends: what the page takes, and the bundled example."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.pose.formats import pickle_clips
from signgen.pose.formats.reading import InputFile

__all__ = ["EXAMPLE", "checked_poses", "copy_example"]

EXAMPLE = ("source.png", "poses.json")
"""Picture of a bundled signer, and poses whose first is that of the picture."""


def checked_poses(path: str) -> str:
    """Return the path of poses or a clip that was uploaded.

    Raises:
        UserError: If it is a pickle. The command reads some by a reader that runs nothing in them;
            a page takes none.
    """
    if pickle_clips.FORMAT.recognise(InputFile(Path(path))):
        raise UserError(
            f"{Path(path).name} is a pickle, which the page does not take; expected .pose, JSON, "
            ".npz or a video. Convert it: signgen pose convert FILE OUT.",
            ExitCode.USAGE,
        )
    return path


def copy_example(folder: Path) -> tuple[str, str]:
    """Copy the bundled example to where the page may serve files from; return its two paths."""
    folder.mkdir(exist_ok=True)
    with as_file(files("signgen") / "assets" / "sample" / "demo") as bundled:
        for name in EXAMPLE:
            shutil.copyfile(bundled / name, folder / name)
    picture, poses = (str(folder / name) for name in EXAMPLE)
    return picture, poses
