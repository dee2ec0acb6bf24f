"""What a file of poses holds, in numbers: for `signgen pose info`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.pose.formats import Clips, Reading, read_clips
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence

__all__ = ["coverage", "missing_frames", "remarks", "summarize"]

FASTEST = 120
"""Frames per second beyond which no camera films people: a rate above it is a mistake."""
SAME_RATE = 0.01
"""Share by which rates differ that are one, rounded; many `.pose` files have 29 for 29.97."""


def coverage(poses: PoseSequence) -> dict[str, float]:
    """Return the share of frames, 0 to 1, that show body, face and each hand.

    A part is shown where at least half of its points are present, of the body a quarter; parts that
    the skeleton lacks are left out.
    """
    shares = {}
    for part in ("body", "face", "left_hand", "right_hand"):
        start, stop = getattr(SKELETONS[poses.skeleton], part)
        if stop > start:
            # Half bodies are whole signers: of the body the upper half is enough.
            least = (stop - start) / (4 if part == "body" else 2)
            shown = poses.visible[:, start:stop].sum(axis=1) >= least  # (T,)
            shares[part] = round(float(np.mean(shown)), 4)
    return shares


def missing_frames(poses: PoseSequence) -> int:
    """Return the number of frames in which no point of the signer is present."""
    return int((~poses.visible.any(axis=1)).sum())


def remarks(reading: Reading, name: str) -> tuple[str, ...]:
    """Return what whoever uses a clip should know of it, a line each.

    That is how many frames miss the signer, how many people there are, a rate that cannot be, and
    one that was replaced by the caller's.

    Args:
        reading: The clip.
        name: Where it comes from, for the lines.
    """
    poses, stated, lines = reading.poses, reading.stated_fps, []
    # Poses drawn beforehand have no points that could be missing
    missing = missing_frames(poses) if poses.keypoints.shape[1] else 0
    if missing:
        lines.append(
            f"{name}: the signer is missing in {missing} of {len(poses)} frames. Fill short gaps "
            "with `signgen pose convert --fill-gaps N`."
        )
    if reading.people is not None and reading.people > 1:
        lines.append(
            f"{name}: up to {reading.people} people in a frame, of whom one is followed. See who "
            "with `signgen pose view`."
        )
    if poses.fps > FASTEST:
        lines.append(
            f"{name}: {poses.fps:g} frames per second; cameras make at most {FASTEST}. Give the "
            "right rate with --fps (in a render --pose-fps)."
        )
    if stated is not None and abs(stated - poses.fps) > SAME_RATE * poses.fps:
        lines.append(f"{name} says {stated:g} frames per second; {poses.fps:.4g} are taken.")
    return tuple(lines)


def summarize(
    path: str | Path,
    *,
    clip: str | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    most: int | None = None,
) -> dict[str, object]:
    """Read a file of poses and return what it holds, as one JSON object.

    Returns:
        `file`, `format` and what the sequence holds, with `assumed` where the file does not say its
        size or rate and neither does the caller, and `remarks`; for many clips their number `clips`
        and a list `rows` instead, where a clip that cannot be read has an `error`.
    """
    clips = read_clips(Path(path), size=size, fps=fps)
    head: dict[str, object] = {"file": str(path), "format": clips.format}
    if clip is None and len(clips) > 1:
        return head | {"clips": len(clips), "rows": [_row(clips, name) for name in [*clips][:most]]}
    reading = clips.reading(clip)
    given = {"size": size, "fps": fps}
    assumed = [name for name in reading.assumed if given[name] is None]
    numbers = head | _numbers(reading) | ({"assumed": assumed} if assumed else {})
    return numbers | ({"remarks": list(said)} if (said := remarks(reading, str(path))) else {})


def _row(clips: Clips, name: str) -> dict[str, object]:
    try:
        return {"clip": name} | _numbers(clips.reading(name))
    except UserError as error:
        return {"clip": name, "error": str(error)}


def _numbers(reading: Reading) -> dict[str, object]:
    poses = reading.poses
    return {
        "skeleton": poses.skeleton,
        "frames": len(poses),
        "fps": poses.fps,
        "size": list(poses.size),
        **({} if reading.people is None else {"people": reading.people}),
        "missing_frames": missing_frames(poses),
        "missing_points": int((~poses.visible).sum()),
        "visible": round(float(poses.visible.mean()), 4),
        **{f"{part}_coverage": share for part, share in coverage(poses).items()},
    }
