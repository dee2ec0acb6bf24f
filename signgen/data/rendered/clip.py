"""Renders clips of signers, with exact key points, part labels and hand boxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from signgen.data.rendered.body import Body
from signgen.data.rendered.posing import draw_motion
from signgen.structures import PoseSequence

__all__ = ["LABELS", "RenderedClip", "Studio"]

#: What a value in a label map means; left and right are the signer's own.
LABELS: Mapping[int, str] = MappingProxyType(
    dict(
        enumerate(
            (
                *("background", "face", "hair", "neck", "upper_garment", "left_arm", "right_arm"),
                *("left_hand", "right_hand", "lower_garment"),
            )
        )
    )
)
_HANDS = MappingProxyType({"left": 7, "right": 8})
FPS = 25.0

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class RenderedClip:
    """A rendered clip and all that is known about it.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        labels: (T, H, W) uint8, see `LABELS`.
        poses: (T, 133) key points in pixels of the frames; confidence 1 where seen, 0.6 where
            something hides the point, 0 outside the frame.
        gloss: Names of the signs, blank-separated.
    """

    frames: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    poses: PoseSequence
    gloss: str

    def hand_boxes(self) -> dict[str, list[Box | None]]:
        """Return for `left` and `right` the box (x0, y0, x1, y1) of what is seen in each frame."""
        return {
            side: [_box(frame == label) for frame in self.labels] for side, label in _HANDS.items()
        }


def _box(mask: NDArray[np.bool_]) -> Box | None:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


class Studio:
    """Renders clips of any signer; loading takes seconds, a frame a tenth of one.

    Args:
        assets: A checkout of makehuman-assets; None dresses signers in shells of their bodies.

    Raises:
        UserError: If the extra `synthetic` is not installed, or the assets are not such a folder.
    """

    def __init__(self, assets: Path | None = None) -> None:
        self.body = Body()

    def render_clip(
        self, signer_seed: int, clip_seed: int, num_frames: int, size: tuple[int, int] = (260, 210)
    ) -> RenderedClip:
        raise NotImplementedError
