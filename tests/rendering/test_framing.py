"""Framing: only the part around the signer is rendered, and pasted back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from signgen.checkpoints.models import save_pretrained
from signgen.config.model import tiny_fpdm
from signgen.models import build_model
from signgen.pose.formats import write_poses
from signgen.pose.transforms import resize
from signgen.rendering.renderer import Renderer
from signgen.structures import PoseSequence
from tests.data.test_framing import KNOWN, doll_in
from tests.material.paper_doll import REST, paper_doll


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    torch.manual_seed(0)
    return Renderer(build_model(replace(tiny_fpdm(), pictures=KNOWN)).eval())


def test_only_the_crop_is_painted(renderer: Renderer) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (600, 800, 3), np.uint8)
    poses = doll_in((600, 800), (300, 100))
    found = renderer.crop(poses)
    assert found is not None
    (frame,) = renderer.render(picture, poses)
    x0, y0, x1, y1 = found.box
    outside = np.ones((600, 800), bool)
    outside[y0:y1, x0:x1] = False
    assert (frame[outside] == picture[outside]).all()
    assert np.abs(frame[y0:y1, x0:x1].astype(int) - picture[y0:y1, x0:x1]).mean() > 10
    (alone,) = renderer.render(found.cut(picture), found.place(poses))
    middle = (slice(y0 + 40, y1 - 40), slice(x0 + 40, x1 - 40))
    assert (frame[middle] == alone[40:-40, 40:-40]).all(), "as the crop alone"
    (small,) = renderer.render(picture, poses, (300, 400))
    halved = frame.reshape(300, 2, 400, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - halved).max() <= 1
    whole = Renderer(renderer.model, frame="full")
    (full,) = whole.render(picture, poses)
    assert (full[outside] != picture[outside]).any(axis=-1).mean() > 0.9


def test_poses_of_another_person_are_aligned_and_stay_inside(work: Any) -> None:
    save_pretrained(build_model(replace(tiny_fpdm(), pictures=KNOWN)), work.folder / "known")
    work = replace(work, model=work.folder / "known")
    signer = resize(paper_doll().poses, (90, 70))
    write_poses(signer, work.folder / "signer.json")
    write_poses(paper_doll(REST, scale=3).poses, work.poses)
    words = ("--align", "limb", "--source-poses", work.folder / "signer.json")
    assert work.render(*words, "--dry-run", "--json") == 0
    planned = json.loads(work.capsys.readouterr().out)
    assert planned["crop"] is None or len(planned["crop"]) == 4
    for frame in ("auto", "full"):
        assert work.render(*words, "--frame", frame) == 0
    other = PoseSequence(
        signer.keypoints[:, :18], np.ones((1, 18), np.float32), "openpose-18", (90, 70), 25
    )
    write_poses(other, work.folder / "signer.json")
    assert work.render(*words[2:]) == 65, "another skeleton, with --align none"
    assert "of openpose-18, the poses of coco-wholebody-133" in work.capsys.readouterr().err
    assert work.left() == ["a.compare.mp4", "a.mp4", "a.provenance.json", "a.sheet.png"]
