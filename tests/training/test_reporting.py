from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.checkpoints.models import load_model, read_weights
from signgen.cli.main import main
from signgen.config.data import DataConfig
from signgen.config.train import TrainConfig
from signgen.media import read_image
from signgen.training import reporting
from signgen.training.curves import read_curves, write_curves
from signgen.training.loop import train
from signgen.training.validation import is_best


def tiny(out: Path, **changes: object) -> TrainConfig:
    config = TrainConfig(
        out=str(out), data=DataConfig(workers=0), device="cpu", log_every=1, steps=3, sample_every=9
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def test_run_keeps_sheets_curves_and_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.4, 0.6, 0.5])
    measured = []

    def scored(run: object) -> dict[str, float | None]:
        measured.append(validate(run))
        return {**measured[-1], "ssim": next(scores)}

    validate = reporting.validate
    monkeypatch.setattr(reporting, "validate", scored)
    settings = {"ema": 0.9, "validate_every": 1, "validate_batches": 1, "validate_pictures": 3}
    run = train(tiny(tmp_path / "run", save_every=1, keep=3, learning_rate=1e-2, **settings))
    assert {path.name for path in (run / "samples").iterdir()} == {
        "step-000000.png",
        "step-000003.png",
    }
    assert (run / "curves.png").is_file()
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert all(line["samples_per_second"] > 0 for line in lines if "lr" in line)

    # Pictures of held-out frames were scored
    for one in measured:
        assert 0 < one["ssim"] < 1
        assert 3 < one["psnr"] < 60

    # The second validation was best, and its averaged weights are a model
    best, averaged = (read_weights(run / "checkpoints" / name) for name in ("best", "step-000002"))
    assert all(torch.equal(best[name], value) for name, value in averaged.items())
    load_model(str(run / "checkpoints" / "best"))
    assert read_weights(run / "checkpoints" / "step-000003").keys() == best.keys()


def test_best_is_of_the_highest_ssim_or_else_the_lowest_loss() -> None:
    def lines(*found: dict[str, float | None]) -> list[dict[str, object]]:
        return [{"step": 1, "loss": 0.1}, *({"step": 2, "validation": one} for one in found)]

    assert not is_best(lines())
    assert is_best(lines({"loss": 9.0}))
    assert is_best(lines({"loss": 3.0}, {"loss": 2.0}))
    assert not is_best(lines({"loss": 3.0}, {"loss": 3.0}))
    assert not is_best(lines({"loss": 3.0}, {"loss": None}))
    assert is_best(lines({"loss": 1.0, "ssim": 0.5}, {"loss": 2.0, "ssim": 0.6}))
    assert not is_best(lines({"loss": None, "ssim": None}))


def test_curves_show_every_loss_with_its_validations(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    history: list[dict[str, object]] = [
        {"step": 10 * i, "loss": 50 / i + float(rng.normal(0, 0.02)), "lr": 1e-4, "l1": None}
        for i in range(1, 200)
    ]
    history += [
        {"step": s, "validation": {"loss": 60 / s * 10, "ssim": s / 2000}} for s in (500, 1500)
    ]
    curves = read_curves(history)
    assert set(curves) == {"loss", "lr", "ssim"}
    assert [len(part) for part in curves["loss"]] == [199, 2]
    assert curves["ssim"] == ([], [(500, 0.25), (1500, 0.75)])
    write_curves(history, tmp_path / "curves.png")
    picture = read_image(tmp_path / "curves.png")
    assert picture.shape == (260, 3 * 440, 3)
    assert (picture.reshape(-1, 3) == (200, 80, 20)).all(axis=1).any()
    write_curves([], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_tensorboard_is_told_losses_scores_and_pictures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = {"stage": "vae", "validate_every": 3, "validate_batches": 1}
    run = train(tiny(tmp_path / "run", track=("tensorboard",), **settings))
    events = EventAccumulator(str(run / "tensorboard" / "signgen")).Reload()
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    told = {event.step: event.value for event in events.Scalars("train/loss")}
    logged = {line["step"]: line["loss"] for line in lines if "loss" in line}
    assert told == pytest.approx(logged)
    assert [event.step for event in events.Scalars("dev/ssim")] == [3]
    assert [event.step for event in events.Images("samples")] == [0, 3]


def test_tracker_that_is_not_installed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reporting, "get_available_trackers", list)
    assert main(["train", "--track", "tensorboard", "--out", str(tmp_path / "run")]) == 69
    assert "pip install tensorboard" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
