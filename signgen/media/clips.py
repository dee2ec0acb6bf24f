"""Find the clips below a path: videos, pictures, folders of frames, trees of these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input, check_local, one_line
from signgen.media.image import read_image
from signgen.media.video import PICTURE_SUFFIXES, Frames, VideoInfo, read_frames

__all__ = ["VIDEO_SUFFIXES", "find_clips", "open_clip"]

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"})
"""Endings of the videos that a folder of clips may hold."""


def find_clips(path: str | Path) -> dict[str, Path]:
    """Name the clips of a path.

    A file is one clip, whatever its ending, and so is a folder that holds pictures. In every other
    folder each video and each folder of pictures is one, at any depth; hidden entries are left out.

    Returns:
        Paths by name, sorted. In a tree the name is the way there without ending: `train/a`.
    """
    path = check_local(path, "video or folder")
    if not path.is_dir():
        return {path.stem: check_input(path, "video")}
    if _holds_pictures(path):
        return {path.resolve().name: path}
    clips: dict[str, Path] = {}
    for name, clip in _walk(path, "", {path.resolve()}):
        if name in clips:
            raise UserError(f"{clip} and {clips[name]} have the same name; expected one of them.")
        clips[name] = clip
    if not clips:
        raise UserError(
            f"{path} holds no clips; expected videos, pictures, or folders of pictures."
        )
    return dict(sorted(clips.items()))


def open_clip(
    path: str | Path,
    fps: float = 25.0,
    *,
    constant_rate: float | None = None,
    strict: bool = True,
) -> Frames:
    """Open a clip as `read_frames` does; a single picture is a clip of one frame."""
    path = Path(path)
    if path.is_dir() or path.suffix.lower() not in PICTURE_SUFFIXES:
        return read_frames(path, fps, constant_rate=constant_rate, strict=strict)
    height, width = read_image(path).shape[:2]
    return Frames(path, VideoInfo(fps, (height, width), 1), (path,))


def _entries(folder: Path) -> Iterator[Path]:
    try:
        for entry in folder.iterdir():
            if not entry.name.startswith("."):
                yield entry
    except OSError as error:
        message = f"{folder} cannot be listed: {one_line(error)}."
        raise UserError(message, ExitCode.NO_INPUT) from error


def _holds_pictures(folder: Path) -> bool:
    """Tell whether a folder is a clip; a video's thumbnail beside it must not pass for one."""
    suffixes = {entry.suffix.lower() for entry in _entries(folder)}
    if suffixes & PICTURE_SUFFIXES and suffixes & VIDEO_SUFFIXES:
        raise UserError(
            f"{folder} holds pictures and videos; expected one kind. Move one of them away."
        )
    return bool(suffixes & PICTURE_SUFFIXES)


def _walk(folder: Path, prefix: str, above: set[Path]) -> Iterator[tuple[str, Path]]:
    """Yield name and path of every clip below; links are followed, but not in circles."""
    for entry in _entries(folder):
        if not entry.is_dir():
            if entry.suffix.lower() in VIDEO_SUFFIXES:
                yield prefix + entry.stem, entry
        elif _holds_pictures(entry):
            yield prefix + entry.name, entry
        elif (real := entry.resolve()) not in above:
            yield from _walk(entry, f"{prefix}{entry.name}/", above | {real})
