"""The adapter over manifests, and manifests there and back."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.data.manifest import Entry, Manifest, read_manifest, write_manifest
from signgen.media import read_video, save_image, write_video
from signgen.structures import ExitCode, FrameRef, Record, UserError
from tests.material.places import ROOT

SIZE = (6, 8)
needs_decord = pytest.mark.skipif(
    importlib.util.find_spec("decord") is None, reason="decord is not installed here"
)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Two clips by pattern, one record of listed pictures; packed poses."""
    root = tmp_path / "raw"
    for number in range(3, 7):
        (root / "a").mkdir(parents=True, exist_ok=True)
        save_image(root / "a" / f"f{number:03d}.png", np.full((*SIZE, 3), number, np.uint8))
    for name in ("front", "back"):
        save_image(root / f"{name}.png", np.full((*SIZE, 3), len(name), np.uint8))
    rows = np.random.default_rng(0).uniform(0, 8, (6, 133, 3)).astype(np.float32)
    rows[2, 5] = 0
    (tmp_path / "poses").mkdir()
    np.save(tmp_path / "poses" / "train.npy", rows)
    clip = Entry(
        Record("a", "train", "S1", 4, "HALLO", "hallo, täglich"),
        "a/f###.png",
        SIZE,
        25.0,
        first_frame=3,
        poses="poses/train.npy",
        first_pose=0,
    )
    views = Entry(
        Record("b", "train", "S2", 2),
        ("front.png", "back.png"),
        SIZE,
        25.0,
        poses="poses/train.npy",
        first_pose=4,
        pairs=((0, 1), (1, 0)),
    )
    held = replace(clip, record=replace(clip.record, split="test"), poses="", first_pose=None)
    return Manifest("made", "coco-wholebody-133", root, tmp_path, (clip, views, held), {"x": "y"})


def test_manifest_comes_back_as_it_was(manifest: Manifest) -> None:
    path = write_manifest(manifest)
    assert read_manifest(path) == read_manifest(path.parent) == manifest
    first = manifest.entries[0]
    nameless = replace(first, record=replace(first.record, signer="", gloss="", text=""))
    write_manifest(replace(manifest, entries=(nameless,)))
    assert read_manifest(path).entries == (nameless,)


def test_manifest_moves_with_data_below_it(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest)
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    dataset = open_dataset(str(moved))
    assert dataset.frame(FrameRef(dataset.records("train")[0], 0)).max() == 3
    (moved / "raw").rename(moved / "elsewhere")
    with pytest.raises(UserError, match="not a folder") as caught:
        open_dataset(str(moved))
    assert caught.value.code == ExitCode.NO_INPUT


def test_frames_poses_and_pairs_are_those_of_the_record(manifest: Manifest) -> None:
    write_manifest(manifest)
    dataset = open_dataset(str(manifest.folder))
    clip, views = dataset.records("train")
    assert [int(dataset.frame(FrameRef(clip, i)).max()) for i in range(4)] == [3, 4, 5, 6]
    assert [int(dataset.frame(FrameRef(views, i)).max()) for i in range(2)] == [5, 4]
    rows = np.load(manifest.folder / "poses" / "train.npy")
    np.testing.assert_array_equal(dataset.poses(clip).keypoints, rows[:4, :, :2])
    np.testing.assert_array_equal(dataset.poses(views).confidence, rows[4:, :, 2])
    assert not dataset.poses(clip).visible[2, 5]
    for record, first in ((clip, 0), (views, 4)):
        for index in range(record.num_frames):
            pose = dataset.pose(FrameRef(record, index))
            np.testing.assert_array_equal(pose.keypoints[0], rows[first + index, :, :2])
            np.testing.assert_array_equal(pose.confidence[0], rows[first + index, :, 2])
            assert (len(pose), pose.size, pose.fps) == (1, SIZE, 25.0)
    assert dataset.pairs("train") is None  # one of the records lists none
    assert dataset.parts(FrameRef(clip, 0)) is None
    listed = ManifestDataset(replace(manifest, entries=manifest.entries[1:2])).pairs("train")
    assert [(p.source.index, p.target.index) for p in listed or ()] == [(0, 1), (1, 0)]


def test_what_is_missing_or_does_not_fit_is_named(manifest: Manifest) -> None:
    dataset = ManifestDataset(manifest)
    clip = dataset.records("train")[0]
    with pytest.raises(UserError, match="has no key points"):
        dataset.poses(dataset.records("test")[0])
    with pytest.raises(UserError, match="no records of split dev; it has train, test"):
        dataset.records("dev")
    save_image(manifest.root / "a" / "f003.png", np.zeros((5, 8, 3), np.uint8))
    with pytest.raises(UserError, match="8 x 5 pixels"):
        dataset.frame(FrameRef(clip, 0))
    path = manifest.folder / "poses" / "train.npy"
    rows = np.load(path)
    for broken, message in (
        (lambda: path.write_bytes(path.read_bytes()[:-100]), "cut off"),
        (lambda: np.save(path, rows[:3]), r"has 3 poses; a needs rows up to 4"),
        (lambda: np.save(path, rows[:, :18]), r"expected float32 \(rows, 133, 3\)"),
        (path.unlink, "does not exist"),
    ):
        broken()
        with pytest.raises(UserError, match=message):
            dataset.pose(FrameRef(clip, 0))


def test_every_changed_byte_of_a_manifest_is_noticed(manifest: Manifest) -> None:
    path = write_manifest(manifest)
    data = path.read_bytes()
    rng = np.random.default_rng(1)
    for place in rng.integers(len(data) - 1, size=120).tolist():
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(7))
        if rng.random() < 0.3:
            changed = changed[:place]
        path.write_bytes(bytes(changed))
        with pytest.raises(UserError, match="signgen prepare"):
            read_manifest(path)


def rewritten(manifest: Manifest, **changes: object) -> Path:
    """Write a manifest whose first record has other values, with a checksum that fits."""
    path = write_manifest(manifest)
    lines = path.read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | changes)
    body = "".join(line + "\n" for line in lines[:-1]).encode()
    last = {"records": len(lines) - 2, "sha256": hashlib.sha256(body).hexdigest()}
    path.write_bytes(body + json.dumps(last).encode() + b"\n")
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": "../../etc/####.png"}, "leaves"),
        ({"poses": "/etc/passwd"}, "leaves"),
        ({"parts": "a/../../b"}, "leaves"),
        ({"id": "../../x"}, "leaves"),
        ({"constant_rate": True}, "has fps True"),
        ({"constant_rate": "25"}, "has fps '25'"),
        ({"split": "valid"}, "expected one of train, dev, test"),
        ({"num_frames": 0}, "num_frames 0"),
        ({"num_frames": "4"}, "num_frames '4'"),
        ({"first_frame": -1}, "first_frame -1"),
        ({"fps": 0}, "fps 0"),
        ({"size": [6]}, "is not a record"),
        ({"first_pose": -1}, "first_pose -1"),
        ({"frames": ["front.png"]}, "lists 1 pictures for 4"),
        ({"pairs": [[0, 4]]}, "beyond its 4 frames"),
        ({"colour": 1}, "is not a record"),
        ({"signer": 7}, "other than text"),
        ({"fps": float("inf")}, "fps inf"),
        ({"num_frames": 2**39}, "num_frames 549755813888"),
        ({"size": [float("inf"), 4]}, "is not a record"),
        ({"pairs": [[float("nan"), 1]]}, "is not a record"),
        ({"pairs": [["0", 1]]}, "is not a record"),
        ({"split": ["train"]}, "expected one of train, dev, test"),
    ],
)
def test_bad_records_are_named_with_their_line(
    manifest: Manifest, changes: dict[str, object], message: str
) -> None:
    path = rewritten(manifest, **changes)
    with pytest.raises(UserError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}, line 2 ")
    assert message in str(caught.value)


def test_sample_has_disjoint_signers_and_readable_clips() -> None:
    dataset = open_dataset("sample")
    signers = {
        split: {r.signer for r in dataset.records(split)} for split in ("train", "dev", "test")
    }
    assert all(signers.values())
    assert not signers["train"] & signers["test"]
    assert not signers["train"] & signers["dev"]
    assert open_dataset("sample", ["dev", "dev"]).records("dev") == dataset.records("dev")
    record = dataset.records("test")[0]
    frame = dataset.frame(FrameRef(record, record.num_frames - 1))
    poses = dataset.poses(record)
    assert frame.shape == (*poses.size, 3)
    assert poses.keypoints.shape == (record.num_frames, 133, 2)


# ----- videos -------------------------------------------------------------------------------------


@pytest.mark.parametrize("video_reader", ["auto", pytest.param("decord", marks=needs_decord)])
def test_frames_of_a_video_file(tmp_path: Path, video_reader: str) -> None:
    frames = [np.full((64, 50, 3), level, np.uint8) for level in range(0, 250, 10)]
    write_video(tmp_path / "clip.mp4", frames, 25)
    record = Record("clip", "train", "S1", 25)
    entry = Entry(record, "clip.mp4", (64, 50), 25.0)
    manifest = Manifest("made", "coco-wholebody-133", tmp_path, tmp_path, (entry,))
    write_manifest(manifest)
    dataset = open_dataset(str(tmp_path), video_reader=video_reader)
    expected = list(read_video(tmp_path / "clip.mp4"))
    for index in (24, 3, 4, 0):
        assert np.array_equal(dataset.frame(FrameRef(record, index)), expected[index])
    wrong = replace(manifest, entries=(replace(entry, size=(64, 48)),))
    with pytest.raises(UserError, match=r"clip\.mp4 is 50 x 64 pixels"):
        ManifestDataset(wrong, video_reader).frame(FrameRef(record, 0))


def test_commands_say_how_to_install_the_video_reader_they_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    out = ["--out", str(tmp_path / "out")]
    for words in (
        ["train", str(ROOT / "configs" / "smoke-vae.yaml"), *out, "--data.video-reader", "decord"],
        ["prepare", "cache", *out, "--video-reader", "decord"],
        ["prepare", "folder", "--videos", str(tmp_path), *out, "--video-reader", "decord"],
        ["prepare", "phoenix14t", "--raw", "sample", *out, "--video-reader", "decord"],
    ):
        assert main(words) == ExitCode.UNAVAILABLE
        error = capsys.readouterr().err
        assert "pip install decord==0.6.0" in error
        assert error.count("\n") == 1
        assert not (tmp_path / "out").exists()
