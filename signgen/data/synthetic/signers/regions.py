"""Regions of a body at rest: which part a vertex belongs to, and how far along an arm it is.

Everything is found from the bones and their weights, so that it holds for all shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from signgen.data.synthetic.body import Body, Rest
from signgen.human_parsing.label_sets import LABEL_SETS

__all__ = ["LABELS", "Landmarks", "arm_places", "find_landmarks", "label_vertices"]

LABELS = {
    name.replace("-", "_"): number for number, name in enumerate(LABEL_SETS["signgen-10"].labels)
}
"""Numbers of the labels of the human-parsing map."""
_BONES = {
    "face": ("head", "eye"),
    "neck": ("neck",),
    "left_arm": ("upperarm01.L", "upperarm02.L", "lowerarm01.L", "lowerarm02.L"),
    "right_arm": ("upperarm01.R", "upperarm02.R", "lowerarm01.R", "lowerarm02.R"),
    "left_hand": ("wrist.L", "finger", "metacarpal"),
    "right_hand": ("wrist.R", "finger", "metacarpal"),
}
_BODY_VERTICES = 13380  # the base mesh's skin; eyes, tongue and helpers of garments follow


@dataclass(frozen=True)
class Landmarks:
    """Places of a body at rest, metres; heights are above the ground.

    Args:
        eye: (3,) middle between the centres of the eyes.
        crown: Height of the top of the head.
        neck: (3,) where the neck begins.
        chest: Height between the breasts.
        waist: Height of the navel.
        hips: Height of the hip joints.
        knees: Height of the knees.
        ankles: Height of the ankles.
    """

    eye: Tensor
    crown: float
    neck: Tensor
    chest: float
    waist: float
    hips: float
    knees: float
    ankles: float


def find_landmarks(body: Body, rest: Rest) -> Landmarks:
    """Return the landmarks of a shape."""

    def height(bone: str) -> float:
        return float(rest.heads[body.bone(bone), 2])

    return Landmarks(
        eye=(rest.heads[body.bone("eye.L")] + rest.heads[body.bone("eye.R")]) / 2,
        crown=float(rest.vertices[:_BODY_VERTICES, 2].max()),
        neck=rest.heads[body.bone("neck01")],
        chest=height("spine02"),
        waist=height("spine04"),
        hips=height("upperleg01.L"),
        knees=height("lowerleg01.L"),
        ankles=height("foot.L"),
    )


@lru_cache(maxsize=2)
def shares(body: Body) -> dict[str, Tensor]:
    """Return for each region of skin the share (V,) of its bones; the torso and legs are left."""
    found = {}
    for region, names in _BONES.items():
        side = {"left": "L", "right": "R"}.get(region.partition("_")[0], "")
        bones = [
            number
            for number, bone in enumerate(body.bones)
            if bone.startswith(names) and (not side or bone.endswith(side))
        ]
        chosen = torch.isin(body.bone_indices, torch.tensor(bones, device=body.device))
        found[region] = (body.bone_weights * chosen).sum(1)  # (V,)
    return found


def label_vertices(body: Body, elsewhere: str) -> Tensor:
    """Return the label (V,) uint8 of every vertex's region.

    Args:
        body: Any.
        elsewhere: Label of torso and legs, a key of `LABELS`.
    """
    region = shares(body)
    rest = 1 - torch.stack(list(region.values())).sum(0)
    largest = torch.stack([rest, *region.values()]).argmax(0)
    labels = torch.tensor([LABELS[elsewhere], *(LABELS[name] for name in region)])
    return labels.to(torch.uint8).to(largest.device)[largest]


def arm_places(body: Body, rest: Rest) -> Tensor:
    """Return how far along its arm a vertex is, (V,) metres from the shoulder; 0 elsewhere.

    The length of the arm up to the wrist is that of `arm_length`.
    """
    region = shares(body)
    places = torch.zeros_like(rest.vertices[:, 0])
    for name, side in (("left", "L"), ("right", "R")):
        joints = rest.heads[
            [body.bone(f"{b}.{side}") for b in ("upperarm01", "lowerarm01", "wrist")]
        ]
        upper, lower = joints[1] - joints[0], joints[2] - joints[1]
        on_upper = ((rest.vertices - joints[0]) @ upper) / upper.norm()
        on_lower = ((rest.vertices - joints[1]) @ lower) / lower.norm()
        along = on_upper.clamp(max=float(upper.norm())) + on_lower.clamp(min=0)
        share = region[f"{name}_arm"] + region[f"{name}_hand"]
        places += share * along.clamp(min=0)
    return places


def arm_length(body: Body, rest: Rest) -> tuple[float, float]:
    """Return the distances along an arm from the shoulder to the elbow and to the wrist, metres."""
    joints = rest.heads[[body.bone(f"{b}.L") for b in ("upperarm01", "lowerarm01", "wrist")]]
    upper, lower = (joints[1:] - joints[:-1]).norm(dim=-1).tolist()
    return upper, upper + lower
