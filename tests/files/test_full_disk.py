"""A full disk: every writer ends with 74, names the place, and leaves what was there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from signgen.checkpoints.folders import write_folder
from signgen.checkpoints.runs import save_checkpoint
from signgen.data.dataset import open_dataset
from signgen.data.frame_cache.writing import write_cache
from signgen.data.manifest import write_manifest
from signgen.data.preparation.dataset import _pack
from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.features.accumulation import FeatureStatistics
from signgen.evaluation.metrics.features.statistics import save_statistics
from signgen.files.writing import atomic_paths, save_text
from signgen.human_parsing.maps import save_labels
from signgen.media import save_image, write_video
from signgen.pose.formats import write_poses

SAMPLE = open_dataset("sample", ("train",))
RECORD = SAMPLE.records("train")[0]
POSES = SAMPLE.poses(RECORD).frames(slice(2))
PICTURE = np.zeros((32, 32, 3), np.uint8)
WEIGHTS = {"a": torch.ones(3)}


def statistics(path: Path) -> None:
    save_statistics(path, FeatureStatistics(3, np.zeros(2), np.eye(2), "net:eye|resize:none"))


def pack(path: Path) -> None:
    entry = replace(SAMPLE.entry(RECORD), record=replace(RECORD, num_frames=2))
    _pack(path.parent, path.name, (2, 133, 3), [(entry, POSES)])


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.txt": lambda path: save_text(path, "text"),
    "a.png": lambda path: save_image(path, PICTURE),
    "labels.png": lambda path: save_labels(path, np.zeros((4, 4), np.uint8)),
    "a.mp4": lambda path: write_video(path, [PICTURE] * 2, 25),
    "a.json": lambda path: write_poses(POSES, path),
    "a.npz": lambda path: write_poses(POSES, path),
    "a.pose": lambda path: write_poses(POSES, path),
    "openpose": lambda path: write_poses(POSES, path, "openpose"),
    "model": lambda path: write_folder(path, {"model.safetensors": WEIGHTS}, {"step": 1}),
    "run": lambda path: save_checkpoint(path, 1, WEIGHTS, None, {"step": 1}, keep=1),
    "manifest.jsonl": lambda path: write_manifest(replace(SAMPLE.manifest, folder=path.parent)),
    "poses.npy": pack,
    "statistics.npz": statistics,
    "cache": lambda path: write_cache(SAMPLE, ["train"], path, (32, 24)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_says_that_there_is_no_room(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("signgen.files.writing.os.replace", full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        WRITERS[name](tmp_path / name)
    assert caught.value.code == ExitCode.IO
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["save_file", "save"])
def test_libraries_that_raise_errors_of_their_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        if name == "save_file":
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")

    place = "safetensors.torch.save_file" if name == "save_file" else "torch.save"
    monkeypatch.setattr(place, full)
    with pytest.raises(UserError, match=f"{tmp_path / 'model'} cannot be written") as caught:
        write_folder(tmp_path / "model", {"model.safetensors": WEIGHTS}, {"trainer.pt": {}})
    assert caught.value.code == ExitCode.IO
    assert not list(tmp_path.iterdir())


def test_room_for_packed_poses_is_taken_before_they_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int, start: int, size: int) -> None:
        assert (start, size) == (0, 2 * 133 * 3 * 4)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("signgen.data.preparation.dataset.os.posix_fallocate", full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        pack(tmp_path / "poses.npy")
    assert caught.value.code == ExitCode.IO


def test_nothing_is_replaced_before_all_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    paths[0].write_text("old")

    def both() -> None:
        with atomic_paths(paths) as (first, _):
            first.write_text("new")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UserError, match="No space left"):
        both()
    assert paths[0].read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
