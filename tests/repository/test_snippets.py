"""The Python that README.md and docs/fpdm.md show runs and gives what stands there."""

from __future__ import annotations

import pkgutil
import re
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from signgen.checkpoints.models import save_pretrained
from signgen.config.model import tiny_fpdm
from signgen.config.sampling import ResolvedSampling
from signgen.data.dataset import bundled_sample
from signgen.media import probe_video
from signgen.models import build_model
from signgen.pose.formats import read_poses, write_poses
from signgen.rendering.generation import generate

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "fpdm.md").read_text("utf-8")


def test_what_the_page_names_is_there() -> None:
    for name in re.findall(r"`(signgen\.[\w.]+)", TEXT):
        assert callable(pkgutil.resolve_name(name)), name
    root = Path(__file__).resolve().parents[2]
    for path in re.findall(r"`((?:configs|tests|tools)/[\w./-]+)`", TEXT):
        assert (root / path).is_file(), path


def run(word: str, folder: Path, **names: object) -> dict[str, Any]:
    """Run the one block of Python that holds a word, with some names; return all it has then."""
    (found,) = (block for block in re.findall(r"```python\n(.*?)```", TEXT, re.S) if word in block)
    (folder / "snippet.py").write_text(found)
    return runpy.run_path(str(folder / "snippet.py"), names)


def test_sampling_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    config = tiny_fpdm()
    model = build_model(config).eval()
    torch.nn.init.normal_(model.pose_encoder.conv_out.weight, std=0.2)
    save_pretrained(model, tmp_path / "runs" / "fpdm-official")
    monkeypatch.chdir(tmp_path)
    names = {"pose": torch.rand(2, 3, *config.size)}
    for name, side in (
        ("source", config.source_encoder.image_size),
        ("source_clip", config.ipf.image_size),
        ("pose_clip", config.ipf.image_size),
    ):
        names[name] = torch.randn(2, 3, side, side)
    made = run("sample(", tmp_path, **names)["pixels"]
    with torch.no_grad():
        features = model.encode_source_pixels(names["source"], names["source_clip"])
        condition = model.condition
        monkeypatch.setattr(
            model,
            "condition",
            lambda source, pose, *_, **__: condition(source, pose, names["pose_clip"]),
        )
        expected, other = (
            generate(
                model,
                features,
                names["pose"],
                frames=range(2),
                sampling=ResolvedSampling(20, (2.0, 2.0), "ddpm", True, "no", seed),
            )
            for seed in (7, 8)
        )
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)
    assert float((other - expected).abs().max()) > 1e-2


def test_weights_of_every_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("meta", tmp_path)
    (shown,) = re.findall(r"```text\n(.*?)```", TEXT, re.S)
    assert capsys.readouterr().out == shown
    assert "870,148,308 trained" in shown


def test_the_readme_renders_and_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).resolve().parents[2]
    (code,) = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text("utf-8"), re.S)
    assert len(code.splitlines()) <= 16
    poses = read_poses(bundled_sample() / "demo" / "poses.json").frames(slice(0, 3))
    write_poses(poses, tmp_path / "seq.json")
    shutil.copy(bundled_sample() / "demo" / "source.png", tmp_path / "frame.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert probe_video(tmp_path / "out.mp4").num_frames == 3
    assert re.match(r"ssim 0\.\d+ ssim\|.*\npsnr \d+\.\d+ psnr\|", capsys.readouterr().out)
