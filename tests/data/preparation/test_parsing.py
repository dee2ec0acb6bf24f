"""Human parsing that comes with data, is given, or is made by a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.config.data import PrepareFolderConfig, PreparePhoenixConfig
from signgen.data.dataset import (
    ManifestDataset,
    bundled_sample,
    open_dataset,
    parts_of,
)
from signgen.data.examples.regions import check_parts
from signgen.data.preparation.clips import prepare_folder, prepare_phoenix14t
from signgen.human_parsing.label_sets import LABEL_SETS
from signgen.human_parsing.maps import Parts
from signgen.pose.formats import read_poses, write_poses
from signgen.structures import ExitCode, FrameRef, Record, UserError
from tests.material.tiny_parsers import tiny_parser

SAMPLE = bundled_sample()
FRAMES = next((SAMPLE / "features").iterdir())
RECORDS = [path.name for path in sorted((FRAMES / "train").iterdir())[:2]]


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two clips of the sample in a folder of their own, four frames each."""
    for name in RECORDS:
        (tmp_path / "recordings" / name).mkdir(parents=True)
        for path in sorted((FRAMES / "train" / name).iterdir())[:4]:
            shutil.copy(path, tmp_path / "recordings" / name)
        poses = read_poses(SAMPLE / "keypoints" / "train" / f"{name}.json").frames(slice(4))
        write_poses(poses, tmp_path / "recordings" / f"{name}.json")
    return tmp_path / "recordings"


def prepare(recordings: Path, parsing: Path, label_set: str | None = None) -> ManifestDataset:
    out = recordings.parent / "out"
    prepare_folder(
        PrepareFolderConfig(
            videos=str(recordings),
            out=str(out),
            estimator="none",
            parsing=str(parsing),
            label_set=label_set,
        )
    )
    return open_dataset(str(out))


def own_parts(dataset: ManifestDataset, name: str, index: int) -> Parts:
    record = next(
        record
        for split in dataset.manifest.counts()
        for record in dataset.records(split)
        if record.id == name
    )
    return parts_of(dataset, FrameRef(record, index))


def true_parts(name: str, index: int) -> np.ndarray:
    return parts_of(open_dataset("sample"), FrameRef(Record(name, "train", "", 12), index)).labels


def test_maps_of_a_tree_come_with_their_label_set(tmp_path: Path) -> None:
    sample = open_dataset("sample")
    out = str(tmp_path / "out")
    prepare_phoenix14t(PreparePhoenixConfig(raw=str(SAMPLE), out=out, estimator="none"))
    for dataset in (sample, open_dataset(out)):
        record = dataset.records("dev")[0]
        parts = parts_of(dataset, FrameRef(record, 3))
        assert parts.labelled is LABEL_SETS["signgen-10"]
        assert parts.labels.shape == (260, 210)
        # The face lies where its key points are
        pose = dataset.pose(FrameRef(record, 3))
        x, y = pose.keypoints[0, 0].astype(int)
        assert parts.labels[y, x] == parts.labelled.number("face")


def test_given_maps_are_found_by_path_or_by_record(recordings: Path, tmp_path: Path) -> None:
    by_path = tmp_path / "maps"
    shutil.copytree(SAMPLE / "parts" / "train", by_path)
    dataset = prepare(recordings, by_path, "signgen-10")
    for name in RECORDS:
        np.testing.assert_array_equal(own_parts(dataset, name, 2).labels, true_parts(name, 2))
    split = dataset.manifest.entries[0].record.split
    shutil.rmtree(tmp_path / "out")
    by_path.rename(tmp_path / split)
    (tmp_path / "by_record").mkdir()
    (tmp_path / split).rename(tmp_path / "by_record" / split)
    (tmp_path / "by_record" / "label_set.txt").write_text("signgen-10")
    dataset = prepare(recordings, tmp_path / "by_record")
    np.testing.assert_array_equal(
        own_parts(dataset, RECORDS[1], 1).labels, true_parts(RECORDS[1], 1)
    )


def test_a_network_parses_once(recordings: Path, tmp_path: Path) -> None:
    network = tiny_parser(tmp_path / "net", LABEL_SETS["fashn-18"].labels)
    dataset = prepare(recordings, network)
    assert dataset.manifest.label_set == "fashn-18"
    first = own_parts(dataset, RECORDS[0], 1)
    assert first.labels.shape == (260, 210)
    assert first.regions(("face", "cloth", "body", "hands"), (32, 26)).shape == (32, 26)

    # Maps that are there are not made again, those of another network are not mixed with them
    made = sorted((tmp_path / "out" / "parts").rglob("*.png"))
    times = [path.stat().st_mtime_ns for path in made]
    assert len(made) == 8
    prepare(recordings, network)
    assert [path.stat().st_mtime_ns for path in made] == times
    other = tiny_parser(tmp_path / "other", LABEL_SETS["atr-18"].labels)
    with pytest.raises(UserError, match=r"has label maps of .*net; --parsing is .*other"):
        prepare(recordings, other)
    with pytest.raises(UserError, match=r"--label-set is lip-20; .* has the labels of fashn-18"):
        prepare(recordings, network, "lip-20")


def without_one(maps: Path) -> None:
    (maps / RECORDS[0] / "images0003.png").unlink()


def of_another_size(maps: Path) -> None:
    Image.new("L", (20, 20)).save(maps / RECORDS[1] / "images0002.png")


def empty(maps: Path) -> None:
    Image.new("L", (210, 260)).save(maps / RECORDS[0] / "images0001.png")


def unnamed(maps: Path) -> None:
    (maps / "label_set.txt").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_one, "images0003.png does not exist; expected a label map for each frame"),
        (of_another_size, r"images0002.png is 20 x 20 pixels .* its frame has 210 x 260"),
        (empty, "images0001.png shows nobody: all of it is background"),
        (unnamed, "does not say what its labels mean"),
    ],
)
def test_maps_that_do_not_fit_are_refused(
    recordings: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    shutil.copytree(SAMPLE / "parts" / "train", tmp_path / "maps")
    (tmp_path / "maps" / "label_set.txt").write_text("signgen-10")
    damage(tmp_path / "maps")
    with pytest.raises(UserError, match=message) as caught:
        prepare(recordings, tmp_path / "maps")
    assert "\n" not in str(caught.value)


def test_data_without_parsing_say_what_makes_it(recordings: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    prepare_folder(PrepareFolderConfig(videos=str(recordings), out=out, estimator="none"))
    dataset = open_dataset(out)
    (split,) = dataset.manifest.counts()
    with pytest.raises(UserError, match=r"no human parsing of .* with --parsing") as caught:
        check_parts(dataset, split, ("face",))
    assert caught.value.code == ExitCode.NO_INPUT
    check_parts(dataset, split, ())


def test_data_cannot_give_a_region_that_their_labels_lack(recordings: Path, tmp_path: Path) -> None:
    dataset = prepare(recordings, tiny_parser(tmp_path / "net", LABEL_SETS["lip-20"].labels))
    (split,) = dataset.manifest.counts()
    check_parts(dataset, split, ("face", "cloth", "body"))
    with pytest.raises(UserError, match=r"images0001.png: its label set lip-20 has no region hand"):
        check_parts(dataset, split, ("face", "cloth", "hands"))
