"""From triplets to batches: the one place where dataset pixels become tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from signgen.config import DataConfig, FPDMConfig
from signgen.data.adapter import DatasetAdapter
from signgen.data.augmentation import choose_side, flips, jitter
from signgen.data.frame_cache import FrameCache
from signgen.data.resizing import squash
from signgen.data.triplets import draw, shuffled, vary
from signgen.pose.draw import draw_pose
from signgen.pose.transforms import flip, hand_boxes, resize
from signgen.structures import Batch, ExitCode, FrameRef, PoseSequence, Triplet, UserError

Sample = dict[str, Tensor]


def to_pixels(frame: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    """Squash a (H, W, 3) uint8 RGB frame and return it as (3, *size) float32 in [-1, 1]."""
    # In place: fresh memory for each step costs more than the arithmetic.
    pixels = torch.from_numpy(squash(frame, size).copy()).permute(2, 0, 1).float()
    return pixels.div_(127.5).sub_(1)


def hand_mask(boxes: Sequence[tuple[float, float, float, float]], size: tuple[int, int]) -> Tensor:
    """Return (1, H, W) float32, 1 inside the boxes (x0, y0, x1, y1) in pixels."""
    mask = torch.zeros(1, *size)
    for x0, y0, x1, y1 in boxes:
        mask[
            :,
            max(0, int(y0)) : max(0, int(np.ceil(y1))),
            max(0, int(x0)) : max(0, int(np.ceil(x1))),
        ] = 1
    return mask


class TripletDataset(Dataset[Sample]):
    """Training examples by position; every item is a pure function of (seed, position).

    Args:
        adapter: Where frames and poses come from.
        config: Split and rates.
        model: Size, skeleton and pose style the model wants.
        seed: Seed of the run.

    Raises:
        UserError: If the skeletons disagree, a rate is out of range, or the frame cache holds other
            data or another size.
    """

    def __init__(
        self, adapter: DatasetAdapter, config: DataConfig, model: FPDMConfig, seed: int
    ) -> None:
        if adapter.skeleton != model.skeleton:
            raise UserError(
                f"dataset {adapter.name} has poses of skeleton {adapter.skeleton}; "
                f"the model reads {model.skeleton}."
            )
        _check_rates(config)
        self.adapter, self.config, self.model, self.seed = adapter, config, model, seed
        self.records = adapter.records(config.split)
        self.pairs = adapter.pairs(config.split)
        self._frames: dict[FrameRef, NDArray[np.uint8]] = {}
        self._cached = FrameCache.open(config.frame_cache) if config.frame_cache else None
        if self._cached is not None:
            self._cached.check(adapter, config.split, model.size)

    def __getitem__(self, position: int) -> Sample:
        """Return example `position`: the fields of `Batch` without the batch axis."""
        triplet = self.triplet(position)
        size = self.model.size
        flipped = flips(self.seed, position, self.config.flip_rate)
        poses = self._pose(triplet.target, position)
        poses = flip(poses) if flipped else poses
        keypoints, confidence = poses.keypoints[0], poses.confidence[0]
        drawn = draw_pose(keypoints, confidence, poses.skeleton, size, self.model.pose_style)
        step = -1 if flipped else 1
        return {
            "source": to_pixels(self._source(triplet.source, position)[:, ::step], size),
            "target": to_pixels(self._frame(triplet.target)[:, ::step], size),
            "pose": torch.from_numpy(drawn.copy()).permute(2, 0, 1).float().div_(255),
            "hands": hand_mask(hand_boxes(keypoints, confidence), size),
        }

    def triplet(self, position: int) -> Triplet:
        """Return source and target of example `position`."""
        count = self.config.pairs if self.pairs is None else len(self.pairs)
        index = shuffled(count, self.seed, position) if count else position
        rate = self.config.identity_rate
        if self.pairs is None:
            return draw(self.records, self.seed, index, rate, self.config.min_distance)
        return vary(self.pairs[index], self.seed, position, rate)

    def _pose(self, ref: FrameRef, position: int) -> PoseSequence:
        """Return the pose of a frame at the model's size, jittered as example `position`."""
        poses = self.adapter.pose(ref.record).frames(slice(ref.index, ref.index + 1))
        poses = resize(poses, self.model.size)
        deviation = self.config.jitter
        return jitter(poses, self.seed, position, deviation) if deviation else poses

    def _source(self, ref: FrameRef, position: int) -> NDArray[np.uint8]:
        """Return a source at the model's size, as coarse as example `position` has it."""
        frame = self._frame(ref)
        side = choose_side(self.config.source_sides, self.seed, position)
        # Differs from FPDM: the coarse square goes back to the model's size, because a batch holds
        # sources of one size; squares that hold all of the frame leave it as it is.
        if side is None or side >= max(frame.shape[:2]):
            return frame
        return squash(squash(frame, (side, side)), self.model.size)

    def _frame(self, ref: FrameRef) -> NDArray[np.uint8]:
        """Return a frame at the model's size, from the cache or from memory where it is there."""
        if self._cached is not None:
            return self._cached.frame(ref.record.id, ref.record.split, ref.index)
        if ref in self._frames:
            return self._frames[ref]
        frame = squash(self.adapter.frame(ref), self.model.size)
        if self.config.cache:
            self._frames[ref] = frame
        return frame


def _check_rates(config: DataConfig) -> None:
    problem = ""
    if not 0 <= config.flip_rate <= 1:
        problem = f"flip_rate is {config.flip_rate}; expected a probability, 0 to 1"
    elif config.jitter < 0:
        problem = f"jitter is {config.jitter}; expected 0 or more pixels"
    elif any(side < 1 for side in config.source_sides):
        problem = f"source_sides is {list(config.source_sides)}; expected sides of at least 1 pixel"
    if problem:
        raise UserError(f"data: {problem}.", ExitCode.USAGE)


def batches(
    dataset: TripletDataset,
    *,
    start: int,
    steps: int,
    batch_size: int,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """Iterate over the batches of steps `start` .. `steps` - 1 of one process.

    Args:
        dataset: The examples.
        start: First step, the number of steps already done.
        steps: Steps in all.
        batch_size: Examples per step and process.
        rank: Number of this process.
        world: Number of processes.

    Yields:
        Batches of `batch_size` examples; step `s` of rank `r` holds positions (s * world + r) *
        batch_size ...
    """
    positions = [
        (step * world + rank) * batch_size + i
        for step in range(start, steps)
        for i in range(batch_size)
    ]
    workers = dataset.config.workers
    if workers:
        # OpenCV's pool of threads does not survive a fork: a loader process would wait for it
        # forever. With one thread there is no pool.
        cv2.setNumThreads(1)
    loader: DataLoader[Sample] = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=positions,
        num_workers=workers,
        worker_init_fn=_one_thread if workers else None,
        persistent_workers=False,
    )
    for sample in loader:
        yield Batch(**sample)


def _one_thread(_: int) -> None:
    """Keep a loader process on one core: the arithmetic belongs to the training process."""
    torch.set_num_threads(1)
