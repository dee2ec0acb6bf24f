"""Framing: which part of a picture is rendered, and how it is pasted back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from signgen.checkpoints.models import save_pretrained
from signgen.config.model import tiny_fpdm
from signgen.config.pictures import PicturesConfig
from signgen.models import build_model
from signgen.models.pictures import stance
from signgen.pose.formats import write_poses
from signgen.pose.transforms import crop, resize
from signgen.rendering.framing import Crop, choose_crop
from signgen.rendering.renderer import Renderer
from signgen.structures import PoseSequence
from tests.material.paper_doll import REST, paper_doll

KNOWN = PicturesConfig(frames=9, aspect=0.8, shoulders=(0.3, 0.4), neck=(0.5, 0.4))


def doll_in(size: tuple[int, int], at: tuple[int, int], scale: float = 1) -> PoseSequence:
    """Poses of a doll of 280 x 240 times `scale`, its corner at (x, y) in a picture."""
    poses = paper_doll(scale=scale).poses
    return crop(poses, (-at[0], -at[1], size[1] - at[0], size[0] - at[1]))


# ----- choosing -----------------------------------------------------------------------------------


def test_a_picture_that_the_model_knows_is_rendered_whole() -> None:
    poses = paper_doll().poses  # shoulders 70 of 240
    known = replace(KNOWN, aspect=240 / 280)
    assert choose_crop(poses, None, known) is None
    assert choose_crop(poses, None, replace(known, shoulders=(0.5, 0.6))) is not None
    larger = replace(known, shoulders=(0.1, 0.2))
    assert choose_crop(poses, None, larger) is None, "there is nothing around it to show"
    assert choose_crop(poses, None, replace(known, aspect=0.6)) is not None, "of another shape"
    assert choose_crop(poses, None, PicturesConfig()) is None, "nothing is known"
    nobody = replace(poses, confidence=np.zeros_like(poses.confidence))
    assert choose_crop(nobody, None, KNOWN) is None


@pytest.mark.parametrize("at", [(0, 0), (300, 100), (560, 320)])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_a_small_signer_is_cut_out_as_large_as_the_model_knows(
    at: tuple[int, int], scale: float
) -> None:
    poses = doll_in((600, 800), at, scale)
    found = choose_crop(poses, None, KNOWN)
    assert found is not None
    height, width = found.size
    assert width / height == pytest.approx(0.8, abs=0.01)
    x0, y0, x1, y1 = found.box
    assert 0 <= x0 < x1 <= 800
    assert 0 <= y0 < y1 <= 600
    seen = poses.keypoints[poses.visible & (np.arange(133) != 16)]
    arms = seen[: len(seen)]
    inside = (arms >= (x0, y0)) & (arms <= (x1, y1))
    assert inside[:11].all(), "head and arms"
    stand = stance(found.place(poses))
    assert stand is not None
    assert stand.shoulders / width <= 0.4
    assert stand.shoulders / width >= 0.2, "smaller only where arms reach far"


def test_hands_that_reach_far_make_the_crop_larger() -> None:
    poses = doll_in((600, 800), (280, 160))
    wide = replace(poses, keypoints=poses.keypoints.copy())
    wide.keypoints[0, 91:112] += (250, 0)
    close, far = (choose_crop(one, None, KNOWN) for one in (poses, wide))
    assert close is not None
    assert far is not None
    assert far.size[1] > close.size[1]
    assert far.box[2] >= wide.keypoints[0, 91:112, 0].max()


def test_the_signer_of_the_source_is_inside_beside_other_poses() -> None:
    poses, signer = doll_in((600, 800), (340, 160)), doll_in((600, 800), (240, 160))
    found = choose_crop(poses, signer, KNOWN)
    assert found is not None
    for one in (poses, signer):
        arms = one.keypoints[0, 5:11]
        assert (arms > found.box[:2]).all()
        assert (arms < found.box[2:]).all()


def test_a_large_signer_is_padded_no_further_than_the_picture_reaches() -> None:
    poses = doll_in((280, 240), (-120, -80), 2)
    found = choose_crop(poses, None, replace(KNOWN, shoulders=(0.1, 0.2)))
    assert found is not None
    x0, y0, x1, y1 = found.box
    assert (x0, x1) == (0, 240)
    assert y0 <= 0 < 280 <= y1
    picture = np.random.default_rng(0).integers(0, 256, (280, 240, 3), np.uint8)
    padded = found.cut(picture)
    assert padded.shape == (*found.size, 3)
    assert (padded[-y0 : 280 - y0] == picture).all()
    assert (padded[0] == picture[0]).all(), "its border goes on"


# ----- pasting ------------------------------------------------------------------------------------

BOX = Crop((30, 0, 130, 80), (100, 160))


def test_outside_of_the_crop_and_where_nothing_changed_it_is_the_source() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (100, 160, 3), np.uint8)
    inside = BOX.cut(picture)
    assert (BOX.paste(picture, inside) == picture).all()
    changed = inside.copy()
    changed[40:50, 40:50] ^= 255
    pasted = BOX.paste(picture, changed)
    differs = (pasted != picture).any(axis=-1)
    assert differs[40:50, 70:80].all()
    assert differs.sum() == 100
    assert (BOX.paste(picture, 255 - inside)[80:] == picture[80:]).all()


def test_the_border_is_soft_but_for_the_edge_of_the_picture() -> None:
    black, white = np.zeros((100, 160, 3), np.uint8), np.full((80, 100, 3), 255, np.uint8)
    row = BOX.paste(black, white)[20, :, 0].astype(int)
    assert (row[:30] == 0).all()
    assert (np.diff(row[30:80]) >= 0).all()
    assert row[30] < 30
    assert np.diff(row).max() < 130
    column = BOX.paste(black, white)[:, 80, 0].astype(int)
    assert column[0] == 255, "the picture's own edge"
    assert column[79] < 30


# ----- rendering ----------------------------------------------------------------------------------


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
