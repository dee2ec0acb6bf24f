"""Convert key points from one format to another, one clip or all clips of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from signgen.errors import ExitCode, UserError
from signgen.files.writing import make_folder
from signgen.pose.formats import SUFFIXES, Clips, read_clips, read_poses, write_poses
from signgen.pose.transforms import crop, fill_missing, flip, resize, smooth_one_euro
from signgen.structures import PoseSequence, Progress

__all__ = ["Changes", "Conversion", "convert"]

_MAX_NAME = 200
_FOLDER_FORMAT = "npz"


@dataclass(frozen=True)
class Changes:
    """What to do with a sequence, in the order of the fields; nothing by default.

    Args:
        crop: (x0, y0, x1, y1) in pixels to cut out of the frame.
        resize: New (H, W); each axis is scaled on its own.
        flip: Mirror left and right.
        fill_gaps: Longest gap in frames that is filled by straight lines; 0 fills none.
        smooth: Smooth with the One-Euro filter at its default settings.
    """

    crop: tuple[int, int, int, int] | None = None
    resize: tuple[int, int] | None = None
    flip: bool = False
    fill_gaps: int = 0
    smooth: bool = False

    def apply(self, poses: PoseSequence) -> PoseSequence:
        """Return the changed sequence; ValueError if a size, box or number is out of range."""
        if self.crop is not None:
            poses = crop(poses, self.crop)
        if self.resize is not None:
            poses = resize(poses, self.resize)
        if self.flip:
            poses = flip(poses)
        if self.fill_gaps:
            poses = fill_missing(poses, self.fill_gaps)
        return smooth_one_euro(poses) if self.smooth else poses


@dataclass(frozen=True)
class Conversion:
    """What came of a conversion.

    Args:
        out: File or folder that was written to.
        clips: Number of clips asked for.
        written: Clips written now.
        skipped: Clips whose file was there already and could be read.
        failed: Name and reason of the others.
    """

    out: Path
    clips: int
    written: int
    skipped: int = 0
    failed: tuple[tuple[str, str], ...] = ()


def convert(
    source: str | Path,
    out: str | Path,
    *,
    format: str | None = None,
    clip: str | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    changes: Changes | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Convert one clip to a file, or all clips of a file to a folder.

    All clips become `<out>/<clip><suffix>`; those that are there already and can be read are left
    as they are, so that an interrupted conversion can be repeated. One bad clip does not stop the
    others.

    Args:
        source: File or folder of poses.
        out: File to write. For many clips a folder; for one clip a folder that exists, or a name
            that ends in a slash, means a file in it, named as the clip.
        format: As for `write_poses`; `npz` in a folder without it.
        clip: The clip to convert, of a file that holds many.
        size: As for `read_clips`.
        fps: As for `read_clips`.
        changes: What to do with each sequence before it is written.
        progress: Wraps the names of the clips, with their number.
    """
    clips = read_clips(Path(source), size=size, fps=fps)
    target, changes = Path(out), changes or Changes()
    if clip is None and len(clips) > 1:
        return _convert_all(clips, target, format, changes, progress)
    poses = clips.reading(clip).poses
    if str(out).endswith(("/", "\\")) or (target.is_dir() and format != "openpose"):
        format = format or _FOLDER_FORMAT
        target = _target(target, next(iter(clips)) if clip is None else clip, format)
    if target.exists() and target.resolve() == clips.path.resolve():
        raise UserError(f"{target} is the input. Choose another name to write to.", ExitCode.USAGE)
    write_poses(_changed(poses, changes, clips.path), target, format)
    return Conversion(out=target, clips=1, written=1)


def _changed(poses: PoseSequence, changes: Changes, path: Path) -> PoseSequence:
    try:
        return changes.apply(poses)
    except ValueError as error:
        raise UserError(f"{path} cannot be changed so: {error}.", ExitCode.USAGE) from error


def _convert_all(
    clips: Clips, folder: Path, format: str | None, changes: Changes, progress: Progress | None
) -> Conversion:
    if folder.is_file() or (format is None and folder.suffix.lower() in {".json", ".npz", ".pose"}):
        raise UserError(
            f"{clips.path} holds {len(clips)} clips and {folder} is a file name; name one with "
            "--clip, or a folder for all of them.",
            ExitCode.USAGE,
        )
    format = format or _FOLDER_FORMAT
    written, skipped = 0, 0
    failed: list[tuple[str, str]] = []
    names = list(clips)
    for name in names if progress is None else progress(names, len(names)):
        try:
            target = _target(folder, name, format)
            if _is_there(target):
                skipped += 1
                continue
            write_poses(_changed(clips[name], changes, clips.path), target, format)
            written += 1
        except UserError as error:
            failed.append((name, str(error)))
    return Conversion(folder, len(names), written, skipped, tuple(failed))


def _target(folder: Path, name: str, format: str) -> Path:
    """Return where a clip goes, and make its folder; a name cannot lead out of the folder."""
    parts = PurePosixPath(name).parts
    sound = name.isprintable() and not set(name) & set('\\:*?"<>|') and len(name) <= _MAX_NAME
    if not sound or not parts or "/".join(parts) != name or {"..", "/"} & set(parts):
        raise UserError(f"clip {name[:60]!a} cannot be a file name; name the output with --clip.")
    target = folder.joinpath(*parts[:-1], parts[-1] + SUFFIXES[format])
    make_folder(target.parent)
    return target


def _is_there(target: Path) -> bool:
    """Tell whether a file or folder of poses was written before and can be read."""
    try:
        return target.exists() and len(read_poses(target)) > 0
    except UserError:
        return False
