from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from signgen.data.phoenix14t import Phoenix14T, bundled_sample, find_root, open_dataset
from signgen.structures import ExitCode, FrameRef, UserError

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "real" / "phoenix14t"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(bundled_sample(), tmp_path / "corpus")
    return tmp_path / "corpus"


def test_sample_has_disjoint_signers_and_readable_clips() -> None:
    dataset = open_dataset("sample")
    signers = {
        split: {r.signer for r in dataset.records(split)} for split in ("train", "dev", "test")
    }
    assert all(signers.values())
    assert not signers["train"] & signers["test"]
    assert not signers["train"] & signers["dev"]
    record = dataset.records("test")[0]
    frame = dataset.frame(FrameRef(record, record.num_frames - 1))
    poses = dataset.pose(record)
    assert frame.shape == (*poses.size, 3)
    assert poses.keypoints.shape == (record.num_frames, 133, 2)


def test_root_is_found_below_the_named_folder(copied: Path, tmp_path: Path) -> None:
    assert find_root(tmp_path) == copied


def test_missing_folder_and_other_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a folder") as missing:
        Phoenix14T(tmp_path / "nowhere")
    assert missing.value.code == ExitCode.NO_INPUT
    with pytest.raises(UserError, match="fullFrame"):
        Phoenix14T(tmp_path)


def test_clip_without_frames_is_named(copied: Path) -> None:
    dataset = Phoenix14T(copied)
    record = dataset.records("test")[0]
    for frame in (dataset.frames_root / "test" / record.id).glob("*.png"):
        frame.unlink()
    with pytest.raises(UserError, match=record.id):
        dataset.records("test")


def test_key_points_of_another_length_are_refused(copied: Path) -> None:
    dataset = Phoenix14T(copied)
    record = dataset.records("test")[0]
    (dataset.frames_root / "test" / record.id / f"images{record.num_frames:04d}.png").unlink()
    with pytest.raises(UserError, match="expected as many"):
        dataset.pose(dataset.records("test")[0])


def test_stray_files_are_ignored(copied: Path) -> None:
    dataset = Phoenix14T(copied)
    record = dataset.records("test")[0]
    (
        dataset.frames_root / "test" / record.id / "createDnnTrainingLabels-profile.py.lprof"
    ).write_text("x")
    assert dataset.records("test")[0] == record


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the genuine PHOENIX-2014T sample is not on this machine"
)
def test_genuine_layout_is_read() -> None:
    dataset = Phoenix14T(REAL)
    records = [record for split in ("train", "dev", "test") for record in dataset.records(split)]
    assert records
    assert all(record.signer.startswith("Signer") for record in records)
    frame = dataset.frame(FrameRef(records[0], 0))
    assert frame.shape == (260, 210, 3)
    assert frame.dtype == np.uint8
