"""`pose_to_video`: called as spoken-to-signed calls it."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from signgen.cli.pose_to_video import main
from signgen.media import probe_video, read_image, save_image
from signgen.media.resizing import resize_image
from signgen.pose.formats import read_poses, write_poses

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "signgen" / "assets" / "sample" / "demo"


@pytest.fixture
def pose(tmp_path: Path) -> Path:
    write_poses(read_poses(DEMO / "other" / "poses.json").frames([0, 5]), tmp_path / "a.pose")
    return tmp_path / "a.pose"


def test_a_bundled_signer_signs_it(
    pose: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = str(tmp_path / "a.mp4")
    words = ["--type=signgen", "--model", "warp", "--pose", str(pose), "--video", video]
    assert main(words) == 0
    info = probe_video(video, count=True)
    assert (info.num_frames, info.size) == (2, read_image(DEMO / "source.png").shape[:2])
    assert "left out" not in capsys.readouterr().err
    left = {path.name for path in tmp_path.iterdir()} - {"a.c2pa"}  # signed where c2pa is installed
    assert left == {"a.mp4", "a.pose", "a.provenance.json"}


def test_settings_name_signer_and_model_and_what_is_left_out_is_said(
    pose: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_image(tmp_path / "me.png", resize_image(read_image(DEMO / "source.png"), (64, 52), "area"))
    settings = tmp_path / "me.yaml"
    settings.write_text(
        f"source: {tmp_path / 'me.png'}\nsource_poses: {DEMO / 'poses.json'}\nmodel: warp\n"
    )
    monkeypatch.setenv("SIGNGEN_CONFIG", str(settings))
    video = str(tmp_path / "a.mp4")
    words = ["--type=pix2pix", "--model", "model.h5", "--pose", str(pose), "--video", video]
    assert main([*words, "--processors", "simple_upscaler"]) == 0
    assert probe_video(video).size == (64, 52)
    said = capsys.readouterr().err
    assert "left out: simple_upscaler, --model model.h5 of type pix2pix" in said


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--type=signgen"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    words = ["--type=signgen", "--model", "warp", "--video", str(tmp_path / "a.mp4")]
    assert main([*words, "--pose", "none.pose"]) == 66
    assert "none.pose does not exist" in capsys.readouterr().err


def test_the_script_of_the_distribution_is_there() -> None:
    text = (ROOT / "plugins" / "pose-to-video" / "pyproject.toml").read_text("utf-8")
    module, function = tomllib.loads(text)["project"]["scripts"]["pose_to_video"].split(":")
    assert getattr(import_module(module), function) is main
