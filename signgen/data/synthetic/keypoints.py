"""The 133 key points of COCO-WholeBody, exact, from a posed body."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from torch import Tensor

from signgen.data.synthetic.body import Body, Posed
from signgen.pose.skeleton import SIDES

__all__ = ["FACE_VERTICES", "body_keypoints", "picture_keypoints"]

#: Vertices of the 68 face points (iBUG order). MediaPipe's face mesh was found on rendered neutral
#: faces of five shapes, seen from the front and 12 degrees from either side, and cast back to the
#: mesh; both halves were averaged, lids and inner lips moved to the vertices that blink and part.
FACE_VERTICES = (
    *(267, 5201, 5092, 5238, 5241, 5240, 5298, 5223, 5225),
    *(11833, 11903, 11849, 11850, 11847, 11707, 11812, 7036),
    *(212, 207, 206, 205, 208, 6983, 6980, 6981, 6982, 6987),
    *(132, 131, 201, 294, 319, 275, 302, 7044, 7081),
    *(24, 6, 4865, 69, 1071, 6776, 6853, 11483, 6790, 6808, 13372, 7763),
    *(3735, 413, 457, 466, 7216, 7173, 10403, 7232, 7245, 496, 490, 477),
    *(416, 515, 474, 7262, 7176, 7280, 493, 535),
)
_EARS = (12336, 5739)  # left, right: in front of the ear hole
_HEELS = (12910, 6313)
_EYES = (range(42, 48), range(36, 42))
"""Face points around the left and the right eye."""
_NOSE_TIP = 30
# Where bones begin, for shoulders to ankles, both sides of each
_JOINTS = ("upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot")
_TOES = ("toe1-2", "toe5-3")
# How far joints lie below the skin and its garment, metres: nose, eyes, ears, shoulders to ankles,
# feet, face, and for each hand the wrist, four points of the thumb and of each finger.
_HAND_BELOW = (0.05, 0.03, 0.025, 0.02, 0.016, *(0.028, 0.02, 0.018, 0.015) * 4)
_BELOW = (
    *(0.015, 0.02, 0.02, 0.03, 0.03),
    *(below for joint in (0.14, 0.08, 0.05, 0.22, 0.12, 0.08) for below in (joint, joint)),
    *(0.06,) * 6,
    *(0.015,) * 68,
    *_HAND_BELOW * 2,
)
_OCCLUDED = 0.6


def body_keypoints(body: Body, posed: Posed) -> Tensor:
    """Key points in space.

    Joints are where bones begin, tips of fingers and toes where they end, the face and the heels
    vertices of the skin; eyes are in the middle of their lids.

    Args:
        body: The body.
        posed: T frames of it.

    Returns:
        (T, 133, 3) metres, order `signgen.pose.skeleton.COCO_WHOLEBODY`.
    """
    face = posed.vertices[:, list(FACE_VERTICES)]  # (T, 68, 3)
    eyes = torch.stack([face[:, list(eye)].mean(dim=1) for eye in _EYES], dim=1)
    joints = posed.heads[:, [body.bone(f"{name}.{s}") for name in _JOINTS for s in "LR"]]
    # Toes and heels, left foot first
    toes = posed.tails[:, [body.bone(f"{name}.{s}") for s in "LR" for name in _TOES]]
    heels = posed.vertices[:, list(_HEELS)]
    feet = torch.stack(
        [toes[:, 0], toes[:, 1], heels[:, 0], toes[:, 2], toes[:, 3], heels[:, 1]], 1
    )
    hands = [_hand(body, posed, side[0].upper()) for side in SIDES]
    parts = (face[:, [_NOSE_TIP]], eyes, posed.vertices[:, list(_EARS)], joints, feet, face, *hands)
    return torch.cat(parts, dim=1)


def _hand(body: Body, posed: Posed, end: str) -> Tensor:
    """The 21 points of one hand (T, 21, 3): wrist, then each digit from the palm to its tip."""
    points = [posed.heads[:, body.bone(f"wrist.{end}")]]
    for digit in range(1, 6):
        points += [posed.heads[:, body.bone(f"finger{digit}-{joint}.{end}")] for joint in (1, 2, 3)]
        points.append(posed.tails[:, body.bone(f"finger{digit}-3.{end}")])
    return torch.stack(points, dim=1)


def picture_keypoints(
    pixels: NDArray[np.float64], distances: NDArray[np.float64], depth: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Key points of a clip and how sure they are.

    Args:
        pixels: (T, 133, 2) where they fall in the pictures, (x, y); pixel centres at whole numbers.
        distances: (T, 133) metres from the camera, along its axis.
        depth: (T, H, W) what is seen at each pixel, the same way; infinite where nothing is.

    Returns:
        Key points (T, 133, 2), 0 where missing, and confidence (T, 133): 1 seen, 0.6 hidden by
        something, 0 outside the picture.
    """
    height, width = depth.shape[1:]
    limits = np.array([width, height]) - 0.5
    inside = np.all((pixels >= -0.5) & (pixels < limits), axis=-1)
    cells = np.clip(np.rint(np.where(inside[..., None], pixels, 0)), 0, limits - 0.5).astype(int)
    # The farthest of the neighbours: at the edge of a finger the next pixel may be another thing
    farthest = maximum_filter(depth, size=(1, 3, 3), mode="nearest")
    seen = farthest[np.arange(len(depth))[:, None], cells[..., 1], cells[..., 0]]
    hidden = distances - seen > np.array(_BELOW)
    confidence = np.where(inside, np.where(hidden, _OCCLUDED, 1.0), 0.0)
    return (
        np.where(inside[..., None], pixels, 0.0).astype(np.float32),
        confidence.astype(np.float32),
    )
