"""Garments, hair, eyebrows and teeth from a checkout of makehuman-assets.

The public repository makehumancommunity/makehuman-assets (CC0) is read where it lies; nothing of
it is part of signgen. An asset is an `.obj` and a `.mhclo` beside it: for every vertex three
vertices of the base mesh `hm08`, their weights, and an offset that grows with the body (see
`read_asset`). The name of an asset is that of its file: `bob02`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from signgen.data.synthetic.signers.binding import BoundMesh, Kind, bind_points
from signgen.errors import ExitCode, UserError

__all__ = ["Asset", "Wardrobe", "bind", "open_wardrobe", "read_asset"]

_FOLDERS = {
    "garments": "clothes",
    "hair": "hair",
    "brows": "eyebrows",
    "teeth": "teeth",
}
_KINDS: dict[str, Kind] = {
    "hair": "hair",
    "eyebrows": "brows",
    "teeth": "teeth",
}
_BASE_VERTICES = 19158


@dataclass(frozen=True)
class Wardrobe:
    """What a checkout of makehuman-assets holds: paths of `.mhclo` files, in order of name."""

    garments: tuple[Path, ...] = ()
    hair: tuple[Path, ...] = ()
    brows: tuple[Path, ...] = ()
    teeth: tuple[Path, ...] = ()

    def find(self, name: str) -> Path:
        """Return the file of an asset by name; KeyError where there is none."""
        every = (*self.garments, *self.hair, *self.brows, *self.teeth)
        return {path.stem: path for path in every}[name]


@dataclass(frozen=True)
class Asset:
    """A mesh as its files describe it, for any body.

    Args:
        name: Stem of its files.
        kind: What it is; none for garments, which are told apart on a body.
        faces: (F, 3).
        uv: (U, 2), or none where the file has no layout.
        uv_faces: (F, 3).
        triangles: (B, 3) vertices of the base mesh.
        weights: (B, 3).
        offsets: (B, 3) right, up, forward, in MakeHuman's own unit.
        scales: For each axis of `offsets` the two vertices of the body whose distance along it is
            `reference` on the body that the asset was made for.
        hidden: Vertices of the base mesh that it covers.
        texture: Picture of its colours, if the file is there.
    """

    name: str
    kind: Kind | None
    faces: NDArray[np.int64]
    uv: NDArray[np.float32] | None
    uv_faces: NDArray[np.int64] | None
    triangles: NDArray[np.int64]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    scales: tuple[tuple[int, int, float], ...]
    hidden: NDArray[np.int64]
    texture: Path | None


def open_wardrobe(folder: Path) -> Wardrobe:
    """List the assets of a checkout of makehuman-assets.

    Args:
        folder: Its root, or its folder `base`.

    Raises:
        UserError: If the folder is missing or is not such a checkout.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder}: there is no such folder; --assets takes a checkout of "
            "github.com/makehumancommunity/makehuman-assets.",
            ExitCode.NO_INPUT,
        )
    base = folder / "base" if (folder / "base").is_dir() else folder
    found = {key: tuple(sorted(base.glob(f"{name}/*/*.mhclo"))) for key, name in _FOLDERS.items()}
    missing = [_FOLDERS[key] for key in ("garments", "hair") if not found[key]]
    if missing:
        raise UserError(
            f"{folder}: no .mhclo file in {' and '.join(f'base/{name}' for name in missing)}; "
            "--assets takes a checkout of github.com/makehumancommunity/makehuman-assets."
        )
    return Wardrobe(**found)


# ----- files -----------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def read_asset(path: Path) -> Asset:
    """Read a `.mhclo` file and the `.obj` that it names.

    Lines of `verts` are `v` (the vertex itself) or `v1 v2 v3 w1 w2 w3 dx dy dz`; `x_scale a b ref`
    says that `dx` counts in units of |x_a - x_b| / ref of the shaped body, `y` and `z` likewise;
    `delete_verts` lists vertices and ranges `a - b` that the asset covers.

    Raises:
        UserError: If a file is missing or broken.
    """
    words = [line.split() for line in _lines(path)]
    head = {line[0]: line[1:] for line in words if line and not line[0].lstrip("-").isdigit()}
    try:
        start = next(i for i, line in enumerate(words) if line[:1] == ["verts"]) + 1
        stop = next((i for i, line in enumerate(words) if line[:1] == ["delete_verts"]), len(words))
        rows = np.array([_binding(line) for line in words[start:stop] if _is_number(line)])
        scales = tuple(
            (int(a), int(b), float(reference))
            for a, b, reference in (head[f"{axis}_scale"][:3] for axis in "xyz")
        )
        hidden = _ranges(" ".join(" ".join(line) for line in words[stop:]))
        faces, uv, uv_faces = _read_obj(path.parent / head["obj_file"][0])
    except (KeyError, ValueError, IndexError, StopIteration) as error:
        raise UserError(
            f"{path}: not a whole .mhclo file ({error!r}); check it out anew."
        ) from error
    triangles = rows[:, :3].astype(np.int64)
    if max(triangles.max(), hidden.max(initial=0)) >= _BASE_VERTICES or faces.max() >= len(rows):
        raise UserError(
            f"{path}: names a vertex that the base mesh (hm08, {_BASE_VERTICES} vertices) or "
            f"{head['obj_file'][0]} does not have; check both out anew."
        )
    return Asset(
        name=path.stem,
        kind=_KINDS.get(path.parent.parent.name),
        faces=faces,
        uv=uv,
        uv_faces=uv_faces,
        triangles=triangles,
        weights=rows[:, 3:6].astype(np.float32),
        offsets=rows[:, 6:].astype(np.float32),
        scales=scales,
        hidden=hidden,
        texture=_texture(path.parent, head.get("material", [])),
    )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); check it out anew.", ExitCode.NO_INPUT
        ) from error


def _is_number(line: list[str]) -> bool:
    return bool(line) and line[0].isdigit()


def _binding(line: list[str]) -> list[float]:
    numbers = [float(word) for word in line]
    if len(numbers) == 1:
        return [numbers[0]] * 3 + [1.0] + [0.0] * 5
    if len(numbers) != 9:
        raise ValueError(f"a line of verts has {len(numbers)} numbers, expected 1 or 9")
    return numbers


def _ranges(text: str) -> NDArray[np.int64]:
    spans = re.findall(r"(\d+)(?:\s*-\s*(\d+))?", text)
    every = [np.arange(int(first), int(last or first) + 1) for first, last in spans]
    return np.concatenate([np.zeros(0, np.int64), *every])


def _read_obj(
    path: Path,
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None, NDArray[np.int64] | None]:
    uv: list[list[float]] = []
    faces: list[tuple[str, str, str]] = []
    for line in _lines(path):
        key, *words = line.split() or [""]
        if key == "vt":
            uv.append([float(word) for word in words[:2]])
        elif key == "f":
            faces += ((words[0], words[i], words[i + 1]) for i in range(1, len(words) - 1))
    corners = [[corner.split("/") for corner in face] for face in faces]
    vertices = np.array([[int(c[0]) - 1 for c in face] for face in corners], np.int64)
    if not uv:
        return vertices, None, None
    places = np.array([[int(c[1]) - 1 for c in face] for face in corners], np.int64)
    return vertices, np.array(uv, np.float32), places


def _texture(folder: Path, material: list[str]) -> Path | None:
    file = folder / material[0] if material else None
    if file is None or not file.is_file():
        return None
    names = (line.split()[1:] for line in _lines(file) if line.startswith("diffuseTexture"))
    picture = next((folder / name[0] for name in names if name), None)
    return picture if picture is not None and picture.is_file() else None


# ----- fitting ---------------------------------------------------------------------------------


def bind(asset: Asset, vertices: Tensor, chest: float, knees: float) -> tuple[BoundMesh, ...]:
    """Fit an asset to a shaped body.

    Args:
        asset: A garment of several pieces (shirt, trousers, shoes) comes apart.
        vertices: (V, 3) of the body at rest, metres.
        chest: Height of the chest at rest: a piece of a garment that stays below is `lower`.
        knees: Height of the knees at rest: a piece that stays below is `shoes`.

    Returns:
        One mesh for each kind.
    """
    device = vertices.device
    triangles = torch.as_tensor(asset.triangles, device=device)
    weights = torch.as_tensor(asset.weights, device=device)
    # Offsets in metres; right, up, forward are x, z, -y
    right, up, forward = (
        float((vertices[a, axis] - vertices[b, axis]).abs()) / reference
        for (a, b, reference), axis in zip(asset.scales, (0, 2, 1), strict=True)
    )
    raw = torch.as_tensor(asset.offsets, device=device)
    offsets = torch.stack([raw[:, 0] * right, -raw[:, 2] * forward, raw[:, 1] * up], dim=1)
    local, flat = bind_points(vertices, triangles, weights, offsets)
    hidden = torch.zeros(len(vertices), dtype=torch.bool, device=device)
    hidden[torch.as_tensor(asset.hidden, device=device)] = True
    heights = ((vertices[triangles] * weights[..., None]).sum(1) + offsets)[:, 2].cpu().numpy()
    # One mesh for each kind
    parts = connected_parts(asset.faces, len(triangles))
    meshes = []
    for kind, chosen in _kinds(asset, heights, parts, chest=chest, knees=knees):
        used, faces = np.unique(asset.faces[chosen], return_inverse=True)
        meshes.append(
            BoundMesh(
                name=asset.name,
                kind=kind,
                faces=torch.as_tensor(faces.reshape(-1, 3), device=device),
                uv=None if asset.uv is None else torch.as_tensor(asset.uv, device=device),
                uv_faces=None
                if asset.uv_faces is None
                else torch.as_tensor(asset.uv_faces[chosen], device=device),
                parts=torch.as_tensor(parts[chosen], device=device),
                triangles=triangles[used],
                weights=weights[used],
                offsets=local[used],
                flat=flat[used],
                cut_edges=torch.zeros((0, 2), dtype=torch.int64, device=device),
                cut_places=torch.zeros(0, device=device),
                hidden=hidden,
                texture=asset.texture,
            )
        )
    return tuple(meshes)


def connected_parts(faces: NDArray[np.int64], vertices: int) -> NDArray[np.int64]:
    """Number the connected pieces of a mesh by face, the piece of most faces first."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges), bool), edges.T), shape=(vertices, vertices))
    _, label = connected_components(graph, directed=False)
    piece = label[faces[:, 0]]
    counts = np.bincount(piece)
    rank = np.argsort(np.argsort(-counts, kind="stable"))
    numbers: NDArray[np.int64] = rank[piece].astype(np.int64)
    return numbers


def _kinds(
    asset: Asset,
    heights: NDArray[np.float32],
    parts: NDArray[np.int64],
    *,
    chest: float,
    knees: float,
) -> Iterator[tuple[Kind, NDArray[np.bool_]]]:
    if asset.kind is not None:
        yield asset.kind, np.ones(len(asset.faces), bool)
        return
    tops = np.full(parts.max() + 1, -np.inf)
    np.maximum.at(tops, parts, heights[asset.faces].max(1))
    top = tops[parts]
    for kind, chosen in (
        ("upper", top >= chest),
        ("lower", (top < chest) & (top >= knees)),
        ("shoes", top < knees),
    ):
        if chosen.any():
            yield kind, chosen  # type: ignore[misc]
