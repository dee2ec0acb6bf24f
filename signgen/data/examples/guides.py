"""Guides: the source moved to the target's pose, as tensors, and kept for the next time."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from signgen.data.adapter import DatasetAdapter
from signgen.files.writing import make_folder, save_bytes
from signgen.pose.transforms import resize
from signgen.pose.warping import Warped, WarpSource, prepare_source, warp
from signgen.structures import FrameRef, Guide, PoseSequence, Triplet

__all__ = ["GuideMaker", "guide_of", "to_pixels", "unknown_guide"]

PREPARED = 256
"""Sources kept that are taken apart, about a megabyte each."""


def to_pixels(frame: NDArray[np.uint8]) -> Tensor:
    """Return a (H, W, 3) uint8 RGB frame as (3, H, W) float32 in [-1, 1]."""
    # In place: fresh memory for each step costs more than the arithmetic.
    pixels = rearrange(torch.from_numpy(frame.copy()), "h w c -> c h w").float()
    return pixels.div_(127.5).sub_(1)


def guide_of(source: NDArray[np.uint8], warped: Warped) -> Guide:
    """Return the guide (B = 1) of a source picture (H, W, 3) that was moved to one pose."""
    maps = warped.maps
    masks = np.stack([maps.holes, maps.pasted, maps.valid.astype(np.float32)])
    return Guide(
        warped=to_pixels(warped.picture)[None],
        source=to_pixels(source)[None],
        moved=torch.from_numpy(maps.moved)[None, None],
        masks=torch.from_numpy(masks)[None],
    )


def unknown_guide(source: NDArray[np.uint8]) -> Guide:
    """Return the guide of a source (H, W, 3) whose key points are unknown: anything may move."""
    pixels = to_pixels(source)[None]
    plane = torch.zeros_like(pixels[:, :1])
    return Guide(pixels, pixels, plane + 1, plane.expand(-1, 3, -1, -1))


class GuideMaker:
    """Makes the guides of training examples, at the size of the model.

    Every source is taken apart once as long as it is remembered, every pair is moved once where
    there is a folder to keep it in.

    Args:
        adapter: Where key points come from.
        size: (H, W) of the model's pictures.
        folder: Folder that keeps what was moved; created with the first guide. None keeps nothing.
    """

    def __init__(
        self, adapter: DatasetAdapter, size: tuple[int, int], folder: Path | None = None
    ) -> None:
        self.adapter, self.size, self.folder = adapter, size, folder
        self._prepared: OrderedDict[FrameRef, WarpSource] = OrderedDict()

    def make(self, triplet: Triplet, source: NDArray[np.uint8]) -> Guide:
        """Return the guide (B = 1) of an example.

        Args:
            triplet: Source and target.
            source: (H, W, 3) the source frame at the model's size.
        """
        poses = [
            resize(self.adapter.pose(ref), self.size) for ref in (triplet.source, triplet.target)
        ]
        kept = None if self.folder is None else self._kept(triplet, source, poses)
        if kept is None or not kept.is_file():
            planes = self._planes(triplet.source, source, poses)
            if kept is not None:
                make_folder(kept.parent)
                packed = io.BytesIO()
                np.savez_compressed(packed, planes=planes)
                save_bytes(kept, packed.getvalue())
        else:
            with np.load(kept, allow_pickle=False) as stored:
                planes = stored["planes"]
        masks = rearrange(torch.from_numpy(planes[..., 3:].copy()), "h w c -> 1 c h w") / 255
        return Guide(
            warped=to_pixels(planes[..., :3])[None],
            source=to_pixels(source)[None],
            moved=masks[:, :1],
            masks=masks[:, 1:],
        )

    def _planes(
        self, ref: FrameRef, source: NDArray[np.uint8], poses: list[PoseSequence]
    ) -> NDArray[np.uint8]:
        """Move a source; return (H, W, 7) uint8: RGB, what moved, and the masks of a `Guide`."""
        before, after = poses
        if ref not in self._prepared:
            self._prepared[ref] = prepare_source(
                source, before.keypoints[0], before.confidence[0], skeleton=before.skeleton
            )
            if len(self._prepared) > PREPARED:
                self._prepared.popitem(last=False)
        warped = warp(self._prepared[ref], after.keypoints[0], after.confidence[0])
        maps = warped.maps
        masks = np.stack([maps.moved, maps.holes, maps.pasted, maps.valid], axis=-1)
        # What moved a little counts as moved: rounded down, it would be the source's own.
        return np.concatenate([warped.picture, np.ceil(masks * 255).astype(np.uint8)], axis=-1)

    def _kept(self, triplet: Triplet, source: NDArray[np.uint8], poses: list[PoseSequence]) -> Path:
        """Return the file of a pair; another picture or other key points have another one."""
        assert self.folder is not None
        digest = hashlib.sha256(source.tobytes())
        for pose in poses:
            digest.update(pose.keypoints.tobytes() + pose.confidence.tobytes())
        record = triplet.source.record
        name = f"{triplet.source.index}-{triplet.target.index}-{digest.hexdigest()[:16]}.npz"
        return self.folder / record.split / record.id / name
