"""Poses of a video are extracted once; rendering from a video."""

import json
import logging

import av
import numpy as np
import pytest

from signgen.cli.main import main
from signgen.media import looks_like_video, save_image
from signgen.pose.extraction.cache import cache_folder, open_video_poses
from signgen.pose.formats import read_poses, write_poses
from tests.material.dots import SIZE, DotEstimator, dots, video


@pytest.fixture
def clip(tmp_path):
    return video(tmp_path / "clip.mp4", dots(4, hands=2))


def test_the_second_time_comes_from_the_cache_and_is_the_same(clip, caplog):
    caplog.set_level(logging.INFO, "signgen")
    estimator = DotEstimator()
    first = open_video_poses(clip, estimator).read()
    assert "extracting poses" in caplog.text
    caplog.clear()
    again = open_video_poses(clip, estimator).read()
    assert "from the cache" in caplog.text
    assert estimator.clips == 1
    assert np.array_equal(first.keypoints, again.keypoints)
    assert np.array_equal(first.confidence, again.confidence)
    assert (len(first), first.fps, first.size) == (4, 12.5, SIZE)


def test_the_key_is_content_and_estimator(clip, tmp_path, monkeypatch):
    estimator = DotEstimator()
    place = open_video_poses(clip, estimator).file
    moved = clip.rename(tmp_path / "moved.mp4")
    assert open_video_poses(moved, estimator).file == place
    other = video(tmp_path / "other.mp4", dots(4))
    assert open_video_poses(other, estimator).file != place
    monkeypatch.setattr(DotEstimator, "name", "dots/2")
    assert open_video_poses(moved, estimator).file != place
    assert open_video_poses(moved, estimator).file.parent == place.parent


def test_a_broken_cache_is_extracted_again(clip):
    poses = open_video_poses(clip, DotEstimator())
    poses.read()
    poses.file.write_text("{")
    estimator = DotEstimator()
    assert len(open_video_poses(clip, estimator).read()) == 4
    assert estimator.clips == 1
    assert len(read_poses(poses.file)) == 4


def test_a_cache_that_cannot_be_written_is_said(clip, own_cache, caplog):
    own_cache.write_text("a file where the folder should be")
    assert len(open_video_poses(clip, DotEstimator()).read()) == 4
    assert "not kept for next time" in caplog.text


def test_cache_folder(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache" / "poses"
    monkeypatch.delenv("SIGNGEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "signgen" / "poses"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "signgen" / "poses"


def test_videos_are_known_by_content(clip, tmp_path):
    assert looks_like_video(clip)
    assert looks_like_video(clip.rename(tmp_path / "clip.json"))
    write_poses(
        open_video_poses(tmp_path / "clip.json", DotEstimator()).read(), tmp_path / "p.json"
    )
    assert not looks_like_video((tmp_path / "p.json").rename(tmp_path / "poses.mp4"))
    assert not looks_like_video(tmp_path)
    assert not looks_like_video(tmp_path / "none")
    for suffix, codec in ((".mkv", "mpeg4"), (".avi", "mpeg4"), (".ts", "mpeg2video")):
        other = tmp_path / f"a{suffix}"
        with av.open(str(other), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), format="rgb24")
            container.mux([*stream.encode(grey), *stream.encode(None)])
        assert looks_like_video(other), suffix


# ----- signgen render --poses clip.mp4 ------------------------------------------------------------


@pytest.fixture
def render(clip, tmp_path, monkeypatch):
    """Run the command with the estimator of dots; return its exit code."""
    estimator = DotEstimator()
    for module in ("inputs", "reading"):
        monkeypatch.setattr(f"signgen.rendering.{module}.open_estimator", lambda *_: estimator)
    save_image(tmp_path / "source.png", dots(1)[0])
    (tmp_path / "out").mkdir()
    words = ["render", "--source", str(tmp_path / "source.png"), "--steps", "1", "--device", "cpu"]
    words += ["--out", str(tmp_path / "out" / "a.mp4")]

    def run(*more: str, poses=clip) -> int:
        return main([*words, "--poses", str(poses), *more])

    run.estimator = estimator
    return run


def test_render_from_a_video_twice(render, tmp_path, capsys):
    for _ in range(2):
        assert render("--json") == 0
        captured = capsys.readouterr()
        result = json.loads(captured.out)
        assert (result["frames"], result["fps"]) == (4, 12.5)
        assert result["provenance"]["estimator"] == "dots-1"
    assert render.estimator.clips == 3, "the video once, and the source picture of each render"
    with av.open(str(tmp_path / "out" / "a.mp4")) as container:
        assert json.loads(container.metadata["comment"])["estimator"] == "dots-1"
        assert sum(1 for _ in container.decode(video=0)) == 4


def test_dry_run_extracts_nothing_and_says_what_it_would(render, tmp_path, capsys, own_cache):
    assert render("--dry-run", "--json") == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["frames"], planned["fps"]) == (4, 12.5)
    assert planned["extraction"] == "dots-1"
    assert render("--dry-run", "--json", "--pose-fps", "25") == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["frames"], planned["fps"]) == (7, 25)
    assert render.estimator.clips == 0
    assert not own_cache.exists()
    assert not list((tmp_path / "out").iterdir())
    open_video_poses(tmp_path / "clip.mp4", render.estimator).read()
    assert render("--dry-run", "--json") == 0
    assert "cached in" in json.loads(capsys.readouterr().out)["extraction"]


def test_bad_videos_and_files_that_are_neither(render, tmp_path, capsys):
    clip = tmp_path / "clip.mp4"
    whole = clip.read_bytes()
    dark = video(tmp_path / "dark.mp4", [np.zeros((*SIZE, 3), np.uint8)] * 3)
    for content, message in (
        (whole[:60], "expected a video"),
        (b"hello world", "DeepFashion text. It is no video either"),
        (dark.read_bytes(), "finds nobody in 3 frames"),
    ):
        clip.write_bytes(content)
        assert render() == 65
        captured = capsys.readouterr()
        assert message in captured.err
        assert str(clip) in captured.err
        assert not list((tmp_path / "out").iterdir())
