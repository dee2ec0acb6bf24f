"""Dress a body as a signer is: meshes for the names in its appearance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from signgen.data.synthetic.body import Body, Rest
from signgen.data.synthetic.signers import shells
from signgen.data.synthetic.signers.appearance import Signer
from signgen.data.synthetic.signers.assets import Wardrobe, bind, read_asset
from signgen.data.synthetic.signers.binding import BoundMesh, cut
from signgen.data.synthetic.signers.regions import Landmarks, find_landmarks

__all__ = ["Dressed", "dress"]

_read = cache(read_asset)  # a corpus wears the same few assets


@dataclass(frozen=True)
class Dressed:
    """A body with what it wears.

    Args:
        meshes: Garments, hair, brows, lashes, teeth.
        skin_faces: (F, 3) int64 faces of the body that are left to be seen, eyes included.
    """

    meshes: tuple[BoundMesh, ...]
    skin_faces: Tensor


def dress(signer: Signer, body: Body, rest: Rest, wardrobe: Wardrobe | None = None) -> Dressed:
    """Dress a body.

    Args:
        signer: Names what is worn; drawn for `wardrobe`.
        body: Any.
        rest: The signer's shape.
        wardrobe: Assets; none where the signer wears shells.

    Raises:
        UserError: If a file of an asset is missing or broken.
    """
    worn = Wardrobe() if wardrobe is None else wardrobe
    marks = find_landmarks(body, rest)

    def asset(name: str) -> tuple[BoundMesh, ...]:
        return bind(_read(worn.find(name)), rest.vertices, marks.chest, marks.knees)

    if signer.outfit.garment.startswith("shell-"):
        meshes = _shells(signer, body, rest, marks)
    else:
        # Sleeves end at the latest where the signer's do
        keep = shells.sleeve_keep(body, rest, signer.outfit.sleeve)
        meshes = [_shorten(mesh, keep) for mesh in asset(signer.outfit.garment)]
    hair = signer.hair
    if hair.style == "shell-short":
        meshes.append(shells.hair(body, rest, marks, thickness=hair.thickness))
    elif hair.style is not None:
        meshes += asset(hair.style)
    if hair.brows == "shell-brows":
        meshes.append(shells.brows(body, rest, marks, thickness=hair.brow_thickness))
    else:
        meshes += asset(hair.brows)
    # Lashes of assets are cards that only a picture with alpha makes thin: the body has its own
    meshes.append(shells.helper("lashes", rest))
    meshes += [shells.helper("teeth", rest)] if hair.teeth == "shell-teeth" else asset(hair.teeth)
    hidden = torch.stack([mesh.hidden for mesh in meshes]).any(0)  # (V,)
    return Dressed(tuple(meshes), body.faces[~hidden[body.faces].all(1)])


def _shells(signer: Signer, body: Body, rest: Rest, marks: Landmarks) -> list[BoundMesh]:
    outfit = signer.outfit
    neckline = outfit.garment.removeprefix("shell-")
    legs = shells.skirt if outfit.legs == "skirt" else shells.trousers
    return [
        shells.shirt(body, rest, marks, sleeve=outfit.sleeve, neckline=neckline, hem=outfit.hem),
        legs(body, rest, marks, length=outfit.leg_length),
    ]


def _shorten(mesh: BoundMesh, keep: Tensor) -> BoundMesh:
    """Cut off the sleeves of an upper garment beyond where `keep` (V,) metres is 0.

    All pieces of the asset show the skin again that the sleeves had hidden.
    """
    bared = replace(mesh, hidden=mesh.hidden & (keep > 0.02))
    return cut(bared, mesh.blend(keep)) if mesh.kind == "upper" else bared
