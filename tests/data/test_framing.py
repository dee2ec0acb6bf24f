"""Framing: which part of a picture a model sees, how it is pasted back, and training on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from signgen.config.pictures import PicturesConfig
from signgen.data.dataset import open_dataset
from signgen.data.framing import Crop, FramedDataset, choose_crop
from signgen.models.pictures import stance
from signgen.pose.transforms import crop
from signgen.structures import FrameRef, PoseSequence
from tests.material.paper_doll import paper_doll

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


# ----- training -----------------------------------------------------------------------------------


def test_records_are_cut_to_what_a_model_would_render_of_them() -> None:
    whole = open_dataset("sample", ["train"])
    record = whole.records("train")[0]
    ref = FrameRef(record, record.num_frames - 1)
    assert (FramedDataset(whole, PicturesConfig()).frame(ref) == whole.frame(ref)).all()
    stand = stance(whole.poses(record))
    assert stand is not None
    share = stand.shoulders / whole.frame(ref).shape[1]
    framed = FramedDataset(whole, replace(KNOWN, shoulders=(2 * share, 2.2 * share)))
    found = choose_crop(whole.poses(record), None, framed.known)
    assert found is not None
    assert (framed.frame(ref) == found.cut(whole.frame(ref))).all()
    assert framed.pose(ref).size == found.size == framed.poses(record).size
    assert (framed.pose(ref).keypoints[0] == framed.poses(record).keypoints[-1]).all()
    parts, before = framed.parts(ref), whole.parts(ref)
    assert parts is not None
    assert before is not None
    assert (parts.labels == found.cut(before.labels)).all()
    for ours, theirs in ((framed.records, whole.records), (framed.pairs, whole.pairs)):
        assert ours("train") == theirs("train")
