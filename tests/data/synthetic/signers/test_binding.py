"""What is bound to a body turns with its bones, and is cut where it should be."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from signgen.data.synthetic.signers import shells
from signgen.data.synthetic.signers.binding import BoundMesh, bind_points, cut
from signgen.data.synthetic.signers.regions import arm_length, arm_places, find_landmarks


def square() -> BoundMesh:
    """A unit square 5 cm above three body vertices that lie in it."""
    body = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    triangles = torch.tensor([[0, 1, 2]] * 4)
    weights = torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, 1, 1], [0, 0, 1]])
    offsets, flat = bind_points(body, triangles, weights, torch.tensor([[0.0, 0, 0.05]] * 4))
    return BoundMesh(
        name="square",
        kind="upper",
        faces=torch.tensor([[0, 1, 2], [0, 2, 3]]),
        uv=torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]]),
        uv_faces=torch.tensor([[0, 1, 2], [0, 2, 3]]),
        parts=torch.tensor([0, 0]),
        triangles=triangles,
        weights=weights,
        offsets=offsets,
        flat=flat,
        cut_edges=torch.zeros((0, 2), dtype=torch.int64),
        cut_places=torch.zeros(0),
        hidden=torch.zeros(3, dtype=torch.bool),
    )


def area(points: torch.Tensor, faces: torch.Tensor) -> float:
    corners = points[faces]
    sides = corners[:, 1:] - corners[:, :1]
    return float(torch.linalg.cross(sides[:, 0], sides[:, 1]).norm(dim=-1).sum() / 2)


def test_offsets_turn_with_the_triangle_that_carries_them():
    turn = torch.tensor(Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix(), dtype=torch.float32)
    body = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    expected = torch.tensor([[0.0, 0, 0.05], [1, 0, 0.05], [1, 1, 0.05], [0, 1, 0.05]])
    moved = square().follow(torch.stack([body, body @ turn.T + 2]))
    torch.testing.assert_close(moved[0], expected)
    torch.testing.assert_close(moved[1], expected @ turn.T + 2)


def test_a_cut_leaves_the_half_plane_with_straight_sides():
    mesh = square()
    body = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    x = mesh.follow(body)[0, :, 0]
    part = cut(mesh, 0.3 - x)
    points = part.follow(body)[0]
    assert area(points, part.faces) == pytest.approx(0.3, abs=1e-6)
    assert float(points[part.faces.unique(), 0].max()) == pytest.approx(0.3, abs=1e-6)
    # The layout is cut at the same places
    torch.testing.assert_close(part.uv[part.uv_faces], points[part.faces][..., :2])


def test_a_shell_follows_a_bent_arm_and_ends_at_its_sleeve(body, rest):
    elbow, _ = arm_length(body, rest)
    mesh = shells.shirt(
        body, rest, find_landmarks(body, rest), sleeve=1.5, neckline="round", hem=1.0
    )
    still = body.still(2)
    bend = Rotation.from_rotvec([-math.pi / 2, 0, 0]).as_matrix()
    still.rotations[1, body.bone("lowerarm01.L")] = torch.tensor(bend, dtype=torch.float32)
    before, after = mesh.follow(body.pose(rest, still).vertices)
    places = mesh.blend(arm_places(body, rest))
    lower = (places > elbow + 0.08) & (before[:, 0] > 0)
    assert lower.sum() > 20
    # The forearm's cloth turns as a rigid body about the elbow; the trunk's stays
    pivot = rest.heads[body.bone("lowerarm01.L")]
    expected = (before[lower] - pivot) @ torch.tensor(bend, dtype=torch.float32).T + pivot
    assert float((after[lower] - expected).norm(dim=1).median()) < 0.004
    trunk = places == 0
    torch.testing.assert_close(after[trunk], before[trunk], atol=2e-3, rtol=0)
    # Half way from elbow to wrist
    used = mesh.faces.unique()
    assert elbow < float(places[used].max()) < elbow * 2


def test_hidden_skin_is_under_cloth_and_hands_and_face_never_are(body, rest):
    mesh = shells.shirt(
        body, rest, find_landmarks(body, rest), sleeve=2.0, neckline="high", hem=1.0
    )
    hidden = rest.vertices[mesh.hidden]
    cloth = mesh.follow(rest.vertices[None])[0]
    assert float(torch.cdist(hidden, cloth).min(1).values.max()) < 0.06
    wrist = float(rest.heads[body.bone("wrist.L"), 0])
    assert float(hidden[:, 0].abs().max()) < wrist
    assert float(hidden[:, 2].max()) < float(rest.heads[body.bone("head"), 2])
