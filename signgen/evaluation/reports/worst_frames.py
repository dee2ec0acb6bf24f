"""The worst frames of an evaluation, kept while frames stream by, and a sheet to look at each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.regions import HAND, SKELETON, cut, find_patches
from signgen.media import contact_sheet
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence

__all__ = ["WorstFrame", "WorstFrames", "sheet", "sheet_alt"]


@dataclass(frozen=True)
class WorstFrame:
    """One frame with all that is needed to see what went wrong.

    Args:
        index: 0-based number of the frame in its clip.
        source: (H, W, 3) uint8 RGB that the clip was generated from; may have another size.
        poses: Key points of this frame, one frame long, or None.
        reference: (H, W, 3) uint8 RGB, the truth.
        generated: (H, W, 3) uint8 RGB.
    """

    metric: str
    value: float
    clip: str
    index: int
    source: NDArray[np.uint8]
    poses: PoseSequence | None
    reference: NDArray[np.uint8]
    generated: NDArray[np.uint8]


class WorstFrames:
    """The frames with the lowest values of a metric of which higher is better.

    Holds `count` frames however many pass by. Among equal values the frame that is first by name of
    clip and then by number is the worse one, so that the result does not depend on the size of
    chunks or the order of clips.
    """

    def __init__(self, metric: str, count: int = 10) -> None:
        self.metric, self.count = metric, count
        self.frames: list[WorstFrame] = []
        """The worst first."""

    def update(
        self,
        clip: str,
        first_index: int,
        values: NDArray[np.float64],
        source: NDArray[np.uint8],
        poses: PoseSequence | None,
        reference: NDArray[np.uint8],
        generated: NDArray[np.uint8],
    ) -> None:
        """Take a chunk of T frames of one clip; only frames that stay are copied.

        Args:
            clip: Name of the clip.
            first_index: Number of the first of these frames in its clip.
            values: (T,) values of the metric, NaN for frames without one.
            source: (H, W, 3) uint8 RGB that the clip was generated from.
            poses: Key points of the reference, or None.
            reference: (T, H, W, 3) uint8 RGB, the truth.
            generated: (T, H, W, 3) uint8 RGB.
        """
        for t in map(int, np.flatnonzero(~np.isnan(values))):
            value, index = float(values[t]), first_index + t
            if len(self.frames) == self.count and (value, clip, index) >= _order(self.frames[-1]):
                continue
            frame = WorstFrame(
                metric=self.metric,
                value=value,
                clip=clip,
                index=index,
                source=source.copy(),
                poses=None if poses is None else poses.frames([t]),
                reference=reference[t].copy(),
                generated=generated[t].copy(),
            )
            self.join([frame])

    def join(self, frames: Iterable[WorstFrame]) -> None:
        """Keep the worst of these and of the frames so far."""
        self.frames = sorted([*self.frames, *frames], key=_order)[: self.count]


def _order(frame: WorstFrame) -> tuple[float, str, int]:
    return frame.value, frame.clip, frame.index


def sheet(frame: WorstFrame, gap: int = 6) -> NDArray[np.uint8]:
    """Lay a frame out: source, pose, truth, generated; below, each hand true and generated.

    The pose is left out where there is none, and a hand that does not count by the rules of Hand
    SSIM. Crops are enlarged to the width of the frame.
    """
    size, crops = _size(frame), _hand_crops(frame)
    pictures = [frame.source, frame.reference, frame.generated]
    if frame.poses is not None:
        poses = resize(frame.poses, size)
        drawn = draw_pose(poses.keypoints[0], poses.confidence[0], poses.skeleton, size)
        pictures.insert(1, drawn)
    rows = [contact_sheet(pictures, columns=len(pictures), gap=gap)]
    if crops:
        patches = [patch for pair in crops.values() for patch in pair]
        scale = size[1] / patches[0].shape[1]
        rows.append(contact_sheet(patches, columns=len(patches), scale=scale, gap=gap))
    return contact_sheet(rows, columns=1, gap=gap)


def sheet_alt(frame: WorstFrame) -> str:
    """Say what is on the sheet of a frame, for those who do not see it."""
    if frame.poses is None:
        return "Left to right: source, truth, generated. Without poses no hand is shown."
    crops = [f"{hand} hand, true and generated" for hand in _hand_crops(frame)]
    below = f"Below, enlarged: {'; '.join(crops)}." if crops else "No hand is known here."
    return f"Left to right: source, pose, truth, generated. {below}"


def _size(frame: WorstFrame) -> tuple[int, int]:
    return int(frame.reference.shape[0]), int(frame.reference.shape[1])


def _hand_crops(frame: WorstFrame) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Return the true and the generated crop of every hand that is shown, by its name."""
    if frame.poses is None or frame.poses.skeleton != SKELETON:
        return {}
    crops = {}
    for hand, patches in find_patches(HAND, frame.poses, _size(frame)).items():
        if len(patches.frames) and patches.side:
            crops[hand] = (
                cut(frame.reference[None], patches)[0],
                cut(frame.generated[None], patches)[0],
            )
    return crops
