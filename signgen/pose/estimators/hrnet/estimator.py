"""HRNet in plain PyTorch: 133 points of a signer, and 21 points of a hand.

Equal to MMPose 1.1.0 with the same weights, box and flip test, without installing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from signgen.config.pose import Device
from signgen.device import choose_device
from signgen.errors import ExitCode, UserError
from signgen.pose.estimators.base import Box, Frame, Person
from signgen.pose.estimators.hrnet.boxes import crop_frame, crop_of
from signgen.pose.estimators.hrnet.decoding import decode_dark, merge_flipped
from signgen.pose.estimators.hrnet.network import (
    HAND,
    STRIDE,
    WHOLE_BODY,
    HeatmapNetwork,
    HRNetSize,
    draw_weights,
)
from signgen.pose.estimators.hrnet.weights import (
    HAND_WEIGHTS,
    WHOLE_BODY_WEIGHTS,
    Published,
    check_names,
    find_weights,
    read_weights,
)
from signgen.pose.skeleton import SKELETONS

__all__ = ["HRNetEstimator", "HandEstimator", "TopDownNetwork", "boxed_chunks", "check_batch_size"]

#: Mean and deviation of ImageNet's pictures, RGB, for values of 0 to 255.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_DEVIATION = (58.395, 57.12, 57.375)


class TopDownNetwork:
    """A heatmap network with all that lies between pixels of frames and points in them.

    Args:
        network: Predicts heatmaps; put on the device and into evaluation mode.
        input_size: (H, W) of its input.
        mirror: For each point its counterpart on the other side; None for no flip test.
        device: Where it is computed, see `choose_device`.
    """

    def __init__(
        self,
        network: nn.Module,
        input_size: tuple[int, int],
        mirror: Sequence[int] | None,
        device: Device,
    ) -> None:
        chosen = torch.device(choose_device(device))
        self.network = network.to(chosen).eval()
        self.input_size = input_size
        self.mirror = mirror
        self._mean = torch.tensor(IMAGENET_MEAN, device=chosen).view(3, 1, 1)
        self._deviation = torch.tensor(IMAGENET_DEVIATION, device=chosen).view(3, 1, 1)

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
        crops = [
            crop_of(box, (frame.shape[0], frame.shape[1]), self.input_size)
            for frame, box in zip(frames, boxes, strict=True)
        ]
        pixels = np.stack([crop_frame(frame, c) for frame, c in zip(frames, crops, strict=True)])
        with torch.inference_mode():
            cells, peaks = decode_dark(self._heatmaps(torch.from_numpy(pixels)))
        inputs = cells.cpu().numpy() * STRIDE
        points = np.stack([crop.to_frame(p) for crop, p in zip(crops, inputs, strict=True)])
        confidence = peaks.clamp(min=0).cpu().numpy()
        points[confidence == 0] = 0
        return points.astype(np.float32), confidence.astype(np.float32)

    def _heatmaps(self, pixels: Tensor) -> Tensor:
        """Map (B, H, W, 3) uint8 to (B, K, h, w)."""
        pictures = pixels.to(self._mean.device).permute(0, 3, 1, 2).float()
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
        random_seed: Draw weights instead of reading them. The points mean nothing: only to try the
            way from frames to a file without a download.

    Raises:
        UserError: If the weights are missing or of another network, or the device is not there.
    """

    def __init__(
        self,
        weights: Path | None = None,
        device: Device = "auto",
        batch_size: int = 8,
        flip_test: bool = True,
        random_seed: int | None = None,
    ) -> None:
        network, source = _network(WHOLE_BODY, WHOLE_BODY_WEIGHTS, weights, random_seed)
        mirror = SKELETONS["coco-wholebody-133"].mirror if flip_test else None
        self._network = TopDownNetwork(network, WHOLE_BODY.input_size, mirror, device)
        self._batch_size = check_batch_size(batch_size)
        self.name = f"hrnet-w48-384x288-{source}" + ("" if flip_test else "-noflip")

    def estimate(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> Iterator[Person]:
        """Estimate one clip, in order (see `PoseEstimator`).

        Raises:
            UserError: If the number of boxes is not that of the frames, or a box is empty.
        """
        for chunk in boxed_chunks(frames, boxes, self._batch_size):
            points, confidence = self._network.points(*zip(*chunk, strict=True))
            yield from zip(points, confidence, strict=True)


class HandEstimator:
    """Hand estimator: HRNetV2-W18 at 256 x 256 with DARK, trained on COCO-WholeBody-Hand.

    The network sees 1.25 times the box, black outside the picture: with the whole of a 60 x 60
    patch as the box, 75 x 75 pixels.

    Args:
        weights: As for `HRNetEstimator`.
        device: As for `HRNetEstimator`.
        batch_size: Patches computed at a time.
        flip_test: Average with the mirrored patch.
        random_seed: As for `HRNetEstimator`.

    Raises:
        UserError: If the weights are missing or of another network, or the device is not there.
    """

    def __init__(
        self,
        weights: Path | None = None,
        device: Device = "auto",
        batch_size: int = 32,
        flip_test: bool = True,
        random_seed: int | None = None,
    ) -> None:
        network, source = _network(HAND, HAND_WEIGHTS, weights, random_seed)
        # A mirrored left hand is a right hand with the same 21 points: nothing to swap.
        mirror = range(HAND.num_keypoints) if flip_test else None
        self._network = TopDownNetwork(network, HAND.input_size, mirror, device)
        self._batch_size = check_batch_size(batch_size)
        self.name = f"hrnetv2-w18-hand-256x256-{source}" + ("" if flip_test else "-noflip")

    def estimate(
        self, patches: Sequence[Frame], boxes: Sequence[Box | None] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Find the 21 points of one hand per patch.

        Args:
            patches: B pictures (H, W, 3) uint8 RGB, or one array (B, H, W, 3).
            boxes: Where the hand is in each, in its pixels; None for the whole patch.

        Returns:
            (B, 21, 2) points x, y in pixels of the patch, in the order of a hand of
            COCO-WholeBody, and (B, 21) confidence. The network always answers: a patch without a
            hand shows in low confidence alone.

        Raises:
            UserError: If the number of boxes is not that of the patches, or a box is empty.
        """
        chunks = boxed_chunks(patches, boxes, self._batch_size)
        parts = [self._network.points(*zip(*chunk, strict=True)) for chunk in chunks]
        if not parts:
            return np.zeros((0, 21, 2), np.float32), np.zeros((0, 21), np.float32)
        return np.concatenate([p for p, _ in parts]), np.concatenate([c for _, c in parts])


def check_batch_size(batch_size: int) -> int:
    """Return it; UserError (2) if it is no number of frames."""
    if batch_size < 1:
        raise UserError(f"batch size is {batch_size}; expected at least 1.", ExitCode.USAGE)
    return batch_size


def boxed_chunks(
    frames: Iterable[Frame], boxes: Sequence[Box | None] | None, batch_size: int
) -> Iterator[list[tuple[Frame, Box | None]]]:
    """Pair each frame with its box and group them; no frame is read before its group is asked for.

    Raises:
        UserError: If there are more frames than boxes, or, at the end, fewer.
    """
    given, count = iter(frames), 0
    while chunk := list(islice(given, batch_size)):
        start, count = count, count + len(chunk)
        if boxes is not None and count > len(boxes):
            raise _unpaired(len(boxes), f"at least {count}")
        places = [None] * len(chunk) if boxes is None else boxes[start:count]
        yield list(zip(chunk, places, strict=True))
    if boxes is not None and count != len(boxes):
        raise _unpaired(len(boxes), str(count))


def _unpaired(boxes: int, frames: str) -> UserError:
    return UserError(f"boxes: {boxes} boxes for {frames} frames; give one box per frame.")


def _network(
    size: HRNetSize, published: Published, weights: Path | None, random_seed: int | None
) -> tuple[HeatmapNetwork, str]:
    """Return a network with its weights, and what to call those."""
    with torch.device("meta"):
        network = HeatmapNetwork(size)
    if random_seed is None:
        read = read_weights(find_weights(weights, published))
        check_names(read, network.state_dict(), size.name)
        state, source = read.state, read.digest[:8]
    elif weights is None:
        state, source = draw_weights(network, random_seed), f"random{random_seed}"
    else:
        raise UserError(
            f"{weights}: either a file of weights or a random seed, not both.", ExitCode.USAGE
        )
    state = {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
    network.load_state_dict(state, assign=True)
    return network, source
