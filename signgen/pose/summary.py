"""What a file of poses holds, in numbers: for `signgen pose info`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from signgen.pose.formats import read_poses
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence

__all__ = ["coverage", "summarize"]


def coverage(poses: PoseSequence) -> dict[str, float]:
    """Return the share of frames, 0 to 1, that show body, face and each hand.

    A part is shown where more than half of its points are present; parts that the skeleton lacks
    are left out.
    """
    skeleton = SKELETONS[poses.skeleton]
    shares = {}
    for part in ("body", "face", "left_hand", "right_hand"):
        start, stop = getattr(skeleton, part)
        if stop > start:
            # Half bodies are whole signers: of the body the upper half is enough.
            least = (stop - start) / (4 if part == "body" else 2)
            shown = poses.visible[:, start:stop].sum(axis=1) >= least
            shares[part] = round(float(np.mean(shown)), 4)
    return shares


def summarize(path: str | Path) -> dict[str, object]:
    """Read a file of poses and return what it holds, as one JSON object.

    Raises:
        UserError: If the file cannot be read.
    """
    poses = read_poses(Path(path))
    return {
        "file": str(path),
        "skeleton": poses.skeleton,
        "frames": len(poses),
        "fps": poses.fps,
        "size": list(poses.size),
        "visible": round(float(poses.visible.mean()), 4),
        **{f"{part}_coverage": share for part, share in coverage(poses).items()},
    }
