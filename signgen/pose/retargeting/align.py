"""Bring driving poses into the source's frame, also as files: `signgen pose align`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from signgen.config.pose import Align
from signgen.errors import UserError
from signgen.files.paths import check_outputs
from signgen.media import read_image, side_by_side
from signgen.pose.drawing.viewing import overlay, write_frames
from signgen.pose.formats import read_clip_of, read_poses, write_poses
from signgen.pose.retargeting.proportions import Alignment, measure
from signgen.pose.retargeting.retarget import retarget
from signgen.pose.transforms import fit_to_source, with_points
from signgen.structures import PoseSequence

__all__ = ["Aligned", "align", "align_files", "align_to_source"]

_DIMMED = 0.45


@dataclass(frozen=True)
class Aligned:
    """Poses in the source's frame, and how the two signers compare.

    Args:
        poses: In pixels of the source's frame.
        alignment: Proportions of the source relative to the driver.
        files: Files written: the poses, then the preview if there is one.
    """

    poses: PoseSequence
    mode: Align
    alignment: Alignment
    files: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What differs by 20 % or more."""
        return self.alignment.warnings(self.mode)

    def as_json(self) -> dict[str, object]:
        """Return one JSON object."""
        return {
            "schema_version": 1,
            "files": list(self.files),
            "frames": len(self.poses),
            "size": list(self.poses.size),
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
            "frames": len(self.poses),
            "scale": f"{ratios.scale:.3f} (frames alone: {ratios.fitted:.3f})",
        }
        for part, ratio in ratios.measured.items():
            measured = "not seen in both" if ratio is None else f"measured {ratio:.2f}"
            used = f"{ratios.used[part]:.2f} of the shoulders' scale"
            rows[part] = f"{used if self.mode == 'limb' else 'left as it is'} ({measured})"
        return rows


def align(
    driving: PoseSequence, source: PoseSequence, mode: Align, alignment: Alignment | None = None
) -> PoseSequence:
    """Bring driving poses into the source's frame.

    `none` fits the frame only. `affine` moves the driver's neck (the middle of the shoulders,
    median over the clip) to the source's and scales everything by the ratio of shoulder widths.
    `limb` keeps the place and gives every part its own ratio, see `retarget`.

    Args:
        driving: The motion.
        source: Poses of the source signer, one frame or more; only its size counts for `none`.
        mode: See above.
        alignment: What `measure` says of the two; measured here if not given.

    Returns:
        Poses in pixels of the source's frame, with the driver's confidences and frame rate.
    """
    match mode:
        case "none":
            return fit_to_source(driving, source.size)
        case "affine":
            alignment = alignment or measure(driving, source)
            points = driving.keypoints.astype(np.float64) - alignment.driving_neck
            points = alignment.source_neck + alignment.scale * points
            return with_points(driving, points, source.size)
        case "limb":
            return retarget(driving, source, alignment)
        case _:
            assert_never(mode)


def align_to_source(
    driving: PoseSequence, source: PoseSequence, mode: Align, names: tuple[str, str]
) -> Aligned:
    """Measure two signers and align the one's poses with the other.

    Args:
        driving: The motion.
        source: Poses of the source picture, in its pixels.
        mode: As for `align`.
        names: What to call the two in messages.
    """
    try:
        alignment = measure(driving, source)
    except UserError as error:
        raise UserError(f"{names[0]} on {names[1]}: {error}", error.code) from error
    return Aligned(align(driving, source, mode, alignment), mode, alignment)


def align_files(
    driving: str,
    source_poses: str,
    mode: Align,
    out: str,
    *,
    source: str | None = None,
    preview: str | None = None,
) -> Aligned:
    """Align a file of poses with a source signer and write it, with a preview if asked for.

    The preview shows the source picture, dimmed, with the drawn pose as it would be if only fitted
    to the frame, and as aligned: an MP4 of all frames or a PNG of up to eight. Without a picture
    the source's own pose is drawn, dimmed.

    Args:
        driving: File of the motion.
        source_poses: File of the source signer's poses, one frame or more.
        mode: As for `align`.
        out: File of poses to write.
        source: Picture of the source signer, or None.
        preview: `.png` or `.mp4` to write, or None.
    """
    outputs = [Path(name) for name in (out, preview) if name is not None]
    check_outputs(outputs, [driving, source_poses, source])
    if source is None:
        picture, signer = None, read_poses(Path(source_poses))
    else:
        picture = read_image(source)
        signer = read_clip_of(Path(source_poses), source, picture.shape[:2]).poses
    motion = read_poses(Path(driving), size=signer.size)
    aligned = align_to_source(motion, signer, mode, (driving, source_poses))
    if preview is not None:
        backdrop = _backdrop(signer, picture)
        before = overlay(fit_to_source(motion, signer.size), repeat(backdrop))
        after = overlay(aligned.poses, repeat(backdrop))
        frames = (side_by_side(*pair) for pair in zip(before, after, strict=True))
        write_frames(Path(preview), frames, aligned.poses, driving)
    write_poses(aligned.poses, Path(out))
    return replace(aligned, files=tuple(map(str, outputs)))


def _backdrop(signer: PoseSequence, picture: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return the dimmed picture, or the signer's dimmed first pose on black."""
    if picture is None:
        black = np.zeros((*signer.size, 3), np.uint8)
        grey = next(overlay(signer, [black])).mean(axis=-1, keepdims=True)
        picture = np.broadcast_to(grey, (*signer.size, 3)).astype(np.uint8)
    return np.asarray(np.rint(picture * _DIMMED), dtype=np.uint8)
