"""What every dataset must keep once it is prepared, whatever its folders looked like."""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.config.data import DataConfig, PrepareFolderConfig, PreparePhoenixConfig
from signgen.config.model import tiny_fpdm
from signgen.data.dataset import ManifestDataset, bundled_sample, open_dataset
from signgen.data.deepfashion.preparation import prepare_deepfashion
from signgen.data.examples.loading import TripletDataset
from signgen.data.frame_cache.writing import write_cache
from signgen.data.manifest import Entry, Scan
from signgen.data.preparation.clips import prepare_folder, prepare_phoenix14t
from signgen.data.preparation.dataset import prepare_dataset
from signgen.media import write_video
from signgen.pose.skeleton import SKELETONS
from signgen.structures import FrameRef, Record
from tests.material.deepfashion_trees import write_tree

SAMPLE = open_dataset("sample")
FRAMES = next((bundled_sample() / "features").iterdir())


def unprepared(_: Path) -> str:
    return "sample"


def phoenix(folder: Path) -> str:
    out = str(folder / "out")
    prepare_phoenix14t(PreparePhoenixConfig(raw=str(bundled_sample()), out=out, estimator="none"))
    return out


def phoenix_as_videos(folder: Path) -> str:
    root, out = folder / "corpus", str(folder / "out")
    for part in ("annotations", "keypoints"):
        shutil.copytree(bundled_sample() / part, root / part)
    for entry in SAMPLE.manifest.entries:
        path = root / "videos" / f"{entry.name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        refs = [FrameRef(entry.record, index) for index in range(entry.record.num_frames)]
        write_video(path, map(SAMPLE.frame, refs), entry.fps)
    prepare_phoenix14t(PreparePhoenixConfig(raw=str(root), out=out, estimator="none"))
    return out


def own_recordings(folder: Path) -> str:
    videos, out = folder / "recordings", str(folder / "out")
    for record in SAMPLE.records("train")[:4]:
        clip = videos / record.signer / record.id
        shutil.copytree(FRAMES / "train" / record.id, clip)
        keys = bundled_sample() / "keypoints" / "train" / f"{record.id}.json"
        shutil.copy(keys, clip.with_suffix(".json"))
    prepare_folder(PrepareFolderConfig(videos=str(videos), out=out, estimator="none"))
    return out


def deepfashion(folder: Path) -> str:
    prepare_deepfashion(write_tree(folder / "fashion", "nted"), folder / "out")
    return str(folder / "out")


def another(folder: Path) -> str:
    """A corpus that signgen does not know: frames of all clips in one folder, `CLIP.NUMBER.png`."""
    (folder / "flat").mkdir()
    for path in (FRAMES / "train").glob("*_clip001/*.png"):
        number = path.stem.removeprefix("images")
        shutil.copy(path, folder / "flat" / f"{path.parent.name}.{number}.png")
    prepare_dataset(
        scan_flat(folder / "flat"),
        "flat",
        SAMPLE.skeleton,
        lambda entry: SAMPLE.poses(entry.record),
        folder / "out",
    )
    return str(folder / "out")


def scan_flat(folder: Path) -> Scan:
    """All that a new dataset needs: one function that looks through its folder."""
    counts = Counter(path.name.split(".")[0] for path in folder.glob("*.png"))
    entries = [
        Entry(Record(name, "train", name[:9], count), f"{name}.####.png", (260, 210), 25.0)
        for name, count in counts.items()
    ]
    return Scan(folder, tuple(entries), ())


DATASETS: list[Callable[[Path], str]] = [
    unprepared,
    phoenix,
    phoenix_as_videos,
    own_recordings,
    deepfashion,
    another,
]


@pytest.fixture(scope="module", params=DATASETS, ids=lambda make: make.__name__)
def dataset(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ManifestDataset:
    return open_dataset(request.param(tmp_path_factory.mktemp("dataset")))


def splits(dataset: ManifestDataset) -> list[str]:
    return list(dataset.manifest.counts())


def test_records_are_sorted_and_unique(dataset: ManifestDataset) -> None:
    assert "train" in splits(dataset)
    for split in splits(dataset):
        ids = [record.id for record in dataset.records(split)]
        assert ids == sorted(set(ids))
        assert {record.split for record in dataset.records(split)} == {split}


def test_frames_and_poses_fit_each_other(dataset: ManifestDataset) -> None:
    for split in splits(dataset):
        for record in dataset.records(split):
            poses = dataset.poses(record)
            last = dataset.pose(FrameRef(record, record.num_frames - 1))
            np.testing.assert_array_equal(last.keypoints, poses.keypoints[-1:])
            np.testing.assert_array_equal(last.confidence, poses.confidence[-1:])
            assert poses.skeleton == dataset.skeleton
            assert poses.keypoints.shape == (
                record.num_frames,
                SKELETONS[dataset.skeleton].num_keypoints,
                2,
            )
            assert poses.visible.any(axis=1).all()
            assert (poses.keypoints[~poses.visible] == 0).all()
            for index in {0, record.num_frames - 1}:
                frame = dataset.frame(FrameRef(record, index))
                assert frame.dtype == np.uint8
                assert frame.shape == (*poses.size, 3)


def test_key_points_lie_on_the_signer(dataset: ManifestDataset) -> None:
    record = dataset.records("train")[0]
    poses = dataset.poses(record)
    seen = poses.keypoints[poses.visible]
    inside = (seen >= 0) & (seen <= (poses.size[1], poses.size[0]))
    assert inside.all(axis=-1).mean() > 0.9
    assert np.ptp(seen, axis=0).min() > 0.2 * min(poses.size)


def test_frames_do_not_depend_on_the_order_they_are_asked_for(dataset: ManifestDataset) -> None:
    record = dataset.records("train")[0]
    refs = [FrameRef(record, index) for index in range(record.num_frames)]
    there = [dataset.frame(ref) for ref in refs]
    back = [dataset.frame(ref) for ref in reversed(refs)]
    for one, two in zip(there, reversed(back), strict=True):
        np.testing.assert_array_equal(one, two)
    assert any((there[0] != frame).any() for frame in there[1:])
    if dataset.name == "phoenix14t":
        drawn = SAMPLE.frame(FrameRef(SAMPLE.records("train")[0], 2))
        assert np.abs(there[2].astype(int) - drawn).mean() < 6  # H.264 is lossy


def test_listed_pairs_are_frames_of_one_record(dataset: ManifestDataset) -> None:
    for split in splits(dataset):
        listed = dataset.pairs(split)
        assert (listed is not None) == (dataset.name == "deepfashion")
        for pair in listed or ():
            assert pair.source.record == pair.target.record
            assert pair.source.index != pair.target.index
            assert max(pair.source.index, pair.target.index) < pair.source.record.num_frames


def test_travels_to_loader_processes(dataset: ManifestDataset) -> None:
    record = dataset.records("train")[-1]
    again = pickle.loads(pickle.dumps(dataset))
    assert again.records("train") == dataset.records("train")
    ref = FrameRef(record, 0)
    np.testing.assert_array_equal(again.frame(ref), dataset.frame(ref))


def test_trains_with_and_without_a_cache_on_the_same_examples(
    dataset: ManifestDataset, tmp_path: Path
) -> None:
    model = replace(tiny_fpdm(), skeleton=dataset.skeleton)
    write_cache(dataset, ["train"], tmp_path / "cache", model.size)
    plain, cached = (
        TripletDataset(dataset, DataConfig(workers=0, frame_cache=folder), model, seed=2)
        for folder in ("", str(tmp_path / "cache"))
    )
    for position in range(3):
        one, two = plain[position], cached[position]
        assert one.pose.max() > 0
        given = {name: value for name, value in vars(one).items() if value is not None}
        assert given.keys() == {k for k, value in vars(two).items() if value is not None}
        assert all(torch.equal(value, getattr(two, name)) for name, value in given.items())
