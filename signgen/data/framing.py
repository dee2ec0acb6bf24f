"""Framing: the part of a picture that a model sees, so that the signer is as large as it knows.

People in photographs are small, off-centre or cut. A crop around the signer and all poses is
rendered and pasted back with a soft border; outside of it the picture is the source's own. Training
on recordings of such people sees the same crop (`FramedDataset`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.config.pictures import PicturesConfig
from signgen.models.pictures import stance
from signgen.pose import transforms
from signgen.pose.skeleton import SKELETONS
from signgen.structures import FrameRef, PoseSequence, Record, Triplet

if TYPE_CHECKING:
    from signgen.data.adapter import DatasetAdapter
    from signgen.human_parsing.maps import Parts

__all__ = ["Crop", "FramedDataset", "choose_crop"]

Frame = NDArray[np.uint8]

SLACK, STRETCH = 1.25, 1.1
"""Factors by which the shoulders and the picture's shape may be off and the whole picture is still
rendered."""
SOFT = 0.06
"""Width of the soft border, as a share of the crop's shorter side."""
MARGIN, HEAD = 0.2, 0.6
"""Room around all points, and above the head's, in widths of the shoulders."""
_BELOW = ("hip", "knee", "ankle", "toe", "heel")
"""Joints that need not be in the crop."""


@dataclass(frozen=True)
class Crop:
    """A box of the source picture that is rendered in its place.

    Args:
        box: (x0, y0, x1, y1) in pixels, the far edges not included. It reaches beyond the picture
            only along an axis on which the picture is smaller than it.
        picture: (H, W) of the whole picture.
    """

    box: tuple[int, int, int, int]
    picture: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the crop."""
        x0, y0, x1, y1 = self.box
        return y1 - y0, x1 - x0

    def cut(self, picture: Frame) -> Frame:
        """Return the crop of a picture (H, W, ...); beyond it, its border goes on."""
        (x0, y0, x1, y1), (height, width) = self.box, self.picture
        inside = picture[max(y0, 0) : y1, max(x0, 0) : x1]  # (h', w', 3)
        beyond = (max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0))
        if not any(beyond):
            return inside
        # Continue the picture's border
        return np.asarray(cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE), np.uint8)

    def place(self, poses: PoseSequence) -> PoseSequence:
        """Return poses of the picture in pixels of the crop."""
        return transforms.crop(poses, self.box)

    def paste(self, picture: Frame, rendered: Frame) -> Frame:
        """Return a picture (H, W, 3) with the rendered crop (h, w, 3) in it.

        Where both are equal, and outside of the crop, it is the picture to the byte.
        """
        (x0, y0, x1, y1), (height, width) = self.box, self.picture
        # What lies inside the picture
        rows, columns = slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))
        own = picture[rows, columns].astype(np.float32)  # (h', w', 3)
        new = rendered[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]

        # Blend it in
        whole = picture.copy()
        mixed = own + self.border()[..., None] * (new - own)
        whole[rows, columns] = np.rint(mixed).clip(0, 255).astype(np.uint8)
        return whole

    def border(self) -> NDArray[np.float32]:
        """Return (h', w') in (0, 1] for the pixels inside the picture: 1 but near a cut edge."""
        (x0, y0, x1, y1), (height, width) = self.box, self.picture
        reach = max(1.0, SOFT * min(self.size))
        down = _ramp(y0, y1, height, reach)
        across = _ramp(x0, x1, width, reach)
        return np.minimum(down[:, None], across).astype(np.float32)


def _ramp(start: int, stop: int, length: int, reach: float) -> NDArray[np.float64]:
    """Return how much of an axis is rendered, pixel by pixel; edges of the picture are not soft."""
    at = np.arange(max(start, 0), min(stop, length)) + 0.5  # (n,) middles of pixels
    before = at - start if start > 0 else np.full(len(at), np.inf)
    after = stop - at if stop < length else np.full(len(at), np.inf)
    # From 0 to 1 without a bend at the ends
    share = np.minimum(np.minimum(before, after) / reach, 1)
    return np.asarray(share * share * (3 - 2 * share))


def choose_crop(
    poses: PoseSequence, signer: PoseSequence | None, known: PicturesConfig
) -> Crop | None:
    """Return the crop to render, or None where the whole picture is as the model knows it.

    Args:
        poses: Poses in pixels of the source picture.
        signer: Key points in the source, in its pixels; None where they are unknown.
        known: What the model's training pictures were like.
    """
    # How large the signer is
    stand = stance(poses if signer is None else signer) or stance(poses)
    low, high = known.shoulders
    if stand is None or low <= 0:
        return None
    height, width = poses.size

    # The whole picture is as the model knows it
    share = stand.shoulders / width
    stretch = width / height / known.aspect
    if low / SLACK <= share <= high * SLACK and 1 / STRETCH <= stretch <= STRETCH:
        return None

    # As large as the model knows, but with all of the signer in it, and not beyond the picture
    needed = _around(poses, signer, stand.shoulders)  # (2, 2)
    reach = needed[1] - needed[0]
    side = max(stand.shoulders / math.sqrt(low * high), reach[0], reach[1] * known.aspect)
    side = min(side, max(width, height * known.aspect))
    size = np.rint([side, side / known.aspect]).astype(int)  # (x, y)

    # Neck where the model knows it, then all of the signer inside, then inside the picture
    whole = np.array([width, height])
    corner = stand.neck - np.array(known.neck) * size
    corner = np.maximum(np.minimum(corner, needed[0]), needed[1] - size)
    edge = whole - size
    corner = np.clip(np.rint(corner).astype(int), np.minimum(edge, 0), np.maximum(edge, 0))
    x, y = corner.tolist()
    crop = Crop((x, y, x + int(size[0]), y + int(size[1])), (height, width))
    return None if crop.box == (0, 0, width, height) else crop


def _around(
    poses: PoseSequence, signer: PoseSequence | None, shoulders: float
) -> NDArray[np.float64]:
    """Return the corners (2, 2) of the box around head, arms and hands, inside the picture."""
    # Leave out hips and legs
    skeleton = SKELETONS[poses.skeleton]
    above = np.ones(skeleton.num_keypoints, bool)
    for index, name in enumerate(skeleton.names):
        above[index] = not any(word in name for word in _BELOW)

    # All points of all frames
    points = [poses.keypoints[poses.visible & above]]  # (n, 2)
    if signer is not None:
        points.append(signer.keypoints[signer.visible & above])
    seen = np.concatenate(points)

    # With room for hair and fingers
    low, high = seen.min(axis=0), seen.max(axis=0)
    low -= shoulders * np.array([MARGIN, HEAD])
    high += shoulders * MARGIN
    return np.asarray(np.clip([low, high], 0, (poses.size[1], poses.size[0])))


class FramedDataset:
    """A dataset whose records are cut to what a model would render of them.

    Args:
        adapter: The dataset.
        known: What the model's training pictures were like.
    """

    def __init__(self, adapter: DatasetAdapter, known: PicturesConfig) -> None:
        self.adapter, self.known = adapter, known
        self.name, self.skeleton = adapter.name, adapter.skeleton
        self._crops: dict[tuple[str, str], Crop | None] = {}

    def crop_of(self, record: Record) -> Crop | None:
        """Return what is cut out of a record, by all its poses; None where it stays whole."""
        key = (record.split, record.id)
        if key not in self._crops:
            self._crops[key] = choose_crop(self.adapter.poses(record), None, self.known)
        return self._crops[key]

    def records(self, split: str) -> list[Record]:
        """List the records of a split, sorted by id."""
        return self.adapter.records(split)

    def pairs(self, split: str) -> list[Triplet] | None:
        """List the pairs of a split where the dataset names them, else None."""
        return self.adapter.pairs(split)

    def frame(self, ref: FrameRef) -> Frame:
        """Read the crop of one frame, (h, w, 3) uint8 RGB."""
        crop, frame = self.crop_of(ref.record), self.adapter.frame(ref)
        return frame if crop is None else crop.cut(frame)

    def pose(self, ref: FrameRef) -> PoseSequence:
        """Read the pose of one frame, (1, K) in pixels of the crop."""
        return self._placed(ref.record, self.adapter.pose(ref))

    def poses(self, record: Record) -> PoseSequence:
        """Read the poses of a record, (T, K) in pixels of the crop."""
        return self._placed(record, self.adapter.poses(record))

    def _placed(self, record: Record, poses: PoseSequence) -> PoseSequence:
        crop = self.crop_of(record)
        return poses if crop is None else crop.place(poses)

    def parts(self, ref: FrameRef) -> Parts | None:
        """Read the human parsing of the crop of one frame, or None if the record has none."""
        crop, parts = self.crop_of(ref.record), self.adapter.parts(ref)
        if crop is None or parts is None:
            return parts
        return replace(parts, labels=crop.cut(parts.labels))
