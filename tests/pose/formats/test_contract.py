"""What every format has in common."""

import os
import random
import stat
from pathlib import Path

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.files.foreign import pickles
from signgen.pose.formats import FORMATS, read_clip, read_clips, read_poses, reading, write_poses
from signgen.pose.formats.checks import DEFAULT_FPS
from signgen.pose.formats.reading import InputFile
from signgen.pose.skeleton import SKELETONS
from tests.material.pose_samples import SAMPLES, holistic, numbered, pose_bytes

MUTATIONS = 200


@pytest.mark.parametrize("name", SAMPLES)
def test_one_format_recognises_a_file_by_its_content(name, tmp_path):
    path = tmp_path / "poses.mp3"
    path.write_bytes(SAMPLES[name])
    assert sum(format.recognise(InputFile(path)) for format in FORMATS) == 1
    # One clip, by its name or without
    clips = read_clips(path)
    (clip,) = clips
    poses = clips[clip]
    assert (poses.keypoints == read_poses(path).keypoints).all()
    assert "absent" not in clips
    with pytest.raises(UserError, match="holds no clip 'absent'") as caught:
        read_poses(path, clip="absent")
    assert caught.value.code == ExitCode.NO_INPUT
    # A sound sequence
    assert poses.keypoints.dtype in (np.float32, np.float64)
    assert poses.confidence.dtype == np.float32
    assert poses.keypoints.shape[1] == SKELETONS[poses.skeleton].num_keypoints
    assert poses.visible.any()
    assert (poses.keypoints[~poses.visible] == 0).all()
    assert poses.fps == 25
    # Our own JSON keeps it
    write_poses(poses, tmp_path / "second.json")
    again = read_poses(tmp_path / "second.json")
    assert (again.skeleton, again.size, again.fps) == (poses.skeleton, poses.size, poses.fps)
    assert (again.visible == poses.visible).all()
    np.testing.assert_allclose(again.keypoints, poses.keypoints, atol=0.0051)
    np.testing.assert_allclose(again.confidence, poses.confidence, atol=0.00051)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_reading_says_what_the_file_leaves_to_the_caller(name, tmp_path):
    path = tmp_path / "poses"
    path.write_bytes(SAMPLES[name])
    size, fps = (4001, 4003), 7.25
    result = read_clip(path, size=size, fps=fps)
    assert ("size" in result.assumed) == (result.poses.size == size)
    assert result.poses.fps == fps, "whatever the file says"
    alone = read_clip(path)
    assert alone.assumed == result.assumed
    assert ("fps" not in alone.assumed) or alone.poses.fps == DEFAULT_FPS


def test_a_size_that_the_clips_name_confirms_is_not_assumed(tmp_path):
    (tmp_path / "a").write_bytes(SAMPLES["pickle-mska"])
    assert read_clip(tmp_path / "a", size=(260, 210)).assumed == ("fps",)


def _mutated(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        # Half of the changes fall in the first bytes, where the structure is.
        end = min(len(changed), 300) if rng.random() < 0.5 else len(changed)
        place = rng.randrange(max(1, end))
        kind = rng.randrange(5)
        if kind == 0:
            changed[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            changed[place : place + 1] = bytes(
                [(changed[place] if changed else 0) ^ 1 << rng.randrange(8)]
            )
        elif kind == 2:
            del changed[place : place + rng.choice((1, 2, 50))]
        elif kind == 3:
            texts = (b"\xff", b"\0\0", b"NaN", b"Infinity", b"null", b"-", b"e999", b'"')
            changed[place:place] = rng.choice((*texts, b"[", b"]", b"{}", b"9" * 5000))
        else:
            del changed[place:]
    return bytes(changed)


def _refusal(path: Path) -> UserError | None:
    """Read a file; whatever is read must be sound, and only a UserError may be raised."""
    try:
        poses = read_poses(path)
    except UserError as error:
        return error
    if not (len(poses) and np.isfinite(poses.keypoints).all() and (poses.confidence >= 0).all()):
        raise AssertionError(f"{path} was read as nonsense")
    return None


@pytest.mark.parametrize("name", SAMPLES)
def test_broken_files_raise_nothing_but_user_errors(name, tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "_ends", lambda *_: True)  # hundreds of child processes
    path = tmp_path / "broken"
    refused = 0
    for seed in range(MUTATIONS):
        path.write_bytes(_mutated(SAMPLES[name], random.Random(f"{name} {seed}")))
        error = _refusal(path)
        if error is not None:
            refused += 1
            text = str(error)
            assert text.startswith(str(path)), text
            assert "\n" not in text
            assert len(text) < 600
            assert error.code == ExitCode.DATA
    assert refused > MUTATIONS // 10


@pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
def test_cut_files_are_refused_at_every_length(version, tmp_path):
    path = tmp_path / "cut"
    whole = pose_bytes(holistic(0, world=False), version=version)
    for data in (whole, SAMPLES["zip-npz"]):
        for length in [*range(1, 40), *range(40, len(data), 101), len(data) - 1]:
            path.write_bytes(data[:length])
            error = _refusal(path)
            assert error is not None
            assert error.code == ExitCode.DATA


def test_missing_unreadable_and_large_files_have_their_own_codes(tmp_path):
    with pytest.raises(UserError, match="does not exist") as caught:
        read_poses(tmp_path / "absent.pose")
    assert caught.value.code == ExitCode.NO_INPUT
    with (tmp_path / "large.json").open("wb") as file:
        file.write(b"{")
        file.truncate(reading.MAX_BYTES + 1)
    with pytest.raises(UserError, match="is larger than") as caught:
        read_poses(tmp_path / "large.json")
    assert caught.value.code == ExitCode.DATA
    if os.geteuid():  # root reads everything
        path = tmp_path / "secret.json"
        path.write_bytes(SAMPLES["own"])
        path.chmod(stat.S_IWUSR)
        with pytest.raises(UserError, match="cannot be read") as caught:
            read_poses(path)
        assert caught.value.code == ExitCode.NO_INPUT


def test_numbers_of_the_caller_are_checked(tmp_path):
    (tmp_path / "a.json").write_bytes(SAMPLES["mmpose-2"])
    for fps in (0, -1, float("nan"), float("inf"), 1000.5):
        with pytest.raises(UserError, match="fps"):
            read_poses(tmp_path / "a.json", fps=fps)
    for size in ((0, 5), (5, -5), (2.5, 3), (float("nan"), 2), (1, 2, 3)):
        with pytest.raises(UserError, match="size"):
            read_poses(tmp_path / "a.json", size=size)


def test_points_that_are_missing_or_outside_the_frame(tmp_path):
    """Missing points lie at 0, others stay; what float32 cannot tell from 0 is missing."""
    data, confidence = numbered(holistic(0, world=False))
    data[0, 0, 11, :2] = -5113.25, 7
    confidence[0, 0, 12], confidence[1, 0, 12] = 0, 1e-5
    path = tmp_path / "a.pose"
    path.write_bytes(pose_bytes(holistic(0, world=False), data, confidence))
    poses = read_poses(path)
    assert poses.keypoints[0, 5].tolist() == [-5113.25, 7]
    assert (poses.keypoints[0, 6] == 0).all()
    for name in ("a.json", "a.npz"):
        write_poses(poses, tmp_path / name)
        again = read_poses(tmp_path / name)
        assert (again.visible == poses.visible).all()
        assert again.keypoints[0, 5].tolist() == [-5113.25, 7]
