"""What is written comes back: how exactly, each format says."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.pose.formats import read_clips, read_poses, write_poses
from signgen.pose.formats.openpose import list_bytes
from signgen.structures import PoseSequence

EXACT = {"own": (0.0051, 0.00051), "npz": (0, 0), "pose": (0, 0), "openpose": (0, 0)}
SUFFIX = {"own": ".json", "npz": ".npz", "pose": ".pose", "openpose": "", "list": ".json"}


def random_sequence(seed: int, skeleton: str = "coco-wholebody-133") -> PoseSequence:
    """A moving signer with missing points and frames, points far outside, confidences above 1."""
    rng = np.random.default_rng(seed)
    frames = int(rng.choice([1, 2, 5, 40]))
    count = 133 if skeleton.endswith("133") else 18
    body = rng.uniform((-300, -200), (500, 700), (1, count, 2))
    points = body + rng.normal(0, 3, (frames, count, 2))
    confidence = rng.gamma(2, 0.4, (frames, count))
    confidence[rng.random(confidence.shape) < 0.2] = 0
    confidence[:, rng.integers(0, count, 4)] = 0
    if frames > 2:
        confidence[rng.integers(1, frames)] = 0
    confidence[0, 5:7] = 0.9
    points[confidence == 0] = 0
    return PoseSequence(
        points.astype("f4"),
        confidence.astype("f4"),
        skeleton,
        (int(rng.integers(200, 4000)), int(rng.integers(200, 4000))),
        float(rng.choice([25.0, 29.97, 23.976023976, 50.0, 1.5, 999.9])),
    )


def written(poses: PoseSequence, folder: Path, format: str) -> Path:
    path = folder / f"clip{SUFFIX[format]}"
    write_poses(poses, path, "openpose" if format == "list" else format)
    return path


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("format", SUFFIX)
def test_sequences_come_back(format, seed, tmp_path):
    poses = random_sequence(seed)
    path = written(poses, tmp_path, format)
    # OpenPose carries no rate, and a folder of it no size.
    lost = {"openpose": {"size": poses.size, "fps": poses.fps}, "list": {"fps": poses.fps}}
    clips = read_clips(path, **lost.get(format, {}))
    assert clips.format == ("openpose" if format == "list" else format)
    again = clips["clip"]
    assert again.skeleton == poses.skeleton
    assert again.size == poses.size
    assert again.fps == (np.float32(poses.fps) if format == "pose" else poses.fps)
    assert (again.visible == poses.visible).all()
    pixels, share = EXACT.get(format, (0, 0))
    if pixels == 0:
        assert (again.keypoints == poses.keypoints).all()
        assert (again.confidence == poses.confidence).all()
    np.testing.assert_allclose(again.keypoints, poses.keypoints, rtol=0, atol=pixels + 1e-4)
    np.testing.assert_allclose(again.confidence, poses.confidence, rtol=0, atol=share + 1e-6)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("format", ["own", "npz"])
def test_18_points_come_back(format, seed, tmp_path):
    poses = random_sequence(seed, "openpose-18")
    again = read_poses(written(poses, tmp_path, format))
    assert (again.skeleton, again.size, again.fps) == (poses.skeleton, poses.size, poses.fps)
    assert (again.visible == poses.visible).all()
    np.testing.assert_allclose(again.keypoints, poses.keypoints, atol=EXACT[format][0])


def test_openpose_takes_18_points_and_gives_133_without_the_neck(tmp_path):
    poses = random_sequence(3, "openpose-18")
    again = read_poses(written(poses, tmp_path, "list"))
    assert again.skeleton == "coco-wholebody-133"
    assert (again.keypoints[:, 5] == poses.keypoints[:, 5]).all(), "left shoulder"
    assert (again.keypoints[:, 6] == poses.keypoints[:, 2]).all(), "right shoulder"


def test_pose_cannot_carry_18_points(tmp_path):
    with pytest.raises(UserError, match=r"cannot carry the skeleton openpose-18.*\.npz"):
        write_poses(random_sequence(0, "openpose-18"), tmp_path / "a.pose")
    assert not list(tmp_path.iterdir())


# ----- what consumers of the formats see ----------------------------------------------------------


def test_openpose_files_are_named_and_filled_as_openpose_does(tmp_path):
    poses = random_sequence(4)
    folder = written(poses, tmp_path, "openpose")
    files = sorted(folder.iterdir())
    assert [file.name for file in files[:2]] == [
        "clip_000000000000_keypoints.json",
        "clip_000000000001_keypoints.json",
    ][: len(files)]
    assert len(files) == len(poses)
    (person,) = json.loads(files[0].read_text())["people"]
    lengths = {name: len(values) for name, values in person.items()}
    assert lengths == {
        "person_id": 1,
        "pose_keypoints_2d": 75,
        "face_keypoints_2d": 210,
        "hand_left_keypoints_2d": 63,
        "hand_right_keypoints_2d": 63,
        **{f"{name}_keypoints_3d": 0 for name in ("pose", "face", "hand_left", "hand_right")},
    }
    body = np.array(person["pose_keypoints_2d"]).reshape(25, 3)
    np.testing.assert_allclose(body[1, :2], poses.keypoints[0, 5:7].mean(axis=0), rtol=1e-5)
    assert body[1, 2] == pytest.approx(poses.confidence[0, 5:7].min())
    assert (body[0].astype("f4") == [*poses.keypoints[0, 0], poses.confidence[0, 0]]).all()


def test_neck_and_hips_need_both_sides():
    poses = random_sequence(4)
    confidence = poses.confidence.copy()
    confidence[:, [5, 12]] = 0
    half = dataclasses.replace(poses, confidence=confidence)
    for frame in json.loads(list_bytes(half)):
        for person in frame["people"]:
            body = np.array(person["pose_keypoints_2d"]).reshape(25, 3)
            assert (body[[1, 8]] == 0).all()


def test_frames_without_points_have_no_people(tmp_path):
    poses = random_sequence(4)
    confidence = np.zeros_like(poses.confidence)
    confidence[0] = poses.confidence[0]
    frames = json.loads(list_bytes(dataclasses.replace(poses, confidence=confidence)))
    assert [len(frame["people"]) for frame in frames] == [1] + [0] * (len(poses) - 1)


def test_pose_format_reads_what_is_written(tmp_path):
    from pose_format import Pose
    from pose_format.utils.generic import detect_known_pose_format

    poses = random_sequence(2)
    pose = Pose.read(written(poses, tmp_path, "pose").read_bytes())
    assert detect_known_pose_format(pose) == "coco_wholebody_133"
    assert pose.header.version == pytest.approx(0.2)
    assert (pose.header.dimensions.width, pose.header.dimensions.height) == poses.size[::-1]
    assert pose.body.fps == np.float32(poses.fps)
    assert pose.body.data.shape == (len(poses), 1, 133, 2)
    assert (pose.body.data[:, 0].filled(0) == poses.keypoints).all()
    assert (pose.body.data.mask[:, 0, :, 0] == ~poses.visible).all()
    assert pose.header.components[0].points[5] == "left_shoulder"


# ----- writing ------------------------------------------------------------------------------------


def test_the_suffix_chooses_the_format(tmp_path):
    for suffix, format in ((".json", "own"), (".NPZ", "npz"), (".pose", "pose")):
        write_poses(random_sequence(1), tmp_path / f"a{suffix}")
        assert read_clips(tmp_path / f"a{suffix}").format == format
    for name in ("a", "a.txt", "a.npy", ".json"):
        with pytest.raises(UserError, match=r"expected \.json, \.npz or \.pose") as caught:
            write_poses(random_sequence(1), tmp_path / name)
        assert caught.value.code == ExitCode.USAGE
    with pytest.raises(UserError, match="format is 'bvh'"):
        write_poses(random_sequence(1), tmp_path / name, "bvh")


def test_the_same_sequence_gives_the_same_bytes_without_waste(tmp_path):
    poses = random_sequence(3)
    for format in ("own", "npz", "pose"):
        first, second = (tmp_path / f"{name}{SUFFIX[format]}" for name in "ab")
        write_poses(poses, first)
        write_poses(read_poses(first), second)
        if format != "own":
            assert first.read_bytes() == second.read_bytes()
        write_poses(poses, second)
        assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "a.json").stat().st_size < len(poses) * 133 * 24
    np.savez_compressed(tmp_path / "c.npz", **np.load(tmp_path / "a.npz"))
    assert (read_poses(tmp_path / "c.npz").keypoints == poses.keypoints).all()


@pytest.mark.parametrize("format", SUFFIX)
def test_files_are_replaced_whole_or_not_at_all(format, tmp_path, monkeypatch):
    path = tmp_path / f"clip{SUFFIX[format]}"
    poses = random_sequence(1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(UserError, match="No space left on device") as caught:
            written(poses, tmp_path, format)
    assert caught.value.code == ExitCode.IO
    assert not list(tmp_path.iterdir()), "nothing is left behind"
    assert written(poses, tmp_path, format) == path
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_with_contents_is_not_replaced(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    write_poses(random_sequence(1), folder, "openpose")
    before = sorted(folder.iterdir())
    with pytest.raises(UserError, match="not an empty folder") as caught:
        write_poses(random_sequence(2), folder, "openpose")
    assert caught.value.code == ExitCode.CANNOT_CREATE
    assert sorted(folder.iterdir()) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip"]


@pytest.mark.parametrize("format", ["own", "npz", "pose"])
def test_a_given_rate_goes_before_that_of_the_file(format: str, tmp_path: Path) -> None:
    poses = dataclasses.replace(random_sequence(1), fps=1000.0)
    path = written(poses, tmp_path, format)
    assert read_poses(path).fps == 1000.0
    assert read_poses(path, fps=29.97).fps == 29.97
    if format == "own":
        path.write_text(path.read_text().replace('"fps":1000.0', '"fps":0'))
        with pytest.raises(UserError, match="fps is 0"):
            read_poses(path)
        assert read_poses(path, fps=25).fps == 25.0
