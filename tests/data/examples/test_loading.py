from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.data.deepfashion.preparation import prepare_deepfashion
from signgen.data.examples.augmentation import choose_side, choose_window, flips
from signgen.data.examples.batching import _serve, batches
from signgen.data.examples.loading import Example, TripletDataset, box_mask, to_pixels
from signgen.data.examples.triplets import with_few_sources
from signgen.media import write_video
from signgen.media.resizing import resize_image
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.transforms import flip, hand_boxes, resize
from signgen.structures import FrameRef, PoseSequence, Record, Triplet, UserError
from tests.material.deepfashion_trees import write_tree
from tests.material.places import ROOT


@pytest.fixture(scope="module")
def dataset() -> TripletDataset:
    return TripletDataset(open_dataset("sample"), DataConfig(workers=0), tiny_fpdm(), seed=5)


def test_to_pixels_keeps_values_and_range() -> None:
    frame = np.full((10, 15, 3), (0, 127, 255), np.uint8)
    pixels = to_pixels(frame)
    assert pixels.shape == (3, 10, 15)
    torch.testing.assert_close(pixels[:, 0, 0], torch.tensor([-1.0, 127 / 127.5 - 1, 1.0]))


def test_box_mask_covers_the_box_and_clips_it() -> None:
    mask = box_mask([(-5.0, 2.0, 3.0, 4.0)], (6, 8))
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
    def targets(examples: TripletDataset, start: int, steps: int, **process: int) -> list[Tensor]:
        made = batches(examples, start=start, steps=steps, batch_size=2, **process)
        return [batch.target for batch in made]

    whole = targets(dataset, 0, 4)
    assert all(map(torch.equal, targets(dataset, 2, 4), whole[2:]))
    assert all(map(torch.equal, targets(varied(dataset, workers=1), 0, 4), whole))
    ranks = [targets(dataset, 0, 2, rank=rank, world=2) for rank in range(2)]
    assert all(map(torch.equal, [ranks[r][s] for s in range(2) for r in range(2)], whole))


def test_loader_processes_start_after_opencv_used_its_threads() -> None:
    script = """
import cv2, numpy as np
from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.data.examples.batching import batches
from signgen.data.examples.loading import TripletDataset
cv2.setNumThreads(4)
cv2.resize(np.zeros((2000, 2000, 3), np.uint8), (900, 900), interpolation=cv2.INTER_AREA)
dataset = TripletDataset(open_dataset("sample"), DataConfig(workers=1), tiny_fpdm(), 0)
next(batches(dataset, start=0, steps=1, batch_size=1))
"""
    # In a process of its own: a fork that waits for OpenCV's threads would wait forever.
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, timeout=60)


@pytest.mark.skipif(not find_spec("decord"), reason="decord is not installed here")
def test_decord_gives_a_loader_process_the_batches_of_pyav(tmp_path: Path) -> None:
    sample = open_dataset("sample")
    entries = sample.manifest.split("train")[:2]
    for entry in entries:
        refs = [FrameRef(entry.record, index) for index in range(entry.record.num_frames)]
        write_video(tmp_path / f"{entry.record.id}.mp4", map(sample.frame, refs), entry.fps)
    videos = tuple(replace(entry, frames=f"{entry.record.id}.mp4") for entry in entries)
    manifest = replace(sample.manifest, root=tmp_path, entries=videos)
    plain, *others = (
        TripletDataset(ManifestDataset(manifest, reader), DataConfig(workers=n), tiny_fpdm(), 1)
        for reader, n in (("pyav", 0), ("pyav", 1), ("decord", 1))
    )
    expected = list(batches(plain, start=0, steps=3, batch_size=2))
    for other in others:
        other[0]  # a video is open when the loader forks
        for one, two in zip(batches(other, start=0, steps=3, batch_size=2), expected, strict=True):
            assert torch.equal(one.source, two.source)
            assert torch.equal(one.target, two.target)


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


def equal(one: Example, other: Example) -> bool:
    names = ("source", "target", "pose", "hands", "face")
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


def varied(dataset: TripletDataset, seed: int = 5, **rates) -> TripletDataset:
    return TripletDataset(
        dataset.adapter, replace(dataset.config, **rates), dataset.model, seed=seed
    )


def test_signals_to_the_whole_group_leave_the_loaders_at_work() -> None:
    def signalled(_: int) -> None:
        _serve(0)
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.raise_signal(name)

    loader = DataLoader(torch.arange(2), num_workers=1, worker_init_fn=signalled)  # type: ignore[arg-type]
    assert [int(value) for value in loader] == [0, 1]


def test_targets_of_a_batch_stay_together_when_pairs_are_shuffled(dataset: TripletDataset) -> None:
    grouped = TripletDataset(
        dataset.adapter,
        replace(dataset.config, targets_per_record=4, pairs=12, identity_rate=0.0),
        dataset.model,
        seed=5,
    )
    epochs = [[grouped.triplet(position) for position in range(i, i + 12)] for i in (0, 12)]
    for epoch in epochs:
        for start in range(0, 12, 4):
            targets = [triplet.target for triplet in epoch[start : start + 4]]
            assert len({target.record.id for target in targets}) == 1
            assert len(set(targets)) == 4
    assert set(epochs[0]) == set(epochs[1])


def test_targets_of_one_source_are_told_apart_by_the_pose_alone(dataset: TripletDataset) -> None:
    rates = {"colour_jitter": 0.4, "flip_rate": 0.5, "identity_rate": 0.0}
    config = replace(dataset.config, targets_per_record=4, **rates)
    grouped = TripletDataset(dataset.adapter, config, dataset.model, seed=5)
    groups = [[grouped[position].source for position in range(i, i + 4)] for i in (0, 4, 8, 12)]
    for one, *others in groups:
        assert all(torch.equal(other, one) for other in others)
    assert not any(torch.equal(one[0], two[0]) for one, two in pairwise(groups))


@pytest.mark.parametrize("name", ["dataset", "fashion"])
def test_without_rates_an_example_is_what_the_files_hold(
    name: str, request: pytest.FixtureRequest
) -> None:
    dataset = request.getfixturevalue(name)
    size = dataset.model.size
    for position in range(6):
        sample, triplet = dataset[position], dataset.triplet(position)
        poses = resize(dataset.adapter.pose(triplet.target), size)
        points, confidence = poses.keypoints[0], poses.confidence[0]
        assert torch.equal(sample.pose, drawing(dataset, poses))
        for part in ("source", "target"):
            frame = resize_image(dataset.adapter.frame(getattr(triplet, part)), size, "area")
            assert torch.equal(getattr(sample, part), to_pixels(frame))
        assert torch.equal(sample.hands, box_mask(hand_boxes(points, confidence), size))


def test_flip_mirrors_all_of_an_example(dataset: TripletDataset, fashion: TripletDataset) -> None:
    for plain in (dataset, fashion):
        flipped = varied(plain, flip_rate=1.0)
        for position in range(4):
            one, other = plain[position], flipped[position]
            assert torch.equal(other.source, one.source.flip(-1))
            assert torch.equal(other.target, one.target.flip(-1))
            assert (other.hands - one.hands.flip(-1)).abs().mean() < 0.05
            # Colours tell left from right and are swapped back, so the drawing is made anew.
            pose = plain.adapter.pose(plain.triplet(position).target)
            assert torch.equal(other.pose, drawing(plain, flip(resize(pose, plain.model.size))))
            assert not torch.equal(other.pose, one.pose)
            mirrored = one.pose.flip(-1).amax(0) > 0
            assert ((other.pose.amax(0) > 0) ^ mirrored).sum() < 0.5 * mirrored.sum()


def test_augmented_examples_are_pure_functions_of_seed_and_position(
    fashion: TripletDataset,
) -> None:
    rates = {"flip_rate": 0.5, "jitter": 1.0, "source_sides": (32, 128), "identity_rate": 0.0}
    one, again, other = (varied(fashion, seed, **rates) for seed in (5, 5, 6))
    order = range(8)
    examples = [one[position] for position in order]
    for position in reversed(order):
        assert equal(again[position], examples[position])
    assert not any(equal(other[position], examples[position]) for position in order)


def test_windows_are_parts_of_the_whole_mostly_around_hands_and_faces(
    dataset: TripletDataset,
) -> None:
    # On a picture whose hands are smaller than the window
    large = TripletDataset(
        dataset.adapter, dataset.config, replace(dataset.model, size=(128, 104)), seed=5
    )
    cut = TripletDataset(
        large.adapter, replace(large.config, window=32), large.model, seed=5, guided=True
    )
    hands = faces = 0.0
    for position in range(40):
        poses = resize(large.adapter.pose(large.triplet(position).target), (128, 104))
        rows, columns = choose_window(poses, 32, 5, position)
        hands += float(large[position].hands[:, rows, columns].mean()) / 40
        faces += float(large[position].face[:, rows, columns].mean()) / 40
        if position < 4:
            whole, part = cut.whole(position, guided=True), cut[position]
            assert torch.equal(part.source, whole.source)
            for name in ("target", "pose", "hands", "face"):
                assert torch.equal(getattr(part, name), getattr(whole, name)[:, rows, columns])
            assert torch.equal(part.guide.warped, whole.guide.warped[..., rows, columns])
            assert torch.equal(part.guide.moved, whole.guide.moved[..., rows, columns])
    assert hands > 2 * float(large[0].hands.mean())
    assert faces > 0.15


def test_colours_change_alike_in_source_target_and_what_was_moved(dataset: TripletDataset) -> None:
    def guided(**rates) -> TripletDataset:
        config = replace(dataset.config, unknown_source_rate=0.0, identity_rate=1.0, **rates)
        return TripletDataset(dataset.adapter, config, dataset.model, 5, guided=True)

    plain, jittered = guided(), guided(colour_jitter=0.3)
    for position in range(3):
        one, other = plain[position], jittered[position]
        assert not torch.allclose(one.target, other.target, atol=0.01)
        # The source is the target, so that all four pictures are the same, whatever the colours
        pictures = (other.source, other.guide.source[0], other.guide.warped[0])
        assert all(torch.equal(picture, other.target) for picture in pictures)
        assert torch.equal(one.pose, other.pose)


def test_few_sources_are_spread_over_a_record() -> None:
    record = Record("a", "train", "s", num_frames=24)

    def source(index: int, target: int, count: int) -> int:
        pair = Triplet(FrameRef(record, index), FrameRef(record, target))
        return with_few_sources(pair, count).source.index

    assert [source(index, 20, 2) for index in (0, 11, 12, 23)] == [6, 6, 18, 18]
    assert [source(index, 20, 0) for index in (0, 11)] == [0, 11]
    assert source(20, 20, 2) == 20, "identity pairs stay"


def test_rates_out_of_range_and_another_skeleton_are_refused(dataset: TripletDataset) -> None:
    for rates, message in (
        ({"flip_rate": 1.5}, "flip_rate is 1.5"),
        ({"jitter": -1.0}, "jitter is -1.0"),
        ({"source_sides": (256, 0)}, r"source_sides is \[256, 0\]; expected at least 1"),
        ({"colour_jitter": 1.0}, "colour_jitter is 1.0; expected 0 or more, less than 1"),
        ({"source_frames": -1}, "source_frames is -1; expected 0 or more"),
        ({"unknown_source_rate": 2.0}, "unknown_source_rate is 2.0"),
        ({"window": 64}, "window is 64; expected .* the shorter side of .*, 48"),
        ({"window": 24}, "window is 24; expected .* multiple of 16"),
    ):
        with pytest.raises(UserError, match=message):
            varied(dataset, **rates)
    with pytest.raises(UserError, match="openpose-18"):
        TripletDataset(
            dataset.adapter, dataset.config, replace(tiny_fpdm(), skeleton="openpose-18"), 0
        )


# ----- as published -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(fashion: TripletDataset) -> TripletDataset:
    """The published pipeline of DeepFashion, an eighth of its size."""
    model = replace(
        fashion.model,
        size=(64, 48),
        source_size=(64, 64),
        resize="bicubic",
        pose_canvas=(550, 375),
        pose_canvas_render=(30, 30),
    )
    config = replace(fashion.config, flip_rate=0.5, jitter=8.0, source_sides=(32, 64))
    return TripletDataset(fashion.adapter, config, model, seed=5)


def pillow(frame: np.ndarray, *sizes: tuple[int, int]) -> np.ndarray:
    """Squash with Pillow to one size after the other, along rows first."""
    picture = Image.fromarray(frame)
    for height, width in sizes:
        picture = picture.resize((width, picture.height), Image.Resampling.BICUBIC)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def slow_example(dataset: TripletDataset, position: int) -> dict[str, np.ndarray]:
    """An example as uint8 pictures, joint by joint and number by number."""
    triplet, config = dataset.triplet(position), dataset.config
    side = choose_side(config.source_sides, 5, position)
    assert side is not None
    poses = dataset.adapter.poses(triplet.target.record)
    noise = np.random.default_rng((5, 4, position)).standard_normal((18, 2)) * config.jitter
    points, present = np.zeros((18, 2)), np.ones(18)
    for joint in range(18):
        for axis, (native, wide) in enumerate(zip(poses.size[::-1], (375, 550), strict=True)):
            value = float(poses.keypoints[triplet.target.index, joint, axis]) * wide / native
            value += noise[joint, axis]
            if value < 0 or poses.confidence[triplet.target.index, joint] == 0:
                present[joint] = 0
            points[joint, axis] = wide - 1 if value > wide else value
    source, target = (dataset.adapter.frame(ref) for ref in (triplet.source, triplet.target))
    if flipped := flips(5, position, config.flip_rate):
        swapped = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]
        points, present = points[swapped], present[swapped]
        points[:, 0] = 374 - points[:, 0]
    large = draw_pose(points, present, "openpose-18", (550, 375), "fpdm")
    pictures = [
        pillow(source, (side, side), (64, 64)),
        pillow(target, (64, 48)),
    ]
    mirrored = [picture[:, ::-1] if flipped else picture for picture in pictures]
    return dict(
        zip(("source", "target", "pose"), [*mirrored, pillow(large, (64, 48))], strict=True)
    )


def test_examples_are_those_of_the_published_pipeline(published: TripletDataset) -> None:
    seen = set()
    for position in range(12):
        sample, slow = published[position], slow_example(published, position)
        for name, scale in (("source", 127.5), ("target", 127.5), ("pose", 255.0)):
            offset = 0 if name == "pose" else 1
            got = ((getattr(sample, name).permute(1, 2, 0).numpy() + offset) * scale).round()
            assert np.array_equal(got, slow[name]), (position, name)
        side = choose_side((32, 64), 5, position)
        seen.add((flips(5, position, 0.5), side))
    assert len(seen) == 4, "all combinations of sides and flips should have come up"


def test_batches_hold_sources_of_their_own_size(published: TripletDataset) -> None:
    batch = next(batches(published, start=0, steps=1, batch_size=3))
    assert batch.source.shape == (3, 3, 64, 64)
    assert batch.target.shape == batch.pose.shape == (3, 3, 64, 48)
    assert batch.hands.shape == (3, 1, 64, 48)


def test_memory_holds_every_size_of_a_frame(published: TripletDataset) -> None:
    kept = varied(published, cache=True)
    for _ in range(2):
        for position in range(6):
            assert equal(published[position], kept[position])


def test_hands_are_found_at_the_models_size(dataset: TripletDataset) -> None:
    model = replace(dataset.model, pose_canvas=(260, 210))
    for rate in (0.0, 1.0):
        plain = varied(dataset, flip_rate=rate)
        drawn_larger = TripletDataset(dataset.adapter, plain.config, model, dataset.seed)
        for position in range(3):
            one, other = plain[position], drawn_larger[position]
            assert torch.equal(one.hands, other.hands)
            assert not torch.equal(one.pose, other.pose)


def test_examples_of_a_clip_share_what_augmentation_draws() -> None:
    config = DataConfig(workers=0, flip_rate=0.5, colour_jitter=0.3, source_sides=(24, 64))
    opened = open_dataset("sample")
    dataset = TripletDataset(opened, config, tiny_fpdm(), seed=5, clip=4)
    clips = [range(first, first + 4) for first in range(0, 48, 4)]
    for clip in clips:
        assert all(torch.equal(dataset[p].source, dataset[clip[0]].source) for p in clip)
    # A target is its frame, mirrored or not and recoloured as the other targets of its clip
    plain = TripletDataset(opened, DataConfig(workers=0), tiny_fpdm(), seed=5, clip=4)
    mirrored = [flips(5, number, 0.5) for number in range(len(clips))]
    assert 0 < sum(mirrored) < len(mirrored)
    for number, clip in enumerate(clips):
        for p in clip:
            shown = dataset[p].pose
            assert torch.equal(shown, plain[p].pose) != mirrored[number]


def test_data_without_clips_are_refused(fashion: TripletDataset) -> None:
    opened = open_dataset("sample")
    for data, clip, said in (
        (DataConfig(), 99, "split train has videos of .* frames at most, and a clip has 99"),
        (
            DataConfig(min_distance=3),
            4,
            "data.min_distance is 3, and the frames of a clip have one",
        ),
    ):
        with pytest.raises(UserError, match=said):
            TripletDataset(opened, data, tiny_fpdm(), seed=5, clip=clip)
    with pytest.raises(UserError, match="lists its pairs, and clips are drawn from videos"):
        TripletDataset(fashion.adapter, fashion.config, fashion.model, seed=5, clip=2)
