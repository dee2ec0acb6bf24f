"""Packing key points, looking at pictures, and what is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signgen.data.dataset import open_dataset
from signgen.data.manifest import Entry, Problem, Scan, read_manifest
from signgen.data.preparation.dataset import PROBLEMS, check_picture, prepare_dataset
from signgen.media import save_image
from signgen.structures import PoseSequence, Record, UserError

SKELETON = "coco-wholebody-133"
SIZE = (20, 16)


@pytest.fixture
def found(tmp_path: Path) -> Scan:
    """Three clips of 3, 4 and 5 frames in two splits."""
    entries = []
    for number, split in enumerate(("train", "train", "test")):
        for frame in range(1, number + 4):
            picture = tmp_path / "raw" / f"clip{number}" / f"images{frame:04d}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            save_image(picture, np.full((*SIZE, 3), frame, np.uint8))
        record = Record(f"clip{number}", split, "S", number + 3)
        entries.append(Entry(record, f"clip{number}/images####.png", SIZE, 25.0))
    return Scan(tmp_path / "raw", tuple(entries), (Problem(tmp_path / "x", "is gone.", "dev/x"),))


def poses_of(entry: Entry) -> PoseSequence:
    """Poses that tell their clip and frame, made for a picture twice as large."""
    count = entry.record.num_frames
    points = np.zeros((count, 133, 2), np.float32)
    points[..., 0] = 2 * int(entry.record.id[-1])
    points[..., 1] = 2 * np.arange(count)[:, None]
    confidence = np.full((count, 133), 0.5, np.float32)
    confidence[:, 7], points[:, 7] = 0, 0
    return PoseSequence(points, confidence, SKELETON, (2 * SIZE[0], 2 * SIZE[1]), 25.0)


def test_ends_are_trimmed_where_asked_for(found: Scan, tmp_path: Path) -> None:
    """The first clip has a pose too many, the second one too few, the third two."""

    def uneven(entry: Entry) -> PoseSequence:
        change = {"clip0": 1, "clip1": -1, "clip2": 2}[entry.record.id]
        count = entry.record.num_frames + change
        return poses_of(replace(entry, record=replace(entry.record, num_frames=count)))

    made = prepare_dataset(found, "made", SKELETON, uneven, tmp_path / "out", trim_ends=1)
    assert made.trimmed == (
        "train/clip0 has 4 poses for 3 frames; 3 are kept.",
        "train/clip1 has 3 poses for 4 frames; 3 are kept.",
    )
    assert "--trim-ends 2 cuts" in made.problems[-1].message
    dataset = open_dataset(str(tmp_path / "out"))
    for record in dataset.records("train"):
        assert record.num_frames == 3
        assert (dataset.poses(record).keypoints[:, 0, 1] == np.arange(3)).all()
    with pytest.raises(UserError, match="no record that can be used"):
        prepare_dataset(found, "made", SKELETON, uneven, tmp_path / "two")


def test_key_points_keep_their_64_bits(found: Scan, tmp_path: Path) -> None:
    """What is a whole number in 64 bits is not always one in 32, and is drawn a pixel lower."""

    def exact(entry: Entry) -> PoseSequence:
        poses = poses_of(entry)
        return replace(poses, keypoints=np.full(poses.keypoints.shape, 0.1 + 1), size=SIZE)

    prepare_dataset(found, "made", SKELETON, exact, tmp_path / "out")
    dataset = open_dataset(str(tmp_path / "out"))
    points = dataset.poses(dataset.records("train")[0]).keypoints
    assert points.dtype == np.float64
    assert (points[:, :7] == 0.1 + 1).all()


def test_poses_are_packed_in_pixels_of_the_frames(found: Scan, tmp_path: Path) -> None:
    made = prepare_dataset(found, "made", SKELETON, poses_of, tmp_path / "out")
    assert made.problems == found.problems
    dataset = open_dataset(str(tmp_path / "out"))
    for split in ("train", "test"):
        for record in dataset.records(split):
            poses = dataset.poses(record)
            assert poses.size == SIZE
            assert (poses.keypoints[:, 0, 0] == int(record.id[-1])).all()
            assert (poses.keypoints[:, 0, 1] == np.arange(record.num_frames)).all()
            assert not poses.visible[:, 7].any()
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"manifest.jsonl", "poses", PROBLEMS}
    assert set(read_manifest(made.path).files) == {"poses/train.npy", "poses/test.npy"}
    rows = (tmp_path / "out" / PROBLEMS).read_text().splitlines()
    assert [json.loads(row)["record"] for row in rows] == ["dev/x"]


def test_preparing_again_gives_the_same_bytes(found: Scan, tmp_path: Path) -> None:
    def written() -> dict[Path, bytes]:
        prepare_dataset(found, "made", SKELETON, poses_of, tmp_path / "out")
        return {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}

    assert written() == written()


def test_records_that_cannot_be_used_are_left_out(found: Scan, tmp_path: Path) -> None:
    def reduced(poses: PoseSequence) -> PoseSequence:
        points, confidence = poses.keypoints[:, :18], poses.confidence[:, :18]
        return PoseSequence(points, confidence, "openpose-18", poses.size, 25.0)

    def missing(_: PoseSequence) -> PoseSequence:
        raise UserError("keys.pkl has no such clip.")

    for spoil, message in (
        (lambda poses: poses.frames(slice(0, 2)), "2 poses for 3"),
        (reduced, "openpose-18"),
        (missing, "no such clip"),
    ):

        def faulty(entry: Entry, spoil=spoil) -> PoseSequence:
            return spoil(poses_of(entry)) if entry.record.id == "clip0" else poses_of(entry)

        prepared = prepare_dataset(found, "made", SKELETON, faulty, tmp_path / "out")
        problem = prepared.problems[-1]
        assert problem.record == "train/clip0"
        assert message in problem.message
        dataset = open_dataset(str(tmp_path / "out"))
        assert [record.id for record in dataset.records("train")] == ["clip1"]
        assert (dataset.poses(dataset.records("train")[0]).keypoints[:, 0, 0] == 1).all()
    broken = found.root / "clip1" / "images0003.png"
    broken.write_bytes(broken.read_bytes()[:-7])
    prepared = prepare_dataset(found, "made", SKELETON, poses_of, tmp_path / "out")
    assert (prepared.problems[-1].path, prepared.problems[-1].record) == (broken, "train/clip1")
    with pytest.raises(UserError, match=r"no record that can be used. First: .*is gone"):
        prepare_dataset(replace(found, entries=()), "made", SKELETON, None, tmp_path / "out")


def test_interrupted_packing_leaves_nothing(found: Scan, tmp_path: Path) -> None:
    def stopped(entry: Entry) -> PoseSequence:
        if entry.record.id == "clip1":
            raise KeyboardInterrupt
        return poses_of(entry)

    with pytest.raises(KeyboardInterrupt):
        prepare_dataset(found, "made", SKELETON, stopped, tmp_path / "out")
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


def test_broken_pictures_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_image(path, np.zeros((*SIZE, 3), np.uint8))
    check_picture(path)
    data = path.read_bytes()
    for broken, message in (
        (data[:-7], "is cut off: a PNG"),
        (data[:6], "too short"),
        (b"", "too short"),
        (b"GIF89a" + data, "neither PNG nor JPEG"),
        (b"\xff\xd8\xff" + data, "is cut off: a JPEG"),
    ):
        path.write_bytes(broken)
        with pytest.raises(UserError, match=message):
            check_picture(path)
    path.unlink()
    with pytest.raises(UserError, match="No such file"):
        check_picture(path)


def test_poses_prepared_anew_are_read_anew(found: Scan, tmp_path: Path) -> None:
    def moved(entry: Entry) -> PoseSequence:
        poses = poses_of(entry)
        return replace(poses, keypoints=np.where(poses.visible[..., None], poses.keypoints + 8, 0))

    for source, first in ((poses_of, 0), (moved, 4)):
        prepare_dataset(found, "made", SKELETON, source, tmp_path / "out")
        dataset = open_dataset(str(tmp_path / "out"))
        assert dataset.poses(dataset.records("train")[0]).keypoints[0, 0, 0] == first
