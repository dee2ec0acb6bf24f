"""Change the size, side and steadiness of pose sequences, and find the hands in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signgen.pose.skeleton import HAND_ROOT, SKELETONS
from signgen.structures import PoseSequence

__all__ = ["fill_missing", "fit_to_source", "flip", "hand_boxes", "resize", "smooth"]

_HAND_POINTS = 21
_MIN_HAND_POINTS = 5


def resize(poses: PoseSequence, size: tuple[int, int]) -> PoseSequence:
    """Scale to another frame size, each axis on its own, as a picture is squashed.

    Args:
        poses: The sequence.
        size: New (H, W), both positive.

    Returns:
        The sequence in pixels of `size`; pixel edges map to pixel edges (x' = x * W' / W).

    Raises:
        ValueError: If a size is not positive.
    """
    _check_size(size)
    scale = (size[1] / poses.size[1], size[0] / poses.size[0])
    return _mapped(poses, scale, (0.0, 0.0), size)


def fit_to_source(poses: PoseSequence, size: tuple[int, int]) -> PoseSequence:
    """Scale to the source's frame with one factor, centred, so that proportions stay.

    Both axes are scaled by min(H' / H, W' / W). Points that lay outside their frame still lie
    outside or in the margin. With equal aspect ratios it equals `resize`.

    Args:
        poses: The sequence.
        size: (H, W) of the source, both positive.

    Returns:
        The sequence in pixels of `size`.

    Raises:
        ValueError: If a size is not positive.
    """
    _check_size(size)
    scale = min(size[0] / poses.size[0], size[1] / poses.size[1])
    offset = ((size[1] - scale * poses.size[1]) / 2, (size[0] - scale * poses.size[0]) / 2)
    return _mapped(poses, (scale, scale), offset, size)


def flip(poses: PoseSequence) -> PoseSequence:
    """Mirror left and right, as a picture is mirrored: the left hand becomes the right one.

    Args:
        poses: The sequence.

    Returns:
        The sequence with x' = W - x (pixel edges map to pixel edges, as in `resize`) and every
        point in the place of its mirror point; missing points stay missing.
    """
    order = list(SKELETONS[poses.skeleton].mirror)
    visible = poses.visible[:, order, None]
    points = poses.keypoints[:, order].astype(np.float64) * (-1, 1) + (poses.size[1], 0)
    shown = np.where(visible, points, 0).astype(np.float32)
    return replace(poses, keypoints=shown, confidence=poses.confidence[:, order])


def _check_size(size: tuple[int, int]) -> None:
    if min(size) < 1:
        raise ValueError(f"size is {size}; expected a positive height and width")


def _mapped(
    poses: PoseSequence,
    scale: tuple[float, float],
    offset: tuple[float, float],
    size: tuple[int, int],
) -> PoseSequence:
    points = poses.keypoints.astype(np.float64) * scale + offset
    shown = np.where(poses.visible[..., None], points, 0)
    return replace(poses, keypoints=shown.astype(np.float32), size=size)


def smooth(poses: PoseSequence, sigma: float = 1.0) -> PoseSequence:
    """Smooth each point over time with a Gaussian, over visible frames only.

    Args:
        poses: The sequence.
        sigma: Standard deviation in frames; 0 changes nothing.

    Returns:
        The sequence; confidences and missing points stay as they are. The window does not reach
        over a gap's value, but it does reach over the gap.

    Raises:
        ValueError: If `sigma` is negative.
    """
    if sigma < 0:
        raise ValueError(f"sigma is {sigma}; expected 0 or more")
    radius = int(np.ceil(3 * sigma))
    if radius == 0:
        return poses
    weights = poses.visible.astype(np.float64)[..., None]  # (T, K, 1)
    values = poses.keypoints * weights
    total, mass = np.zeros_like(values), np.zeros_like(weights)
    frames = len(poses)
    for shift in range(-min(radius, frames - 1), min(radius, frames - 1) + 1):
        factor = float(np.exp(-0.5 * (shift / sigma) ** 2))
        to = slice(max(0, -shift), frames - max(0, shift))
        come = slice(max(0, shift), frames - max(0, -shift))
        total[to] += factor * values[come]
        mass[to] += factor * weights[come]
    points = np.where(weights > 0, total / np.maximum(mass, 1e-12), 0)
    return replace(poses, keypoints=points.astype(np.float32))


def fill_missing(poses: PoseSequence, max_gap: int) -> PoseSequence:
    """Fill gaps of a point in time by straight lines between the frames before and after.

    Args:
        poses: The sequence.
        max_gap: Longest gap in frames that is filled, 0 or more; gaps at the ends are never filled.

    Returns:
        The sequence; a filled point gets the lower of the two confidences.

    Raises:
        ValueError: If `max_gap` is negative.
    """
    if max_gap < 0:
        raise ValueError(f"max_gap is {max_gap}; expected 0 or more")
    points, confidence = poses.keypoints.copy(), poses.confidence.copy()
    for k in range(points.shape[1]):
        seen = np.flatnonzero(poses.visible[:, k])
        for before, after in zip(seen[:-1].tolist(), seen[1:].tolist(), strict=True):
            if 1 < after - before <= max_gap + 1:
                share = np.linspace(0, 1, after - before + 1)[1:-1, None]
                points[before + 1 : after, k] = (
                    points[before, k] * (1 - share) + points[after, k] * share
                )
                confidence[before + 1 : after, k] = min(confidence[before, k], confidence[after, k])
    return replace(poses, keypoints=points, confidence=confidence)


def hand_boxes(
    keypoints: ArrayLike, confidence: ArrayLike, margin: float = 0.25
) -> list[tuple[float, float, float, float]]:
    """Return a box around each visible hand of one pose.

    Args:
        keypoints: (133, 2), (x, y) in pixels; other skeletons have no hands and give no boxes.
        confidence: (133,), 0 means missing.
        margin: Added on every side, as a share of the longer side of the points' extent, 0 or more.

    Returns:
        Boxes (x0, y0, x1, y1) in pixels, not cut to the frame, left hand first; only hands of at
        least five points.
    """
    points: NDArray[np.float64] = np.asarray(keypoints, dtype=np.float64)
    visible = np.asarray(confidence) > 0
    boxes = []
    for root in HAND_ROOT.values():
        hand = points[root : root + _HAND_POINTS][visible[root : root + _HAND_POINTS]]
        if len(hand) < _MIN_HAND_POINTS:
            continue
        low, high = hand.min(axis=0), hand.max(axis=0)
        reach = margin * float((high - low).max())
        x0, y0 = (low - reach).tolist()
        x1, y1 = (high + reach).tolist()
        boxes.append((x0, y0, x1, y1))
    return boxes
