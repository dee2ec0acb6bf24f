"""Change the size, side and steadiness of pose sequences, and find the hands in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signgen.pose.skeleton import HAND_POINTS, HAND_ROOT, SKELETONS
from signgen.structures import PoseSequence

__all__ = [
    "crop",
    "face_boxes",
    "fill_missing",
    "fit_scale",
    "fit_to_source",
    "flip",
    "hand_boxes",
    "resize",
    "smooth_one_euro",
    "with_points",
]

_MIN_POINTS = 5


def with_points(
    poses: PoseSequence, points: NDArray[np.floating], size: tuple[int, int] | None = None
) -> PoseSequence:
    """Return the sequence at other (T, K, 2) points, and in a frame of another size (H, W).

    Missing points stay missing.
    """
    present = np.where(poses.visible[..., None], points, 0)
    kept = present.astype(poses.keypoints.dtype)  # 32 bits stay 32, and 64 stay 64
    return replace(poses, keypoints=kept, size=size or poses.size)


def resize(poses: PoseSequence, size: tuple[int, int]) -> PoseSequence:
    """Scale to another frame size (H, W), each axis on its own, as a picture is squashed.

    Pixel edges map to pixel edges (x' = x * W' / W). A sequence of that size is returned as it is.
    """
    _check_size(size)
    if tuple(size) == tuple(poses.size):
        return poses
    scale = (size[1] / poses.size[1], size[0] / poses.size[0])
    return with_points(poses, poses.keypoints.astype(np.float64) * scale, size)


def fit_to_source(poses: PoseSequence, size: tuple[int, int]) -> PoseSequence:
    """Scale to the source's frame (H, W) with one factor, centred, so that proportions stay.

    Both axes are scaled by min(H' / H, W' / W). Points that lay outside their frame still lie
    outside or in the margin. With equal aspect ratios it equals `resize`. A sequence of that size
    is returned as it is.
    """
    _check_size(size)
    if tuple(size) == tuple(poses.size):
        return poses
    scale = fit_scale(poses.size, size)
    offset = ((size[1] - scale * poses.size[1]) / 2, (size[0] - scale * poses.size[0]) / 2)
    return with_points(poses, poses.keypoints.astype(np.float64) * scale + offset, size)


def fit_scale(size: tuple[int, int], into: tuple[int, int]) -> float:
    """Return the factor with which a frame of `size` (H, W) fits `into` another (H, W)."""
    return min(into[0] / size[0], into[1] / size[1])


def _check_size(size: tuple[int, int]) -> None:
    if min(size) < 1:
        raise ValueError(f"size is {size}; expected a positive height and width")


def crop(poses: PoseSequence, box: tuple[int, int, int, int]) -> PoseSequence:
    """Cut a box out of the frame, as a picture is cropped.

    Points outside the box stay, at coordinates outside the new frame. A box that reaches over the
    frame pads it.

    Args:
        poses: The sequence.
        box: (x0, y0, x1, y1) in pixels, the far edges not included, x0 < x1 and y0 < y1, which
            become x' = x - x0 and the size (y1 - y0, x1 - x0).
    """
    x0, y0, x1, y1 = box
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"box is {box}; expected x0 < x1 and y0 < y1")
    return with_points(poses, poses.keypoints.astype(np.float64) - (x0, y0), (y1 - y0, x1 - x0))


def flip(poses: PoseSequence, *, official: bool = False) -> PoseSequence:
    """Mirror left and right, as a picture is mirrored: the left hand becomes the right one.

    A pixel's centre has whole-numbered coordinates wherever poses meet pixels (`draw_pose`, OpenCV,
    COCO), so that the mirror image of column x is column W - 1 - x, and drawing the flipped pose
    mirrors the drawing. Flipping twice gives the same poses; coordinates that float32 cannot hold
    at both ends of the frame agree to 1e-4 pixels.

    Args:
        poses: The sequence.
        official: Put column x at W - x, as FPDM's program does, a pixel beside the mirror image.
    """
    last = poses.size[1] - (not official)
    swapped = list(SKELETONS[poses.skeleton].mirror)
    points = poses.keypoints[:, swapped]
    mirrored = np.stack([last - points[..., 0], points[..., 1]], axis=-1)  # (T, K, 2)
    return with_points(replace(poses, confidence=poses.confidence[:, swapped]), mirrored)


def smooth_one_euro(
    poses: PoseSequence, min_cutoff: float = 1.5, beta: float = 8.0, d_cutoff: float = 1.0
) -> PoseSequence:
    """Smooth each point over time with the One-Euro filter: calm at rest, quick in fast movement.

    A low-pass filter whose cutoff grows with the speed of the point (Casiez, Roussel and Vogel
    2012, "1 Euro Filter"): cutoff = min_cutoff + beta * speed. Speed is the length of the velocity,
    low-passed at `d_cutoff`, in longer frame sides per second, so that resizing changes nothing.
    It is causal: a frame depends on itself and earlier ones only, and lags behind where a
    symmetric window looks ahead. A gap resets the filter of its point.

    Args:
        poses: The sequence.
        min_cutoff: Cutoff of a point at rest in Hz, above 0; lower is calmer.
        beta: Hz per frame side and second, 0 or more; higher lags less in fast movement.
        d_cutoff: Cutoff of the velocity in Hz, above 0.
    """
    visible, side = poses.visible, max(poses.size)
    raw = poses.keypoints.astype(np.float64) / side
    calm = raw.copy()
    velocity = np.zeros(raw.shape[1:])
    follow_velocity = _follow(np.float64(d_cutoff), poses.fps)
    for t in range(1, len(poses)):
        runs_on = (visible[t] & visible[t - 1])[:, None]
        change = (raw[t] - raw[t - 1]) * poses.fps
        velocity = np.where(runs_on, velocity + follow_velocity * (change - velocity), 0)
        speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
        follow = _follow(min_cutoff + beta * speed, poses.fps)
        calm[t] = np.where(runs_on, calm[t - 1] + follow * (raw[t] - calm[t - 1]), raw[t])
    return with_points(poses, calm * side)


def _follow(cutoff: NDArray[np.float64] | np.float64, fps: float) -> NDArray[np.float64]:
    """Return the share of the way to a new value that a low-pass filter goes in one frame."""
    return np.asarray(1 / (1 + fps / (2 * np.pi * cutoff)), dtype=np.float64)


def fill_missing(poses: PoseSequence, max_gap: int) -> PoseSequence:
    """Fill gaps of a point in time by straight lines between the frames before and after.

    A filled point gets the lower of the two confidences; gaps at the ends are never filled.

    Args:
        poses: The sequence.
        max_gap: Longest gap in frames that is filled, 0 or more.
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
    hands = (slice(root, root + HAND_POINTS) for root in HAND_ROOT.values())
    return _boxes(hands, keypoints, confidence, margin)


def face_boxes(
    keypoints: ArrayLike, confidence: ArrayLike, margin: float = 0.25
) -> list[tuple[float, float, float, float]]:
    """Return a box around the face of one pose, or none; arguments and boxes as `hand_boxes`."""
    face = SKELETONS["coco-wholebody-133"].face
    return _boxes([slice(*face)], keypoints, confidence, margin)


def _boxes(
    parts: Iterable[slice], keypoints: ArrayLike, confidence: ArrayLike, margin: float
) -> list[tuple[float, float, float, float]]:
    points: NDArray[np.float64] = np.asarray(keypoints, dtype=np.float64)
    visible = np.asarray(confidence) > 0
    boxes = []
    for part in parts:
        seen = points[part][visible[part]]
        if len(seen) < _MIN_POINTS:
            continue
        low, high = seen.min(axis=0), seen.max(axis=0)
        reach = margin * float((high - low).max())
        x0, y0 = (low - reach).tolist()
        x1, y1 = (high + reach).tolist()
        boxes.append((x0, y0, x1, y1))
    return boxes
