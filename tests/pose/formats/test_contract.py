"""What every format has in common."""

import json
import os
import random
import stat
from pathlib import Path

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.files.foreign import pickles
from signgen.pose.formats import (
    alphapose_json,
    coco_json,
    deepfashion,
    deepfashion_csv,
    detectors,
    npz_file,
    openpose,
    own_json,
    pose_file,
    read_clips,
    read_poses,
    write_poses,
)
from signgen.pose.formats import reading as checked
from signgen.pose.skeleton import SKELETONS
from tests.material.pose_samples import SAMPLES

MUTATIONS = 300


def _sniffed(data: bytes) -> list[str]:
    found = [
        name
        for name, module in (
            ("pose", pose_file),
            ("deepfashion", deepfashion),
            ("pickle", pickles),
            ("zip", npz_file),
            ("csv", deepfashion_csv),
        )
        if module.sniff(data)
    ]
    try:
        document = json.loads(data)
    except ValueError:
        return found
    found += [
        name
        for name, module in (
            ("own", own_json),
            ("alphapose", alphapose_json),
            ("mmpose", detectors),
            ("openpose", openpose),
            ("coco", coco_json),
        )
        if module.sniff(document)
    ]
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_exactly_one_format_recognises_a_file(name):
    assert _sniffed(SAMPLES[name]) == [name.split("-")[0].replace("gzip", "pickle")]


@pytest.mark.parametrize("name", SAMPLES)
def test_content_decides_and_not_the_suffix(name, tmp_path):
    path = tmp_path / "poses.mp3"
    path.write_bytes(SAMPLES[name])
    poses = read_poses(path)
    assert poses.keypoints.dtype == poses.confidence.dtype == np.float32
    assert poses.keypoints.shape[1] == SKELETONS[poses.skeleton].num_keypoints
    assert poses.visible.any()
    assert (poses.keypoints[~poses.visible] == 0).all()
    assert poses.fps == 25


@pytest.mark.parametrize("name", SAMPLES)
def test_one_clip_is_a_mapping_of_one(name, tmp_path):
    path = tmp_path / "poses.mp3"
    path.write_bytes(SAMPLES[name])
    clips = read_clips(path)
    (clip,) = clips
    poses = read_poses(path, clip=clip)
    assert len(clips) == 1
    assert clip in clips
    assert "absent" not in clips
    assert (clips[clip].keypoints == poses.keypoints).all()
    with pytest.raises(UserError, match="holds no clip 'absent'") as caught:
        read_poses(path, clip="absent")
    assert caught.value.code == ExitCode.NO_INPUT


@pytest.mark.parametrize("name", SAMPLES)
def test_own_json_keeps_what_any_format_gave(name, tmp_path):
    first = tmp_path / "first"
    first.write_bytes(SAMPLES[name])
    poses = read_poses(first)
    write_poses(poses, tmp_path / "second.json")
    again = read_poses(tmp_path / "second.json")
    assert (again.skeleton, again.size, again.fps) == (poses.skeleton, poses.size, poses.fps)
    assert (again.visible == poses.visible).all()
    np.testing.assert_allclose(again.keypoints, poses.keypoints, atol=0.0051)
    np.testing.assert_allclose(again.confidence, poses.confidence, atol=0.00051)


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
            changed[place:place] = rng.choice(
                (
                    b"\xff",
                    b"\0\0",
                    b"NaN",
                    b"Infinity",
                    b"null",
                    b"-",
                    b"e999",
                    b'"',
                    b"[",
                    b"]",
                    b"{}",
                    b"9" * 5000,
                )
            )
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


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"hello",
            b"\x89PNG\r\n\x1a\n" + bytes(100),
            b"\0" * 64,
            b"{",
            b"[1, 2",
            b"[]",
            b"{}",
            b"null",
        ),
        *(b"[" * 200_000, b'{"a":' * 100_000, b'{"a": "\xff\xfe"}', b"[" + b"9" * 100_000 + b"]"),
        *("[1]".encode("utf-16"), b"12", b'"text"', b'[{"keypoints": 1}]', b"\xef\xbb\xbf[3]"),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_other_files_are_not_poses(data, tmp_path):
    path = tmp_path / "poses.json"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_poses(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert caught.value.code == ExitCode.DATA


def test_missing_file_has_its_own_code(tmp_path):
    with pytest.raises(UserError, match="does not exist") as caught:
        read_poses(tmp_path / "absent.pose")
    assert caught.value.code == ExitCode.NO_INPUT


def test_empty_file_says_so(tmp_path):
    (tmp_path / "empty.json").write_bytes(b"")
    with pytest.raises(UserError, match="0 bytes"):
        read_poses(tmp_path / "empty.json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file_says_so(tmp_path):
    path = tmp_path / "secret.json"
    path.write_bytes(SAMPLES["own"])
    path.chmod(stat.S_IWUSR)
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_poses(path)
    assert caught.value.code == ExitCode.NO_INPUT


def test_large_file_is_refused_unread(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(checked.MAX_BYTES + 1)
    with pytest.raises(UserError, match="is larger than"):
        read_poses(path)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1000.5])
def test_frame_rates_of_the_caller_are_checked(fps, tmp_path):
    (tmp_path / "a.json").write_bytes(SAMPLES["mmpose-2"])
    with pytest.raises(UserError, match="fps"):
        read_poses(tmp_path / "a.json", fps=fps)


@pytest.mark.parametrize("size", [(0, 5), (5, -5), (2.5, 3), (float("nan"), 2), (1, 2, 3)])
def test_sizes_of_the_caller_are_checked(size, tmp_path):
    (tmp_path / "a.json").write_bytes(SAMPLES["mmpose-2"])
    with pytest.raises(UserError, match="size"):
        read_poses(tmp_path / "a.json", size=size)
