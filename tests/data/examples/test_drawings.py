"""Training on poses drawn beforehand: the same examples, also without key points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.config.train import TrainConfig
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.data.examples.batching import batches
from signgen.data.examples.loading import TripletDataset
from signgen.errors import ExitCode, UserError
from signgen.structures import FrameRef
from signgen.training.loop import train

CANVAS = (130, 105)


@pytest.fixture(scope="module")
def sample() -> ManifestDataset:
    return open_dataset("sample", ("train",))


@pytest.fixture(scope="module")
def folder(sample: ManifestDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings of the first frames of the sample; the frames' first folder is left out."""
    folder = tmp_path_factory.mktemp("pose_img")
    model = replace(tiny_fpdm(), pose_canvas=CANVAS)
    drawing = TripletDataset(sample, DataConfig(), model, seed=0).drawing
    for record in sample.records("train"):
        for index in range(record.num_frames):
            path = Path(sample.entry(record).frame_path(index))
            path = folder / Path(*path.parts[1:]).with_suffix(".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            pose = sample.pose(FrameRef(record, index))
            Image.fromarray(drawing.on_canvas(pose)).save(path)
    return folder


def test_drawings_make_the_examples_of_their_key_points(
    sample: ManifestDataset, folder: Path
) -> None:
    model = replace(tiny_fpdm(), pose_canvas=CANVAS)
    config = DataConfig(workers=0)
    drawn = TripletDataset(sample, replace(config, pose_pictures=str(folder)), model, seed=5)
    live = TripletDataset(sample, config, model, seed=5)
    for position in range(3):
        for name in ("source", "target", "pose", "hands", "face", "tower_pose"):
            assert torch.equal(getattr(drawn[position], name), getattr(live[position], name)), name


def test_data_without_key_points_are_enough(sample: ManifestDataset, folder: Path) -> None:
    entries = tuple(replace(entry, poses="") for entry in sample.manifest.entries)
    bare = ManifestDataset(replace(sample.manifest, entries=entries))
    config = DataConfig(workers=0, pose_pictures=str(folder))
    batch = next(
        batches(TripletDataset(bare, config, tiny_fpdm(), 0), start=0, steps=1, batch_size=2)
    )
    assert batch.pose.max() > 0.5
    assert batch.hands.sum() == batch.face.sum() == 0
    with pytest.raises(UserError, match=r"model.hand_weight is 2.0, for which the data lack"):
        TripletDataset(bare, config, replace(tiny_fpdm(), hand_weight=2.0), 0)


def test_a_run_trains_on_drawings(
    sample: ManifestDataset, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = tuple(replace(entry, poses="") for entry in sample.manifest.entries)
    bare = ManifestDataset(replace(sample.manifest, entries=entries))
    monkeypatch.setattr("signgen.training.run.open_dataset", lambda *_: bare)
    data = DataConfig(workers=0, pose_pictures=str(folder))
    run = train(TrainConfig(out=str(tmp_path / "run"), data=data, steps=1, device="cpu"))
    assert "pose-pictures" in (Path(run) / "config.yaml").read_text().replace("_", "-")


@pytest.mark.parametrize("name", ["flip_rate", "jitter"])
def test_what_changes_key_points_is_refused(
    name: str, sample: ManifestDataset, folder: Path
) -> None:
    config = DataConfig(pose_pictures=str(folder), **{name: 0.5})
    with pytest.raises(UserError, match=f"but data.{name} changes key points") as caught:
        TripletDataset(sample, config, tiny_fpdm(), 0)
    assert caught.value.code == ExitCode.USAGE


def test_missing_drawings_and_photographs_are_named(
    sample: ManifestDataset, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="has no drawn pose of frame") as caught:
        TripletDataset(sample, DataConfig(pose_pictures=str(tmp_path)), tiny_fpdm(), 0)
    assert caught.value.code == ExitCode.NO_INPUT
    config = DataConfig(pose_pictures=str(sample.manifest.root))
    with pytest.raises(UserError, match="is no pose drawn on black"):
        TripletDataset(sample, config, tiny_fpdm(), 0)
