"""What a ray may hit: one mesh of body, cloth and hair, and what each of its vertices is like."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from signgen.data.synthetic.body import Body, Posed, Rest
from signgen.data.synthetic.picture.furniture import Chair
from signgen.data.synthetic.signers.appearance import Fabric, Signer
from signgen.data.synthetic.signers.binding import BoundMesh
from signgen.data.synthetic.signers.dressing import Dressed
from signgen.data.synthetic.signers.regions import LABELS, find_landmarks, label_vertices, shares
from signgen.data.synthetic.signers.skin import SkinMasks, iris_places, skin_colours
from signgen.pose.skeleton import SIDES

__all__ = ["MATERIALS", "Scene", "build_scene"]

MATERIALS = {"skin": 0, "eye": 1, "upper": 2, "lower": 3, "hair": 4, "plain": 5}
_KIND_MATERIAL = {
    "upper": "upper",
    "lower": "lower",
    "shoes": "plain",
    "hair": "hair",
    "brows": "hair",
    "lashes": "plain",
    "teeth": "plain",
}
_LASH, _TEETH, _SHOE = (0.02, 0.015, 0.012), (0.72, 0.68, 0.6), (0.03, 0.03, 0.03)


@dataclass(frozen=True)
class Scene:
    """A dressed signer, ready to be posed; v vertices, F faces.

    Args:
        faces: (F, 3) int64.
        colours: (v, 3) linear reflectance.
        places: (v, 3) where a vertex is on the thing it belongs to, metres; of eyes, from the
            middle of the iris in radii of the eyeball.
        roughness: (v, 4) how folds bend the normal, and by what share spots change the colour.
        materials: (v,) int64, see `MATERIALS`.
        labels: (v,) int64 of the human-parsing map.
        meshes: What follows the body, in the order of the vertices after the body's.
        fixed: (n, 3) what does not move, after all.
    """

    faces: Tensor
    colours: Tensor
    places: Tensor
    roughness: Tensor
    materials: Tensor
    labels: Tensor
    meshes: tuple[BoundMesh, ...]
    fixed: Tensor

    def follow(self, posed: Posed) -> Tensor:
        """Return the vertices (T, v, 3) of body and clothes."""
        worn = [mesh.follow(posed.vertices) for mesh in self.meshes]
        fixed = self.fixed.expand(len(posed.vertices), -1, -1)
        return torch.cat([posed.vertices, *worn, fixed], dim=1)


def build_scene(
    signer: Signer,
    body: Body,
    rest: Rest,
    dressed: Dressed,
    masks: SkinMasks,
    chair: Chair | None = None,
) -> Scene:
    """Gather what a signer is made of, and what they sit on."""
    vertices = rest.vertices
    marks = find_landmarks(body, rest)
    # The body
    colours = [skin_colours(signer.skin, body, rest, masks, marks)]
    iris, eye = iris_places(body, rest)
    places = [torch.where(eye[:, None], torch.cat([iris, iris[:, :1] * 0], 1), vertices)]
    materials = [torch.where(eye, MATERIALS["eye"], MATERIALS["skin"])]
    labels = [label_vertices(body, "upper_garment").long()]
    legs = vertices[:, 2] < marks.hips
    arms = shares(body)
    armless = torch.stack([arms[name] for name in arms]).sum(0) < 0.5
    labels[0] = torch.where(legs & armless, LABELS["lower_garment"], labels[0])
    roughness = [_roughness(signer, "skin", vertices)]
    faces, count = [dressed.skin_faces], len(vertices)
    # What is worn
    standing = vertices[None]
    for mesh in dressed.meshes:
        points = mesh.follow(standing)[0]
        faces.append(mesh.faces + count)
        count += len(points)
        colours.append(_mesh_colours(signer, mesh, points))
        places.append(points)
        materials.append(torch.full_like(points[:, 0], MATERIALS[_KIND_MATERIAL[mesh.kind]]).long())
        labels.append(_mesh_labels(mesh, arms))
        roughness.append(_roughness(signer, mesh.kind, points))
    fixed = vertices[:0]
    if chair is not None:
        fixed = chair.points
        faces.append(chair.faces + count)
        colours.append(fixed.new_tensor(chair.colour).expand(len(fixed), 3))
        places.append(fixed)
        materials.append(torch.full_like(fixed[:, 0], MATERIALS["plain"]).long())
        labels.append(torch.full_like(fixed[:, 0], LABELS["background"]).long())
        roughness.append(fixed.new_zeros(len(fixed), 4))
    return Scene(
        torch.cat(faces),
        torch.cat(colours),
        torch.cat(places),
        torch.cat(roughness),
        torch.cat(materials),
        torch.cat(labels),
        dressed.meshes,
        fixed,
    )


def _mesh_colours(signer: Signer, mesh: BoundMesh, points: Tensor) -> Tensor:
    colour = {
        "upper": signer.outfit.upper.colour,
        "lower": signer.outfit.lower.colour,
        "hair": signer.hair.colour,
        "brows": signer.hair.brow_colour,
        "lashes": _LASH,
        "teeth": _TEETH,
        "shoes": _SHOE,
    }[mesh.kind]
    colours = points.new_tensor(colour).expand(len(points), 3).clone()
    if mesh.kind == "upper" and int(mesh.parts.max()) > 0:
        # Smaller pieces, such as a tie or buttons, have the second colour
        share = torch.bincount(mesh.parts).float()
        small = share[mesh.parts] < 0.25 * share.max()
        colours[mesh.faces[small].flatten()] = points.new_tensor(signer.outfit.upper.accent)
    return colours


def _mesh_labels(mesh: BoundMesh, arms: dict[str, Tensor]) -> Tensor:
    """Labels (v,): sleeves belong to arms."""
    name = {"upper": "upper_garment", "lower": "lower_garment", "shoes": "lower_garment"}.get(
        mesh.kind, "hair" if mesh.kind == "hair" else "face"
    )
    arm = {side: mesh.blend(arms[f"{side}_arm"] + arms[f"{side}_hand"]) for side in SIDES}
    labels = torch.full_like(arm["left"], LABELS[name]).long()
    if mesh.kind == "upper":
        for side, share in arm.items():
            labels[share > 0.5] = LABELS[f"{side}_arm"]
    return labels


def _roughness(signer: Signer, kind: str, points: Tensor) -> Tensor:
    """What folds and spots do, (v, 4)."""
    rough = points.new_zeros(len(points), 4)
    if kind == "skin":
        skin, seed = signer.skin, signer.seed
        rough[:, 3] = skin.blotches * 0.5 * noise(points, 45.0, seed)
        spots = noise(points, 420.0, seed + 1) > 2.2 - 8 * skin.freckles
        rough[:, 3] -= 0.3 * spots * min(20 * skin.freckles, 1.0)
    elif kind in ("upper", "lower"):
        cloth: Fabric = getattr(signer.outfit, kind)
        stretched = points * points.new_tensor([1.0, 1.0, 0.45])
        for axis in (0, 2):
            fold = noise(stretched, 75.0, cloth.seed + axis) + 0.5 * noise(
                stretched, 190.0, cloth.seed + axis + 1
            )
            rough[:, axis] = 0.22 * cloth.folds * fold
    return rough


def noise(points: Tensor, pitch: float, seed: int) -> Tensor:
    """Smooth noise (v,) of variance 1 at points (v, 3), of about `pitch` radians per metre."""
    rng = np.random.default_rng((seed, 0x4015E))
    waves = rng.normal(0, pitch / np.sqrt(3), (12, 3))
    phases = points.new_tensor(rng.uniform(0, 2 * np.pi, 12))
    total: Tensor = torch.sin(points @ points.new_tensor(waves).T + phases).sum(1)
    return total / math.sqrt(6)
