"""Signers are drawn from seeds and dressed as drawn."""

from __future__ import annotations

import torch

from signgen.data.synthetic.signers.dressing import dress
from signgen.data.synthetic.signers.population import draw_signer
from signgen.data.synthetic.signers.regions import find_landmarks
from signgen.data.synthetic.signers.skin import iris_places, read_masks, skin_colours


def test_a_seed_gives_the_same_signer_and_another_seed_another():
    assert draw_signer(3) == draw_signer(3)
    many = [draw_signer(seed) for seed in range(30)]
    assert len({signer.shape.weight for signer in many}) == 30
    assert {signer.outfit.garment for signer in many} == {"shell-round", "shell-v", "shell-high"}


def test_colours_of_signers_are_reflectances(body):
    masks = read_masks(body)
    for signer in map(draw_signer, range(3)):
        rest = body.rest(signer.shape)
        colours = skin_colours(signer.skin, body, rest, masks, find_landmarks(body, rest))
        assert 0 < float(colours.min()) < float(colours.max()) < 1
        # Redder than blue everywhere; lips more so than the cheek beside them
        assert bool((colours[:, 0] > colours[:, 2]).all())
        ratio = colours[:, 0] / colours[:, 1]
        assert float(ratio[masks["lips"] > 0.9].median()) > float(ratio[:13380].median())


def test_a_dressed_signer_follows_without_gaps_in_its_numbers(body):
    signer = draw_signer(1)
    rest = body.rest(signer.shape)
    dressed = dress(signer, body, rest)
    assert {mesh.kind for mesh in dressed.meshes} >= {"upper", "lower", "brows", "lashes", "teeth"}
    posed = body.pose(rest, body.still(2))
    for mesh in dressed.meshes:
        points = mesh.follow(posed.vertices)
        assert bool(torch.isfinite(points).all())
        assert int(mesh.faces.max()) < points.shape[1]
    assert len(dressed.skin_faces) < len(body.faces)


def test_the_iris_is_in_the_middle_of_each_eye(body, rest):
    places, eye = iris_places(body, rest)
    centres = rest.vertices[eye & (places.norm(dim=1) < 0.3)]
    for side in "LR":
        head, tail = (x[body.bone(f"eye.{side}")] for x in (rest.heads, rest.tails))
        near = centres[(centres[:, 0] > 0) == (side == "L")]
        assert float((near.mean(0) - head)[[0, 2]].norm()) < 0.004
        assert float(near[:, 1].max()) < float(head[1])
        assert float(tail[1]) < float(head[1])
