"""The 133 key points of COCO-WholeBody, exact, from a posed body."""

from __future__ import annotations

import torch
from torch import Tensor

from signgen.data.rendered.body import Body, Posed
from signgen.pose.skeleton import SIDES

__all__ = ["FACE_VERTICES", "body_keypoints"]

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
