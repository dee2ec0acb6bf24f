"""Meshes bound to a body: garments, hair and small things that follow it into any pose.

Every vertex is bound to a triangle of the body's vertices, by weights and an offset that turns with
the triangle (MakeHuman's `.mhclo` binding, extended from shapes to poses). The sides of a sleeve or
a hem are cut cleanly: the new vertices lie on edges of the mesh that was bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["BoundMesh", "Kind", "bind_points", "cut"]

Kind = Literal["upper", "lower", "shoes", "hair", "brows", "lashes", "teeth"]

_FLAT = 1e-9  # m2: twice the area below which a triangle has no direction


@dataclass(frozen=True)
class BoundMesh:
    """A mesh on a body's vertices; B vertices are bound, K lie where it was cut, v = B + K.

    Args:
        name: Of the asset or shell.
        kind: What it is.
        faces: (F, 3) int64 triangles of its v vertices.
        uv: (U, 2) texture coordinates; none where there is no layout.
        uv_faces: (F, 3) int64 triangles of texture coordinates.
        parts: (F,) int64 number of the connected piece that a face belongs to, largest first.
        triangles: (B, 3) int64 vertices of the body.
        weights: (B, 3) share of each; they add up to about 1.
        offsets: (B, 3) metres in the axes of the triangle, or of space where it is flat.
        flat: (B,) bool: the triangle has no direction, the offset does not turn.
        cut_edges: (K, 2) int64 bound vertices at the ends of a cut edge.
        cut_places: (K,) from 0, at the first, to 1.
        hidden: (V,) bool vertices of the body that it covers; faces of the body all of whose
            vertices are hidden need not be drawn, and would show through where poses press cloth.
        texture: Picture of its colours, where there is one.
    """

    name: str
    kind: Kind
    faces: Tensor
    uv: Tensor | None
    uv_faces: Tensor | None
    parts: Tensor
    triangles: Tensor
    weights: Tensor
    offsets: Tensor
    flat: Tensor
    cut_edges: Tensor
    cut_places: Tensor
    hidden: Tensor
    texture: Path | None = None

    def follow(self, vertices: Tensor) -> Tensor:
        """Return where the mesh is on a posed body.

        Args:
            vertices: (T, V, 3) of the body it was bound to.

        Returns:
            (T, v, 3).
        """
        corners = vertices[:, self.triangles]  # (T, B, 3, 3)
        points = torch.einsum("tbcx,bc->tbx", corners, self.weights)  # (T, B, 3)
        axes = triangle_axes(corners)
        axes[:, self.flat] = torch.eye(3, device=axes.device, dtype=axes.dtype)
        points = points + torch.einsum("tbxa,ba->tbx", axes, self.offsets)
        # Where it was cut
        ends = points[:, self.cut_edges]  # (T, K, 2, 3)
        cuts = torch.lerp(ends[:, :, 0], ends[:, :, 1], self.cut_places[None, :, None])
        return torch.cat([points, cuts], dim=1)  # (T, v, 3)

    def blend(self, values: Tensor) -> Tensor:
        """Return values (V,) of the body's vertices carried to those of the mesh (v,)."""
        bound = (values[self.triangles] * self.weights).sum(1)
        ends = bound[self.cut_edges]
        return torch.cat([bound, torch.lerp(ends[:, 0], ends[:, 1], self.cut_places)])


def triangle_axes(corners: Tensor) -> Tensor:
    """Return right-handed axes (..., 3, 3), as columns, of triangles (..., 3 corners, 3)."""
    along = corners[..., 1, :] - corners[..., 0, :]
    normal = torch.linalg.cross(along, corners[..., 2, :] - corners[..., 0, :])
    along = torch.nn.functional.normalize(along, dim=-1)
    normal = torch.nn.functional.normalize(normal, dim=-1)
    return torch.stack([along, normal, torch.linalg.cross(along, normal)], dim=-1)


def bind_points(
    vertices: Tensor, triangles: Tensor, weights: Tensor, offsets: Tensor
) -> tuple[Tensor, Tensor]:
    """Write offsets in the axes of the triangles that carry them.

    Args:
        vertices: (V, 3) of the body in the pose in which it is dressed.
        triangles: (B, 3).
        weights: (B, 3).
        offsets: (B, 3) metres, in the axes of space.

    Returns:
        `offsets` and `flat` of a `BoundMesh`.
    """
    corners = vertices[triangles]  # (B, 3, 3)
    sides = corners[:, 1:] - corners[:, :1]
    flat = torch.linalg.cross(sides[:, 0], sides[:, 1]).norm(dim=-1) < _FLAT
    axes = triangle_axes(corners)
    axes[flat] = torch.eye(3, device=axes.device, dtype=axes.dtype)
    return torch.einsum("bxa,bx->ba", axes, offsets), flat


def cut(mesh: BoundMesh, keep: Tensor) -> BoundMesh:
    """Cut a mesh that was never cut along the line where a value is 0.

    Args:
        mesh: Without cuts.
        keep: (v,) value of each vertex; what is above 0 stays.

    Returns:
        The mesh with clean sides; faces of one piece keep its number.
    """
    value = keep.detach().cpu().numpy()
    faces = mesh.faces.cpu().numpy()
    corners = None if mesh.uv_faces is None else mesh.uv_faces.cpu().numpy()
    cutter = _Cutter(value, None if mesh.uv is None else mesh.uv.cpu().numpy())
    above = (value[faces] > 0).sum(1)
    whole = np.flatnonzero(above == 3)
    for number in np.flatnonzero((above > 0) & (above < 3)):
        cutter.add(int(number), faces[number], None if corners is None else corners[number])
    device = mesh.faces.device

    def gather(kept: NDArray[np.int64], made: list[tuple[int, int, int]]) -> Tensor:
        return torch.as_tensor(
            np.concatenate([kept, np.array(made, np.int64).reshape(-1, 3)]), device=device
        )

    ends = np.array(list(cutter.edges), np.int64).reshape(-1, 2)
    places = value[ends[:, 0]] / (value[ends[:, 0]] - value[ends[:, 1]])
    origin = torch.as_tensor(
        np.concatenate([whole, np.array(cutter.origins, np.int64)]), device=device
    )
    return replace(
        mesh,
        faces=gather(faces[whole], cutter.faces),
        uv=None if mesh.uv is None else torch.tensor(np.stack(cutter.uv)).to(mesh.uv),
        uv_faces=None if corners is None else gather(corners[whole], cutter.uv_faces),
        parts=mesh.parts[origin],
        cut_edges=torch.as_tensor(ends, device=device),
        cut_places=torch.as_tensor(places, device=device).to(mesh.weights),
    )


class _Cutter:
    """Gathers the triangles that are left of a cut mesh."""

    def __init__(self, value: NDArray[np.float32], uv: NDArray[np.float32] | None) -> None:
        self.value = value
        self.edges: dict[tuple[int, int], int] = {}
        self.faces: list[tuple[int, int, int]] = []
        self.origins: list[int] = []
        self.uv = [] if uv is None else list(uv)
        self.uv_faces: list[tuple[int, int, int]] = []

    def add(self, number: int, face: NDArray[np.int64], corners: NDArray[np.int64] | None) -> None:
        """Keep what lies above 0 of a face that is cut: a triangle, or a quadrilateral in two."""
        above = self.value[face] > 0
        polygon: list[tuple[int, int]] = []
        for here in range(3):
            after = (here + 1) % 3
            if above[here]:
                polygon.append((int(face[here]), -1 if corners is None else int(corners[here])))
            if above[here] != above[after]:
                vertex = self._cross(int(face[here]), int(face[after]))
                polygon.append((vertex, self._cross_uv(face, corners, here, after)))
        for last in range(2, len(polygon)):
            three = (polygon[0], polygon[last - 1], polygon[last])
            self.faces.append((three[0][0], three[1][0], three[2][0]))
            self.uv_faces.append((three[0][1], three[1][1], three[2][1]))
            self.origins.append(number)

    def _cross(self, first: int, second: int) -> int:
        edge = (min(first, second), max(first, second))
        return self.edges.setdefault(edge, len(self.value) + len(self.edges))

    def _cross_uv(
        self,
        face: NDArray[np.int64],
        corners: NDArray[np.int64] | None,
        here: int,
        after: int,
    ) -> int:
        if corners is None:
            return -1
        start, end = self.value[face[here]], self.value[face[after]]
        place = start / (start - end)
        self.uv.append((1 - place) * self.uv[corners[here]] + place * self.uv[corners[after]])
        return len(self.uv) - 1
