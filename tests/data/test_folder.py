"""Recordings of a user: which clips there are, whose they are, and which split they are in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from signgen.data.folder import drawn_splits, scan_folder
from signgen.media import save_image, write_video
from signgen.structures import ExitCode, UserError

SIZE = (32, 48)


def record_video(path: Path, frames: int = 5, fps: float = 20.0) -> Path:
    """Write a video whose frames get brighter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, (np.full((*SIZE, 3), 8 * t, np.uint8) for t in range(frames)), fps)
    return path


def test_videos_and_folders_of_pictures_are_clips(tmp_path: Path) -> None:
    record_video(tmp_path / "recordings" / "hello.mp4")
    (tmp_path / "recordings" / "thanks").mkdir()
    for number in range(3):
        picture = np.full((*SIZE, 3), number, np.uint8)
        save_image(tmp_path / "recordings" / "thanks" / f"{number}.png", picture)
    (tmp_path / "recordings" / "notes.txt").write_text("x")
    found = scan_folder(tmp_path / "recordings", fps=12.5)
    assert not found.problems
    hello, thanks = found.entries
    assert (hello.record.id, hello.frames) == ("hello", "hello.mp4")
    assert (hello.record.num_frames, hello.size, hello.fps) == (5, SIZE, 20.0)
    assert thanks.frames == ("thanks/0.png", "thanks/1.png", "thanks/2.png")
    assert (thanks.fps, thanks.size) == (12.5, SIZE)
    assert {entry.record.signer for entry in found.entries} == {"recordings"}
    assert {entry.record.split for entry in found.entries} == {"train"}, "two are all for training"


def test_a_single_video_is_a_clip_and_what_lies_beside_it_is_not(tmp_path: Path) -> None:
    record_video(tmp_path / "anna" / "hello.mp4")
    record_video(tmp_path / "anna" / "thanks.mp4")
    found = scan_folder(tmp_path / "anna" / "hello.mp4")
    assert [entry.record.id for entry in found.entries] == ["hello"]
    assert found.root == (tmp_path / "anna").resolve()
    assert found.entries[0].frames == "hello.mp4"
    assert found.entries[0].record.signer == "anna"


def test_signers_are_named_by_folders(tmp_path: Path) -> None:
    for name in ("anna/hello", "ben/hello", "ben/late/thanks"):
        record_video(tmp_path / f"{name}.mp4")
    signers = {entry.record.id: entry.record.signer for entry in scan_folder(tmp_path).entries}
    assert signers == {"anna/hello": "anna", "ben/hello": "ben", "ben/late/thanks": "ben"}


def test_how2sign_folders_name_splits_and_no_signers(tmp_path: Path) -> None:
    top = tmp_path / "How2Sign" / "sentence_level"
    for split in ("train", "val", "test"):
        record_video(top / split / "rgb_front" / "raw_videos" / f"{split}-1-rgb_front.mp4")
        features = top / split / "rgb_front" / "features" / "openpose_output" / "video"
        record_video(features / f"{split}-1-rgb_front.mp4")
    found = scan_folder(top)
    assert [entry.record.split for entry in found.entries] == ["test", "train", "dev"]
    assert {entry.record.signer for entry in found.entries} == {"sentence_level"}


def test_signers_stay_together_where_asked_for(tmp_path: Path) -> None:
    for number in range(12):
        record_video(tmp_path / f"s{number % 4}" / f"clip{number:02d}.mp4", frames=2)
    splits = {e.record.split for e in scan_folder(tmp_path).entries}
    assert splits == {"train", "dev", "test"}
    entries = scan_folder(tmp_path, split_by="signer").entries
    by_signer = {(entry.record.signer, entry.record.split) for entry in entries}
    assert len(by_signer) == 4
    assert {split for _, split in by_signer} == {"train", "dev", "test"}


def test_clips_stay_in_their_splits_when_clips_come() -> None:
    names = {f"clip{number}": "anna" for number in range(400)}
    before, after = drawn_splits(dict(list(names.items())[200:])), drawn_splits(names)
    assert all(after[name] == split for name, split in before.items())
    counts = Counter(after.values())
    assert 20 < counts["dev"] < 60
    assert 20 < counts["test"] < 60


def test_every_split_has_a_clip_where_there_are_three() -> None:
    for count in range(3, 12):
        for first in range(0, 200, count):
            names = {f"clip{number}": "anna" for number in range(first, first + count)}
            assert set(drawn_splits(names).values()) == {"train", "dev", "test"}


def test_broken_video_is_left_out_and_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no clips"):
        scan_folder(tmp_path)
    with pytest.raises(UserError, match="does not exist") as caught:
        scan_folder(tmp_path / "absent")
    assert caught.value.code == ExitCode.NO_INPUT
    record_video(tmp_path / "good.mp4")
    broken = record_video(tmp_path / "broken.mp4", frames=30)
    broken.write_bytes(broken.read_bytes()[:200])
    found = scan_folder(tmp_path)
    assert [entry.record.id for entry in found.entries] == ["good"]
    (problem,) = found.problems
    assert (problem.path, problem.record) == (broken, "train/broken")
    assert str(broken) not in problem.message
