"""Guides: the source moved to the target's pose, made or read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.data.dataset import open_dataset
from signgen.data.examples.batching import batches
from signgen.data.examples.guides import GuideMaker, guide_of, to_pixels, unknown_guide
from signgen.data.examples.loading import TripletDataset
from signgen.media.resizing import resize_image
from signgen.pose.transforms import resize
from signgen.pose.warping import prepare_source, warp
from signgen.structures import FrameRef, Guide, Triplet

SIZE = (128, 104)


@pytest.fixture(scope="module")
def adapter():
    return open_dataset("sample")


def pair(adapter, source: int, target: int) -> tuple[Triplet, np.ndarray]:
    record = adapter.records("train")[0]
    triplet = Triplet(FrameRef(record, source), FrameRef(record, target))
    return triplet, resize_image(adapter.frame(triplet.source), SIZE, "area")


def planes(guide: Guide) -> list[torch.Tensor]:
    return [guide.warped, guide.source, guide.moved, guide.masks]


def test_a_guide_is_what_the_warp_made(adapter) -> None:
    triplet, source = pair(adapter, 0, 9)
    before, after = (resize(adapter.pose(ref), SIZE) for ref in (triplet.source, triplet.target))
    warped = warp(
        prepare_source(source, before.keypoints[0], before.confidence[0]),
        after.keypoints[0],
        after.confidence[0],
    )
    direct, made = guide_of(source, warped), GuideMaker(adapter, SIZE).make(triplet, source)
    for one, other in zip(planes(direct), planes(made), strict=True):
        assert torch.allclose(one, other, atol=1 / 255)
    assert torch.equal(made.warped[0], to_pixels(warped.picture))
    # By rule: what did not move is the source's own, and what moved is told
    still = (made.moved == 0).expand_as(made.warped)
    assert torch.equal(made.warped[still], made.source[still])
    assert not still.all()
    assert torch.equal(made.moved == 0, direct.moved == 0)


def test_a_source_in_its_own_pose_does_not_move(adapter) -> None:
    triplet, source = pair(adapter, 3, 3)
    guide = GuideMaker(adapter, SIZE).make(triplet, source)
    assert float(guide.moved.max()) == 0
    assert torch.equal(guide.warped, guide.source)


def test_a_source_without_key_points_may_move_anywhere() -> None:
    source = np.random.default_rng(0).integers(256, size=(*SIZE, 3), dtype=np.uint8)
    guide = unknown_guide(source)
    assert torch.equal(guide.warped, guide.source)
    assert float(guide.moved.min()) == 1
    assert float(guide.masks.max()) == 0
    assert guide.masks.shape == (1, 3, *SIZE)


def test_what_was_kept_is_read_back_and_not_for_another_picture(adapter, tmp_path: Path) -> None:
    triplet, source = pair(adapter, 0, 9)
    made = GuideMaker(adapter, SIZE, tmp_path).make(triplet, source)
    (file,) = tmp_path.rglob("*.npz")
    written = file.stat().st_mtime_ns
    again = GuideMaker(adapter, SIZE, tmp_path).make(triplet, source)
    assert all(map(torch.equal, planes(made), planes(again)))
    assert file.stat().st_mtime_ns == written
    other = GuideMaker(adapter, SIZE, tmp_path).make(triplet, 255 - source)
    assert torch.equal(other.source[0], to_pixels(255 - source))
    assert len(list(tmp_path.rglob("*.npz"))) == 2


def test_batches_carry_guides_and_mirror_them(adapter, tmp_path: Path) -> None:
    config = DataConfig(workers=0, unknown_source_rate=0.5, warp_cache=str(tmp_path))
    plain, flipped = (
        TripletDataset(adapter, replace(config, flip_rate=rate), tiny_fpdm(), 3, guided=True)
        for rate in (0.0, 1.0)
    )
    batch = next(batches(plain, start=0, steps=1, batch_size=8))
    mirrored = next(batches(flipped, start=0, steps=1, batch_size=8))
    assert batch.guide is not None
    assert mirrored.guide is not None
    assert batch.guide.masks.shape == (8, 3, 64, 48)
    for one, other in zip(planes(batch.guide), planes(mirrored.guide), strict=True):
        assert torch.equal(one.flip(-1), other)
    unknown = batch.guide.masks.flatten(1).amax(dim=1) == 0
    assert 0 < int(unknown.sum()) < 8, "some sources have no key points"
    assert (
        next(
            batches(TripletDataset(adapter, config, tiny_fpdm(), 3), start=0, steps=1, batch_size=2)
        ).guide
        is None
    )
