from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.config import DataConfig, tiny_fpdm
from signgen.data.dataset import open_dataset
from signgen.data.deepfashion import prepare_deepfashion
from signgen.data.loading import TripletDataset, batches, hand_mask, squash, to_pixels
from signgen.pose.draw import draw_pose
from signgen.pose.transforms import flip, hand_boxes, resize
from signgen.structures import PoseSequence, UserError
from tests.data.deepfashion_trees import write_tree


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


def test_loader_processes_start_after_opencv_used_its_threads() -> None:
    script = """
import cv2, numpy as np
from signgen.config import DataConfig, tiny_fpdm
from signgen.data.dataset import open_dataset
from signgen.data.loading import TripletDataset, batches
cv2.setNumThreads(4)
cv2.resize(np.zeros((2000, 2000, 3), np.uint8), (900, 900), interpolation=cv2.INTER_AREA)
dataset = TripletDataset(open_dataset("sample"), DataConfig(workers=1), tiny_fpdm(), 0)
next(batches(dataset, start=0, steps=1, batch_size=1))
"""
    # In a process of its own: a fork that waits for OpenCV's threads would wait forever.
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root, timeout=60)


def test_other_skeleton_is_refused(dataset: TripletDataset) -> None:
    model = replace(tiny_fpdm(), skeleton="openpose-18")
    with pytest.raises(UserError, match="openpose-18"):
        TripletDataset(dataset.adapter, dataset.config, model, 0)


# ----- augmentation -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fashion(tmp_path_factory: pytest.TempPathFactory) -> TripletDataset:
    folder = tmp_path_factory.mktemp("fashion")
    prepare_deepfashion(write_tree(folder / "fpdm", "fpdm"), folder / "out")
    model = replace(tiny_fpdm(), skeleton="openpose-18", pose_style="fpdm", size=(128, 96))
    return TripletDataset(open_dataset(str(folder / "out")), DataConfig(workers=0), model, seed=5)


def drawing(dataset: TripletDataset, poses: PoseSequence) -> torch.Tensor:
    """The first pose as the model wants it, (3, H, W) in [0, 1]."""
    size = dataset.model.size
    poses = resize(poses, size)
    points, confidence = poses.keypoints[0], poses.confidence[0]
    drawn = draw_pose(points, confidence, poses.skeleton, size, dataset.model.pose_style)
    return torch.from_numpy(drawn.copy()).permute(2, 0, 1).float() / 255


def varied(dataset: TripletDataset, seed: int = 5, **rates) -> TripletDataset:
    return TripletDataset(
        dataset.adapter, replace(dataset.config, **rates), dataset.model, seed=seed
    )


@pytest.mark.parametrize("name", ["dataset", "fashion"])
def test_without_rates_an_example_is_what_the_files_hold(
    name: str, request: pytest.FixtureRequest
) -> None:
    dataset = request.getfixturevalue(name)
    size = dataset.model.size
    for position in range(6):
        sample, triplet = dataset[position], dataset.triplet(position)
        index = triplet.target.index
        poses = resize(dataset.adapter.pose(triplet.target.record).frames([index]), size)
        points, confidence = poses.keypoints[0], poses.confidence[0]
        assert torch.equal(sample["pose"], drawing(dataset, poses))
        assert torch.equal(sample["source"], to_pixels(dataset.adapter.frame(triplet.source), size))
        assert torch.equal(sample["target"], to_pixels(dataset.adapter.frame(triplet.target), size))
        assert torch.equal(sample["hands"], hand_mask(hand_boxes(points, confidence), size))


def test_flip_mirrors_all_of_an_example(dataset: TripletDataset, fashion: TripletDataset) -> None:
    for plain in (dataset, fashion):
        flipped = varied(plain, flip_rate=1.0)
        for position in range(4):
            one, other = plain[position], flipped[position]
            for name in ("source", "target"):
                assert torch.equal(other[name], one[name].flip(-1))
            assert (other["hands"] - one["hands"].flip(-1)).abs().mean() < 0.05
            # Colours tell left from right and are swapped back, so only the outline is mirrored;
            # rounding to pixels moves it by up to one.
            drawn, mirrored = (s.amax(0) > 0 for s in (other["pose"], one["pose"].flip(-1)))
            for inner, outer in ((drawn, mirrored), (mirrored, drawn)):
                reach = torch.nn.functional.max_pool2d(outer[None].float(), 3, 1, 1)[0] > 0
                assert (inner & ~reach).sum() < 0.01 * inner.sum()
            assert not torch.equal(drawn, one["pose"].amax(0) > 0)
            target = plain.triplet(position).target
            poses = plain.adapter.pose(target.record).frames([target.index])
            flipped_last = flip(resize(poses, plain.model.size))
            assert torch.equal(other["pose"], drawing(plain, flipped_last))


def test_jitter_moves_the_drawing_alone(fashion: TripletDataset) -> None:
    one, other = fashion[2], varied(fashion, jitter=6.0)[2]
    assert torch.equal(one["source"], other["source"])
    assert torch.equal(one["target"], other["target"])
    assert not torch.equal(one["pose"], other["pose"])


def test_coarse_sources_lose_detail_and_targets_do_not(fashion: TripletDataset) -> None:
    coarse = varied(fashion, source_sides=(16,))
    one, other = fashion[1], coarse[1]
    frame = squash(fashion.adapter.frame(fashion.triplet(1).source), fashion.model.size)
    expected = to_pixels(squash(squash(frame, (16, 16)), fashion.model.size), fashion.model.size)
    assert torch.equal(other["source"], expected)
    assert torch.equal(one["target"], other["target"])
    assert other["source"].diff(dim=-1).abs().mean() < one["source"].diff(dim=-1).abs().mean()
    assert torch.equal(varied(fashion, source_sides=(128,))[1]["source"], one["source"])


def test_augmented_examples_are_pure_functions_of_seed_and_position(
    fashion: TripletDataset,
) -> None:
    rates = {"flip_rate": 0.5, "jitter": 1.0, "source_sides": (32, 128), "identity_rate": 0.0}
    one, again, other = (varied(fashion, seed, **rates) for seed in (5, 5, 6))
    order = range(8)
    samples = {position: one[position] for position in order}
    for position in reversed(order):
        repeated = again[position]
        assert all(torch.equal(repeated[name], samples[position][name]) for name in repeated)
    assert any(not torch.equal(other[p]["pose"], samples[p]["pose"]) for p in order)


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ({"flip_rate": 1.5}, "flip_rate is 1.5"),
        ({"jitter": -1.0}, "jitter is -1.0"),
        ({"source_sides": (256, 0)}, r"source_sides is \[256, 0\]"),
    ],
)
def test_rates_out_of_range_are_refused(dataset: TripletDataset, rates: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        varied(dataset, **rates)
