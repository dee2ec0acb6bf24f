"""HRNet in plain PyTorch: 133 points of a signer, and 21 points of a hand.

Equal to MMPose 1.1.0 with the same weights, box and flip test, without installing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor, nn

from signgen.config.pose import Device
from signgen.device import choose_device
from signgen.files.published_weights import Published
from signgen.pose.estimators.base import Box, Frame, Person
from signgen.pose.estimators.hrnet.boxes import PADDING, boxed_chunks, crop_frame, crop_of
from signgen.pose.estimators.hrnet.decoding import decode_dark, merge_flipped
from signgen.pose.estimators.hrnet.network import (
    HAND,
    STRIDE,
    WHOLE_BODY,
    HeatmapNetwork,
    HRNetSize,
)
from signgen.pose.estimators.hrnet.weights import HAND_WEIGHTS, WHOLE_BODY_WEIGHTS, weights_for
from signgen.pose.skeleton import COCO_WHOLEBODY, HAND_POINTS, SKELETONS

__all__ = ["WHOLE_PATCH", "HRNetEstimator", "HandEstimator", "TopDownNetwork"]

#: Mean and deviation of ImageNet's pictures, RGB, for values of 0 to 255.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_DEVIATION = (58.395, 57.12, 57.375)

_MARGIN = HAND.input_size[0] / 2 * (1 - 1 / PADDING)
WHOLE_PATCH: Box = (
    *(_MARGIN, _MARGIN),
    *(HAND.input_size[1] - _MARGIN, HAND.input_size[0] - _MARGIN),
)
"""The box in which the hand's network sees exactly a patch of its input's size."""


class TopDownNetwork:
    """A heatmap network with all that lies between pixels of frames and points in them.

    Args:
        network: Predicts heatmaps; put on the device and into evaluation mode.
        input_size: (H, W) of its input.
        mirror: For each point its counterpart on the other side; None for no flip test.
        device: Where it is computed, see `choose_device`.
        batch_size: Frames computed at a time; changes speed and memory, not the result.
    """

    def __init__(
        self,
        network: nn.Module,
        input_size: tuple[int, int],
        mirror: Sequence[int] | None,
        device: Device,
        batch_size: int = 8,
    ) -> None:
        chosen = torch.device(choose_device(device))
        self.network = network.to(chosen).eval()
        self.input_size, self.mirror, self.batch_size = input_size, mirror, batch_size
        self._mean = torch.tensor(IMAGENET_MEAN, device=chosen).view(3, 1, 1)
        self._deviation = torch.tensor(IMAGENET_DEVIATION, device=chosen).view(3, 1, 1)

    def batches(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield what `points` finds in each batch of frames, with one box per frame or none."""
        for chunk in boxed_chunks(frames, boxes, self.batch_size):
            yield self.points(*zip(*chunk, strict=True))

    def points(
        self, frames: Sequence[Frame], boxes: Sequence[Box | None]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Find the points in one box of each frame, all at once.

        Args:
            frames: B frames.
            boxes: Where to look in each; None for the whole frame.

        Returns:
            (B, K, 2) points in pixels of the frame and (B, K) confidence: the maximum of the
            heatmap, which can exceed 1; where it is not above 0, point and confidence are 0.
        """
        # Cut the boxes out
        crops = [
            crop_of(box, (frame.shape[0], frame.shape[1]), self.input_size)
            for frame, box in zip(frames, boxes, strict=True)
        ]
        pixels = np.stack([crop_frame(frame, c) for frame, c in zip(frames, crops, strict=True)])
        # Predict heatmaps and find their peaks
        with torch.inference_mode():
            cells, peaks = decode_dark(self._heatmaps(torch.from_numpy(pixels)))
        # Bring the peaks back to the frames
        inputs = cells.cpu().numpy() * STRIDE  # (B, K, 2)
        points = np.stack([crop.to_frame(p) for crop, p in zip(crops, inputs, strict=True)])
        confidence = peaks.clamp(min=0).cpu().numpy()
        points[confidence == 0] = 0
        return points.astype(np.float32), confidence.astype(np.float32)

    def _heatmaps(self, pixels: Tensor) -> Tensor:
        """Map (B, H, W, 3) uint8 to (B, K, h, w)."""
        pictures = rearrange(pixels.to(self._mean.device), "b h w c -> b c h w").float()
        pictures = (pictures - self._mean) / self._deviation
        heatmaps: Tensor = self.network(pictures)
        if self.mirror is None:
            return heatmaps
        return merge_flipped(heatmaps, self.network(pictures.flip(-1)), self.mirror)


class HRNetEstimator:
    """Whole-body estimator: HRNet-W48 at 384 x 288 with DARK, as MSKA and FPDM used it.

    Args:
        weights: A `.pth` or `.safetensors` file; None looks for the published one in the caches of
            torch and Hugging Face.
        device: `auto` is the GPU where there is one.
        batch_size: Frames computed at a time; changes speed and memory, not the result.
        flip_test: Average with the mirrored frame: better points at twice the time.
    """

    def __init__(
        self,
        weights: Path | None = None,
        device: Device = "auto",
        batch_size: int = 8,
        flip_test: bool = True,
    ) -> None:
        network, source = _network(WHOLE_BODY, weights, WHOLE_BODY_WEIGHTS)
        mirror = SKELETONS[COCO_WHOLEBODY].mirror if flip_test else None
        self._network = TopDownNetwork(network, WHOLE_BODY.input_size, mirror, device, batch_size)
        self.name = f"hrnet-w48-384x288-{source}" + ("" if flip_test else "-noflip")

    def estimate(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> Iterator[Person]:
        """Estimate one clip, in order (see `PoseEstimator`)."""
        for points, confidence in self._network.batches(frames, boxes):
            yield from zip(points, confidence, strict=True)


class HandEstimator:
    """Hand estimator: HRNetV2-W18 at 256 x 256 with DARK, trained on COCO-WholeBody-Hand.

    The network sees 1.25 times the box, black outside the picture: with the whole of a 60 x 60
    patch as the box, 75 x 75 pixels. It always answers: what is no hand shows in low confidence
    alone. The arguments are those of `HRNetEstimator`.
    """

    def __init__(
        self,
        weights: Path | None = None,
        device: Device = "auto",
        batch_size: int = 32,
        flip_test: bool = True,
    ) -> None:
        network, source = _network(HAND, weights, HAND_WEIGHTS)
        # A mirrored left hand is a right hand with the same 21 points: nothing to swap.
        mirror = range(HAND_POINTS) if flip_test else None
        self._network = TopDownNetwork(network, HAND.input_size, mirror, device, batch_size)
        self.name = f"hrnetv2-w18-hand-256x256-{source}" + ("" if flip_test else "-noflip")

    def estimate(
        self, patches: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Find the 21 points of one hand per patch.

        Args:
            patches: B pictures (H, W, 3) uint8 RGB.
            boxes: Where the hand is in each, in its pixels; None for the whole patch.

        Returns:
            (B, 21, 2) points x, y in pixels of the patch, in the order of a hand of
            COCO-WholeBody, and (B, 21) confidence.
        """
        none = np.zeros((0, HAND_POINTS, 2), np.float32), np.zeros((0, HAND_POINTS), np.float32)
        points, confidence = zip(none, *self._network.batches(patches, boxes), strict=True)
        return np.concatenate(points), np.concatenate(confidence)

    def find(self, patches: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Find the points on whole patches and nothing beside them, as a `HandPatchEstimator`."""
        points, confidence = self.estimate(patches, [WHOLE_PATCH] * len(patches))
        found = np.asarray((confidence > 0).all(axis=1), np.bool_)
        points[~found] = 0
        return points, found


def _network(
    size: HRNetSize, weights: Path | None, published: Published
) -> tuple[HeatmapNetwork, str]:
    """Return a network with its weights, and what to call those."""
    with torch.device("meta"):
        network = HeatmapNetwork(size)
    read = weights_for(network, size.name, weights, published)
    state = {name: t.float() if t.is_floating_point() else t for name, t in read.state.items()}
    network.load_state_dict(state, assign=True)
    return network, read.digest[:8]
