"""Pickles of many clips: MSKA, SLRT, NLA-SLR and DWPose."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.errors import ExitCode, UserError
from signgen.files.foreign import pickles
from signgen.pose.formats import read_clips, read_poses
from tests.material.pose_samples import dwpose, mska, table

NAMES = ("train/a-1", "dev/b-2", "test/c-3")


def write(tmp_path: Path, value: object, **options: object) -> Path:
    path = tmp_path / "clips.train"
    path.write_bytes(pickle.dumps(value, **options))
    return path


def test_mska_clips_come_back(tmp_path):
    written = mska(*NAMES, frames=5)
    clips = read_clips(write(tmp_path, written))
    assert clips.format == "mska"
    assert tuple(clips) == NAMES
    for name, poses in clips.items():
        wanted = written[name]["keypoint"].numpy()
        assert (poses.keypoints == wanted[..., :2]).all()
        assert (poses.confidence == wanted[..., 2]).all()
        assert (poses.skeleton, poses.size, poses.fps) == ("coco-wholebody-133", (260, 210), 25.0)


@pytest.mark.parametrize("kind", ["float64", "float32", "float16"])
@pytest.mark.parametrize("inner", [True, False])
def test_slrt_and_nla_slr(kind, inner, tmp_path):
    written = table(4).astype(kind)
    value = {"fullFrame-210x260px/train/x": {"keypoints": written} if inner else written}
    clips = read_clips(write(tmp_path, value))
    assert clips.format == ("slrt" if inner else "arrays")
    poses = clips["fullFrame-210x260px/train/x"]
    assert (poses.keypoints == written[..., :2].astype("f4")).all()
    assert poses.size == (260, 210)


def test_a_clip_of_many_must_be_named(tmp_path):
    path = write(tmp_path, mska(*NAMES))
    with pytest.raises(UserError, match=r"holds 3 clips \('train/a-1', .*--clip") as caught:
        read_poses(path)
    assert caught.value.code == ExitCode.DATA
    assert len(read_poses(path, clip="dev/b-2")) == 2
    with pytest.raises(UserError, match=r"no clip 'dev/b2'.*Did you mean 'dev/b-2'") as caught:
        read_poses(path, clip="dev/b2")
    assert caught.value.code == ExitCode.NO_INPUT


def test_the_size_goes_by_the_name_unless_given(tmp_path):
    clip = {"keypoints": table()}
    names = ("train/a", "S000020_P0000_T00", "fullFrame-210x260px/dev/b", "00335")
    path = write(tmp_path, {name: dict(clip) for name in names})
    clips = read_clips(path)
    assert [clips[name].size for name in names[:3]] == [(260, 210), (512, 512), (260, 210)]
    with pytest.raises(UserError, match=r"'00335'.*--size"):
        clips["00335"]
    given = read_clips(path, size=(480, 640), fps=50)
    assert {(poses.size, poses.fps) for poses in given.values()} == {((480, 640), 50.0)}


def test_zero_frames_and_negative_scores_are_missing(tmp_path):
    values = table(4)
    values[2] = 0
    values[1, 7, 2] = -0.01
    poses = read_poses(write(tmp_path, {"train/a": {"keypoint": torch.from_numpy(values)}}))
    assert not poses.visible[2].any()
    assert not poses.visible[1, 7]
    assert poses.visible.sum() == 3 * 133 - 1


def test_one_bad_clip_leaves_the_others(tmp_path):
    bad = table()
    bad[1, 5, 0] = np.inf
    value = {"train/a": {"keypoint": table()}, "train/b": {"keypoint": bad}}
    value["train/c"] = {"keypoint": table(count=17)}
    clips = read_clips(write(tmp_path, value))
    assert len(clips["train/a"]) == 2
    with pytest.raises(UserError, match=r"clip 'train/b': coordinate of key point 5 in frame 1"):
        clips["train/b"]
    with pytest.raises(UserError, match=r"clip 'train/c' has shape \[2, 17, 3\]"):
        clips["train/c"]


def test_dwpose_frames_of_one_or_many_clips(tmp_path):
    frames = [dwpose(seed=seed) for seed in range(3)]
    one = read_clips(write(tmp_path, frames))
    assert (one.format, len(one)) == ("dwpose", 1)
    many = read_clips(write(tmp_path, {"x": frames[:2], "y": frames[2:]}))
    assert [len(poses) for poses in many.values()] == [2, 1]
    assert (many["y"].keypoints == read_poses(write(tmp_path, frames[2])).keypoints).all()


def test_archives_above_their_limit_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path, mska("train/a"))
    monkeypatch.setattr(pickles, "MAX_PICKLE_BYTES", 100)
    with pytest.raises(UserError, match="files of at most 100"):
        read_poses(path)


def test_memory_is_that_of_one_clip(tmp_path):
    """A file of 105 MB is listed and a clip of it read in less than 40 MB more."""
    path = tmp_path / "clips.train"
    clip = torch.rand(1640, 133, 3) * 200
    with path.open("wb") as file:
        pickle.dump({f"train/{i}": {"keypoint": clip + 0} for i in range(40)}, file)
    assert path.stat().st_size > 100e6
    code = (
        "import resource, sys; from pathlib import Path\n"
        "import signgen.pose.formats as formats\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        f"before = peak(); clips = formats.read_clips(Path({str(path)!r}))\n"
        "assert len(clips) == 40 and len(clips['train/39']) == 1640\n"
        "assert peak() - before < 40, peak() - before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
