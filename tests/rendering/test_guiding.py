"""Rendering with a guided decoder: the source is moved, painted over where it moved, and kept."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.checkpoints.models import save_pretrained
from signgen.config.autoencoder import DecoderConfig
from signgen.config.model import tiny_fpdm
from signgen.config.pictures import PicturesConfig
from signgen.config.sampling import Sampling
from signgen.errors import UserError
from signgen.models import build_model
from signgen.models.base import PoseGuidedModel
from signgen.pose.formats import write_poses
from signgen.pose.transforms import crop
from signgen.pose.warping import prepare_source, warp
from signgen.rendering import renderer as rendering
from signgen.rendering.renderer import Renderer
from signgen.structures import PoseSequence
from tests.material.paper_doll import REST, Doll, paper_doll

RAISED = REST + np.array([[0, 30, 30], [0, 0, 0]])
KNOWN = PicturesConfig(frames=9, aspect=48 / 64, shoulders=(0.3, 0.4), neck=(0.5, 0.4))


@pytest.fixture(scope="module")
def guided() -> PoseGuidedModel:
    torch.manual_seed(0)
    decoder = DecoderConfig(kind="guided", channels=(8, 8, 16, 16))
    made = build_model(replace(tiny_fpdm(), decoder=decoder)).eval()
    with torch.no_grad():
        for weight in made.decoder.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return made


@pytest.fixture(scope="module")
def doll() -> Doll:
    return paper_doll()


@pytest.fixture(scope="module")
def poses(doll: Doll) -> PoseSequence:
    raised = [doll.posed(REST + (RAISED - REST) * share) for share in (0, 0.5, 1)]
    points = np.concatenate([one.keypoints for one in raised])
    return replace(
        doll.poses,
        keypoints=points,
        confidence=np.concatenate([one.confidence for one in raised]),
    )


def rendered(made: Renderer, doll: Doll, poses: PoseSequence, **more: Any) -> np.ndarray:
    return np.stack(list(made.render(doll.picture, poses, signer=doll.poses, **more)))


def test_what_did_not_move_is_the_source_and_what_moved_is_painted(
    guided: PoseGuidedModel, doll: Doll, poses: PoseSequence
) -> None:
    frames = rendered(Renderer(guided), doll, poses)
    assert frames.shape == (3, *doll.picture.shape), "at the source's size, not the model's"
    parts = prepare_source(doll.picture, doll.poses.keypoints[0], doll.poses.confidence[0])
    for frame, keypoints, confidence in zip(frames, poses.keypoints, poses.confidence, strict=True):
        moved = warp(parts, keypoints, confidence).maps.moved
        assert (frame[moved == 0] == doll.picture[moved == 0]).all()
    assert (frames[0] == doll.picture).all(), "its own pose"
    changed = (frames[2] != doll.picture).any(axis=-1)
    assert changed[moved == 1].mean() > 0.9


def test_chunks_change_nothing(
    guided: PoseGuidedModel, doll: Doll, poses: PoseSequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rendered(Renderer(guided, chunk=3), doll, poses).astype(int)
    assert np.abs(rendered(Renderer(guided, chunk=1), doll, poses) - whole).max() <= 1
    monkeypatch.setattr(rendering, "GUIDE_PIXELS", 2 * 280 * 240)
    assert np.abs(rendered(Renderer(guided, chunk=3), doll, poses) - whole).max() <= 1


def test_without_key_points_of_the_source_all_may_be_painted(
    guided: PoseGuidedModel, doll: Doll, poses: PoseSequence
) -> None:
    made = Renderer(guided, Sampling(seed=1))
    nothing = replace(doll.poses, confidence=np.zeros_like(doll.poses.confidence))
    alone = list(made.render(doll.picture, poses))
    blind = list(made.render(doll.picture, poses, signer=nothing))
    assert all((a == b).all() for a, b in zip(alone, blind, strict=True))
    assert (alone[0] != doll.picture).any(axis=-1).mean() > 0.9
    (text,) = made.warnings(doll.picture, poses)
    assert text.startswith("no key points of the source")
    assert made.warnings(doll.picture, poses, doll.poses) == ()
    other = PoseSequence(
        np.zeros((1, 18, 2), np.float32), np.ones((1, 18), np.float32), "openpose-18", (9, 9), 25
    )
    with pytest.raises(UserError, match="of openpose-18, the poses of coco-wholebody-133"):
        next(made.render(doll.picture, poses, signer=other))


def test_in_a_crop_of_a_large_picture(
    guided: PoseGuidedModel, doll: Doll, poses: PoseSequence
) -> None:
    known = build_model(replace(guided.config, pictures=KNOWN)).eval()
    known.load_state_dict(guided.state_dict())
    picture = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    picture[150:430, 300:540] = doll.picture
    placed, signer = (crop(one, (-300, -150, 500, 450)) for one in (poses, doll.poses))
    made = Renderer(known)
    found = made.crop(placed, signer)
    assert found is not None
    frames = np.stack(list(made.render(picture, placed, signer=signer)))
    outside = np.ones((600, 800), bool)
    outside[found.box[1] : found.box[3], found.box[0] : found.box[2]] = False
    assert (frames[:, outside] == picture[outside]).all()
    assert (frames[0] == picture).all(), "nothing moved"
    assert (frames[2] != picture).any()
    halved = next(made.render(picture, placed, (300, 400), signer=signer))
    assert halved.shape == (300, 400, 3)


def test_the_command_takes_key_points_where_it_finds_them(
    work: Any, guided: PoseGuidedModel, doll: Doll, poses: PoseSequence
) -> None:
    save_pretrained(guided, work.folder / "guided")
    work = replace(work, model=work.folder / "guided")
    Image.fromarray(doll.picture).save(work.source)
    write_poses(poses, work.poses)
    write_poses(doll.poses, work.folder / "doll.json")
    words = ("--source-poses", work.folder / "doll.json")
    assert work.render(*words, "--json") == 0
    assert json.loads(work.capsys.readouterr().out)["warnings"] == []
    assert work.left() == ["a.compare.mp4", "a.mp4", "a.provenance.json", "a.sheet.png"]
    if importlib.util.find_spec("mediapipe") is None:
        assert work.render("--json", "--dry-run") == 0
        (text,) = json.loads(work.capsys.readouterr().out)["warnings"]
        assert "Give --source-poses FILE" in text
        assert work.render("--estimator", "mediapipe") == 69
        assert "make pose-mediapipe" in work.only_line()
