"""Look at files of poses and align them with a source: `signgen pose view` and `pose align`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.config.pose import Align
from signgen.files.paths import check_output
from signgen.media import (
    VideoWriter,
    contact_sheet,
    read_frames,
    read_image,
    save_image,
    side_by_side,
)
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.retargeting.proportions import Alignment, measure
from signgen.pose.retargeting.retarget import align
from signgen.pose.transforms import fit_to_source, resize
from signgen.structures import ExitCode, PoseSequence, UserError

__all__ = ["AlignResult", "align_files", "align_to_source", "overlay", "read_source", "view_file"]

Frame = NDArray[np.uint8]

LONGEST_SIDE = 1080
"""Poses without a picture are drawn at their own size, larger ones scaled down to this."""
SHEET_FRAMES = 8
_SAME_SHAPE = 0.02
_DIMMED = 0.45
_SOLID = 96.0


@dataclass(frozen=True)
class AlignResult:
    """What aligning did.

    Args:
        files: Files written: the poses, then the preview if there is one.
        frames: Number of frames.
        size: (H, W) of the source's frame, which the poses are in.
        mode: `none`, `affine` or `limb`.
        alignment: Proportions of the source relative to the driver.
    """

    files: tuple[str, ...]
    frames: int
    size: tuple[int, int]
    mode: Align
    alignment: Alignment

    @property
    def warnings(self) -> tuple[str, ...]:
        """What differs by 20 % or more."""
        return self.alignment.warnings(self.mode)

    def as_json(self) -> dict[str, object]:
        """Return one JSON object."""
        return {
            "schema_version": 1,
            "files": list(self.files),
            "frames": self.frames,
            "size": list(self.size),
            "mode": self.mode,
            "alignment": self.alignment.as_json(),
            "warnings": list(self.warnings),
        }

    def rows(self) -> dict[str, object]:
        """Return names and values for a table."""
        ratios = self.alignment
        rows: dict[str, object] = {
            "files": list(self.files),
            "mode": self.mode,
            "frames": self.frames,
            "scale": f"{ratios.scale:.3f} (frames alone: {ratios.fitted:.3f})",
        }
        for part, found in ratios.measured.items():
            seen = "not seen in both" if found is None else f"measured {found:.2f}"
            taken = f"{ratios.used[part]:.2f} of the shoulders' scale"
            rows[part] = f"{taken if self.mode == 'limb' else 'left as it is'} ({seen})"
        return rows


def align_files(
    driving: str,
    source_poses: str,
    mode: Align,
    out: str,
    *,
    source: str | None = None,
    preview: str | None = None,
) -> AlignResult:
    """Align a file of poses with a source signer and write it, with a preview if asked for.

    The preview shows the source picture, dimmed, with the drawn pose as it would be if only fitted
    to the frame, and as aligned: an MP4 of all frames or a PNG of up to eight. Without a picture
    the source's own pose is drawn, dimmed.

    Args:
        driving: File of the motion.
        source_poses: File of the source signer's poses, one frame or more.
        mode: `none`, `affine` or `limb`.
        out: File of poses to write.
        source: Picture of the source signer, or None.
        preview: `.png` or `.mp4` to write, or None.

    Returns:
        What was measured and written.

    Raises:
        UserError: If an input is unusable, the two cannot be aligned, or an output cannot be
            written.
    """
    wanted = [Path(name) for name in (out, preview) if name is not None]
    _check_outputs(wanted, [driving, source_poses, source])
    picture = None if source is None else read_image(source)
    signer = read_source(source_poses, source, picture)
    motion = read_poses(Path(driving), size=signer.size)
    alignment = _measured(motion, driving, signer, source_poses)
    aligned = align(motion, signer, mode, alignment)
    if preview is not None:
        backdrop = _backdrop(signer, picture)
        before = overlay(fit_to_source(motion, signer.size), repeat(backdrop))
        pairs = zip(before, overlay(aligned, repeat(backdrop)), strict=True)
        _write_frames(Path(preview), (side_by_side(*pair) for pair in pairs), aligned, driving)
    write_poses(aligned, Path(out))
    return AlignResult(
        files=tuple(map(str, wanted)),
        frames=len(aligned),
        size=aligned.size,
        mode=mode,
        alignment=alignment,
    )


def align_to_source(
    motion: PoseSequence, signer: PoseSequence, mode: Align, names: tuple[str, str]
) -> tuple[PoseSequence, tuple[str, ...]]:
    """Align poses with a source signer.

    Args:
        motion: The poses.
        signer: Poses of the source picture, in its pixels.
        mode: How to align, see `signgen.pose.retargeting.retarget`.
        names: What to call the two in messages.

    Returns:
        The poses in pixels of the picture, and warnings.

    Raises:
        UserError: If the two cannot be aligned.
    """
    alignment = _measured(motion, names[0], signer, names[1])
    return align(motion, signer, mode, alignment), alignment.warnings(mode)


def read_source(path: str, source: str | None, picture: Frame | None) -> PoseSequence:
    """Read the poses of a source signer, in pixels of the picture if there is one.

    Raises:
        UserError: If the file is unusable, or its frame has another shape than the picture.
    """
    if picture is None:
        return read_poses(Path(path))
    size = (int(picture.shape[0]), int(picture.shape[1]))
    return _onto(read_poses(Path(path), size=size), path, size, source or "the picture")


def view_file(poses: str, out: str, *, video: str | None = None, picture: str | None = None) -> int:
    """Draw a file of poses on a video, on a picture, or on black.

    Args:
        poses: File of poses.
        out: `.mp4` to write, or `.png` for a sheet of up to eight frames.
        video: Video or folder of pictures with as many frames, or None.
        picture: One picture that every pose is drawn on, or None.

    Returns:
        The number of frames.

    Raises:
        UserError: If an input is unusable, frames and poses differ in number or shape, or the
            output cannot be written.
    """
    if video is not None and picture is not None:
        raise UserError(
            f"--video is {video} and --frame is {picture}; expected one of them.", ExitCode.USAGE
        )
    _check_outputs([Path(out)], [poses, video, picture])
    frames: Iterable[Frame]
    if video is not None:
        clip = read_frames(video)
        sequence = _onto(read_poses(Path(poses), size=clip.info.size), poses, clip.info.size, video)
        frames = _as_many(clip, len(sequence), video, poses)
    elif picture is not None:
        still = read_image(picture)
        sequence = read_source(poses, picture, still)
        frames = repeat(still, len(sequence))
    else:
        sequence = _at_most(read_poses(Path(poses)), LONGEST_SIDE)
        frames = repeat(np.zeros((*sequence.size, 3), np.uint8), len(sequence))
    _write_frames(Path(out), overlay(sequence, frames), sequence, poses)
    return len(sequence)


def overlay(poses: PoseSequence, frames: Iterable[Frame]) -> Iterator[Frame]:
    """Draw each pose over its frame; what shines in the drawing covers the frame.

    Args:
        poses: T poses in pixels of the frames.
        frames: At least T frames, (H, W, 3) uint8 RGB.

    Yields:
        (H, W, 3) uint8 RGB, one per pose.
    """
    # Frames come first, so that a video is read to its end and its frames are counted.
    for frame, keypoints, confidence in zip(
        frames, poses.keypoints, poses.confidence, strict=False
    ):
        drawn = draw_pose(keypoints, confidence, poses.skeleton, poses.size).astype(np.float32)
        cover = np.clip(drawn.max(axis=-1, keepdims=True) / _SOLID, 0, 1)
        yield np.rint(cover * drawn + (1 - cover) * frame).astype(np.uint8)


def _measured(
    motion: PoseSequence, driving: str, signer: PoseSequence, source_poses: str
) -> Alignment:
    """Measure, and name the files where that fails."""
    try:
        return measure(motion, signer)
    except UserError as error:
        raise UserError(f"{driving} on {source_poses}: {error}", error.code) from error


def _backdrop(signer: PoseSequence, picture: Frame | None) -> Frame:
    """Return the dimmed picture, or the signer's dimmed first pose on black."""
    if picture is None:
        black = np.zeros((*signer.size, 3), np.uint8)
        grey = next(overlay(signer, [black])).mean(axis=-1, keepdims=True)
        picture = np.broadcast_to(grey, (*signer.size, 3)).astype(np.uint8)
    return np.asarray(np.rint(picture * _DIMMED), dtype=np.uint8)


def _onto(poses: PoseSequence, path: str, size: tuple[int, int], where: str) -> PoseSequence:
    """Scale poses to a picture of the same shape; refuse another shape."""
    if tuple(poses.size) == tuple(size):
        return poses
    (height, width), (ours, across) = size, poses.size
    if abs(across / ours * height / width - 1) > _SAME_SHAPE:
        raise UserError(
            f"{path} is of frames of {across} x {ours} pixels, {where} has {width} x {height}: "
            "another shape. Take the poses of this picture."
        )
    return resize(poses, size)


def _at_most(poses: PoseSequence, side: int) -> PoseSequence:
    longest = max(poses.size)
    if longest <= side:
        return poses
    height, width = (max(1, round(extent * side / longest)) for extent in poses.size)
    return resize(poses, (height, width))


def _as_many(frames: Iterable[Frame], count: int, video: str, poses: str) -> Iterator[Frame]:
    """Yield the frames of a video; raise where there are more or fewer than poses."""
    found = 0
    for frame in frames:
        found += 1
        if found <= count:
            yield frame
    if found != count:
        raise UserError(
            f"{video} has {found} frames, {poses} {count} poses; expected as many. Take the poses "
            "of this video."
        )


def _check_outputs(outputs: Sequence[Path], inputs: Sequence[str | None]) -> None:
    taken = {Path(name).resolve() for name in inputs if name is not None}
    for path in outputs:
        check_output(path)
        if path.resolve() in taken:
            raise UserError(
                f"{path} is an input, or written twice. Choose another name.", ExitCode.USAGE
            )
        taken.add(path.resolve())


def _write_frames(path: Path, frames: Iterator[Frame], poses: PoseSequence, origin: str) -> None:
    """Write all frames as MP4, or up to eight of them on a PNG sheet."""
    suffix = path.suffix.lower()
    if suffix == ".png":
        shown = np.linspace(0, len(poses) - 1, min(SHEET_FRAMES, len(poses))).round().astype(int)
        kept = [frame for index, frame in enumerate(frames) if index in set(shown.tolist())]
        save_image(path, contact_sheet(kept, columns=min(4, len(kept))))
        return
    if suffix != ".mp4":
        raise UserError(f"{path}: expected a name ending in .mp4 or .png.", ExitCode.USAGE)
    if not 1 <= poses.fps <= 240:
        raise UserError(
            f"{origin}: fps is {poses.fps:g}; a video can have 1 to 240. Write a .png, or the file "
            "with another fps."
        )
    first = next(frames)
    height, width = first.shape[:2]
    with VideoWriter(path, poses.fps, (height, width)) as writer:
        writer.write(first)
        for frame in frames:
            writer.write(frame)
