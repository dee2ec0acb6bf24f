"""Compiled networks train as plain ones do, and leave no trace in checkpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partialmethod
from pathlib import Path

import pytest
import torch

from signgen.checkpoints.models import read_weights
from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.config.train import Stage, TrainConfig
from signgen.errors import ExitCode, UserError
from signgen.training.compiling import check_compiler
from signgen.training.loop import train

TINY = tiny_fpdm()
MODEL = replace(
    TINY,
    autoencoder=replace(TINY.autoencoder, block_channels=(8, 8)),
    unet=replace(TINY.unet, block_channels=(8, 8), attention=(True, False), layers_per_block=1),
    pose_channels=(4, 8),
)


def settings(out: Path, stage: Stage, **changes: object) -> TrainConfig:
    config = TrainConfig(stage, str(out), MODEL, DataConfig(workers=0), device="cpu", log_every=1)
    return replace(config, ema=0.9, **changes)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["ipf", "fpdm"])
def test_compiled_training_is_plain_training(stage: Stage, tmp_path: Path) -> None:
    try:
        check_compiler(settings(tmp_path, stage, compile=True))
    except UserError as error:
        pytest.skip(str(error))
    logs, weights, moments = [], [], []
    for name, compiled in (("plain", False), ("compiled", True)):
        run = train(settings(tmp_path / name, stage, steps=1, compile=compiled))
        lines = (run / "log.jsonl").read_text("utf-8").splitlines()
        logs.append({k: v for k, v in json.loads(lines[0]).items() if "second" not in k})
        newest = run / "checkpoints" / "step-000001"
        weights.append(read_weights(newest, "model"))
        # Gradients: the optimiser's mean of them, where a compiler that errs is seen
        state = torch.load(newest / "trainer.pt", weights_only=True)["optimizer"]["state"]
        moments.append([one["exp_avg"] for one in state.values()])
    assert logs[1] == pytest.approx(logs[0], rel=1e-4, abs=1e-5)
    assert list(weights[0]) == list(weights[1])
    most = max(float(one.abs().max()) for one in moments[0])
    for plain, compiled in zip(*moments, strict=True):
        torch.testing.assert_close(compiled, plain, rtol=1e-3, atol=1e-6 * most)

    # It is a matter of the call, not of the run
    train(settings(tmp_path / "compiled", stage, steps=2))


def test_a_compiler_that_errs_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def erring(graph: torch.fx.GraphModule, inputs: object) -> object:
        return lambda *given: tuple(one.detach() for one in graph(*given))

    compiled = torch.nn.Module.compile
    monkeypatch.setattr("signgen.training.compiling.check_compiler", lambda config: None)
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(compiled, backend=erring))
    config = settings(tmp_path / "run", "ipf", steps=1, compile=True)
    with pytest.raises(
        UserError, match="compiles this to other gradients than without it"
    ) as caught:
        train(config)
    assert caught.value.code == ExitCode.UNAVAILABLE


@pytest.mark.slow
def test_nothing_to_compile_with_is_one_line(tmp_path: Path) -> None:
    words = ["train", "--stage", "ipf", "--compile", "--dry-run", "--device", "cpu"]
    none = {"CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-m", "signgen", *words],
        env=os.environ | none,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.returncode == ExitCode.UNAVAILABLE, told.stderr
    assert "compile is true, but nothing can be compiled here" in told.stdout + told.stderr
