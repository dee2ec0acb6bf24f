"""Pairing clips: by the way to them, sources and poses beside them, what has no partner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.evaluation.clips import ClipFiles, pair_paths
from signgen.media import VideoWriter, save_image


def frames_below(folder: Path, count: int = 2, value: int = 0) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        save_image(folder / f"{index}.png", np.full((12, 10, 3), value + index, np.uint8))
    return folder


def test_trees_of_clips_are_paired_by_the_way_to_them(tmp_path: Path) -> None:
    for root, value in (("ours", 10), ("truth", 20), ("other", 30), ("source", 40)):
        for place, clip in enumerate(("train/a", "test/a", "b")):
            frames_below(tmp_path / root / clip, value=value + 2 * place)
    found = pair_paths(
        tmp_path / "ours",
        tmp_path / "truth",
        compare={"B": tmp_path / "other"},
        source=tmp_path / "source",
    )
    assert [clip.id for clip in found.clips] == ["b", "test/a", "train/a"]
    pair = found.clips[2].open()
    first = [next(iter(frames))[0, 0, 0] for frames in (pair.generated, pair.reference)]
    assert first == [10, 20]
    assert next(iter(pair.compared["B"]))[0, 0, 0] == 30
    assert next(iter(pair.source))[0, 0, 0] == 40


def test_a_clip_without_partner_is_a_failure_and_not_dropped(tmp_path: Path) -> None:
    for root, clips in (("ours", "ab"), ("truth", "abc"), ("other", "ac")):
        for clip in clips:
            frames_below(tmp_path / root / clip)
    found = pair_paths(tmp_path / "ours", tmp_path / "truth", compare={"B": tmp_path / "other"})
    assert [clip.id for clip in found.clips] == ["a"]
    assert {one.id: one.error for one in found.failed} == {
        "b": f"{tmp_path / 'other'} has no clip b; expected equal names.",
        "c": f"{tmp_path / 'ours'} has no clip c; expected equal names.",
    }
    assert found.counts == {"matched": 2, "only_generated": 0, "only_reference": 1}


def test_single_clips_are_paired_whatever_their_names(tmp_path: Path) -> None:
    truth = frames_below(tmp_path / "real", 3)
    with VideoWriter(tmp_path / "out.mp4", 25, (12, 10)) as writer:
        for _ in range(3):
            writer.write(np.zeros((12, 10, 3), np.uint8))
    (found,) = pair_paths(tmp_path / "out.mp4", truth, source=truth / "2.png").clips
    pair = found.open()
    assert pair.id == "real"
    assert len(list(pair.generated)) == len(list(pair.reference)) == 3
    assert [frame[0, 0, 0] for frame in pair.source] == [2]


def test_a_damaged_clip_fails_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"\0" * 64)
    clip = ClipFiles("a", tmp_path / "bad.mp4", frames_below(tmp_path / "truth"))
    with pytest.raises(UserError, match=r"bad\.mp4") as caught:
        clip.open()
    assert caught.value.code == ExitCode.DATA
