"""The ceiling of a model: what its decoder makes of the latents of true frames."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from signgen.config.autoencoder import DecoderConfig
from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.config.train import TrainConfig
from signgen.media import read_image
from signgen.training.loop import train

TOOL = Path(__file__).resolve().parents[2] / "tools" / "measure_decoder.py"


@pytest.mark.parametrize("kind", ["plain", "guided"])
def test_systems_are_scored_side_by_side(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = replace(tiny_fpdm(), decoder=DecoderConfig(kind=kind, channels=(8, 8, 16)))  # type: ignore[arg-type]
    config = TrainConfig(stage="vae", out=str(tmp_path / "run"), model=model, steps=1, device="cpu")
    run = train(replace(config, data=DataConfig(workers=0)))
    words = ["--run", str(run), "--data", "sample", "--clips", "2", "--every", "12"]
    monkeypatch.setattr(sys, "argv", [str(TOOL), *words, "--sheet", str(tmp_path / "sheet.png")])
    spec = importlib.util.spec_from_file_location("measure_decoder", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "measure_decoder", module)
    spec.loader.exec_module(module)
    module.main()
    scores = json.loads(capsys.readouterr().out)["scores"]
    systems = {"generated", "copy of the source"}
    if kind == "guided":
        systems |= {"moved source", "without latents", "latents of the moved source"}
    assert scores["ssim"].keys() == scores["hand_ssim"].keys() == systems
    assert all(0 < score["value"] < 1 for score in scores["ssim"].values())
    height, width = read_image(tmp_path / "sheet.png").shape[:2]
    assert (height, width) == (2 * 260, (6 if kind == "guided" else 3) * 210)
