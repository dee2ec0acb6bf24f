from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from signgen.config import DataConfig, tiny_fpdm
from signgen.data.dataset import open_dataset
from signgen.data.loading import TripletDataset, batches, hand_mask, to_pixels
from signgen.structures import UserError


@pytest.fixture(scope="module")
def dataset() -> TripletDataset:
    return TripletDataset(open_dataset("sample"), DataConfig(workers=0), tiny_fpdm(), seed=5)


def test_to_pixels_keeps_values_and_range() -> None:
    frame = np.full((20, 30, 3), (0, 127, 255), np.uint8)
    pixels = to_pixels(frame, (10, 15))
    assert pixels.shape == (3, 10, 15)
    torch.testing.assert_close(pixels[:, 0, 0], torch.tensor([-1.0, 127 / 127.5 - 1, 1.0]))


def test_hand_mask_covers_the_box_and_clips_it() -> None:
    mask = hand_mask([(-5.0, 2.0, 3.0, 4.0)], (6, 8))
    assert mask.sum() == 6
    assert mask[0, 2:4, 0:3].all()


def test_batch_fields_have_the_documented_shapes_and_ranges(dataset: TripletDataset) -> None:
    batch = next(batches(dataset, start=0, steps=1, batch_size=3))
    assert batch.source.shape == batch.target.shape == batch.pose.shape == (3, 3, 64, 48)
    assert batch.hands.shape == (3, 1, 64, 48)
    assert batch.source.min() >= -1
    assert batch.target.max() <= 1
    assert batch.pose.min() >= 0
    assert 0 < batch.pose.max() <= 1
    assert batch.hands.sum() > 0


def test_order_does_not_depend_on_start_workers_or_processes(dataset: TripletDataset) -> None:
    whole = [b.target for b in batches(dataset, start=0, steps=4, batch_size=2)]
    resumed = [b.target for b in batches(dataset, start=2, steps=4, batch_size=2)]
    torch.testing.assert_close(torch.stack(whole[2:]), torch.stack(resumed))
    with_worker = TripletDataset(
        dataset.adapter, replace(dataset.config, workers=1), dataset.model, dataset.seed
    )
    torch.testing.assert_close(
        torch.stack(whole),
        torch.stack([b.target for b in batches(with_worker, start=0, steps=4, batch_size=2)]),
    )
    ranks = [
        list(batches(dataset, start=0, steps=2, batch_size=2, rank=r, world=2)) for r in range(2)
    ]
    interleaved = [ranks[r][s].target for s in range(2) for r in range(2)]
    torch.testing.assert_close(torch.stack(whole), torch.stack(interleaved))


def test_other_skeleton_is_refused(dataset: TripletDataset) -> None:
    model = replace(tiny_fpdm(), skeleton="openpose-18")
    with pytest.raises(UserError, match="openpose-18"):
        TripletDataset(dataset.adapter, dataset.config, model, 0)
