from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen.checkpoints.models import read_weights
from signgen.config.data import DataConfig
from signgen.config.train import TrainConfig
from signgen.structures import ExitCode, UserError
from signgen.training.loop import train


def tiny(out: Path, **changes: object) -> TrainConfig:
    config = TrainConfig(
        stage="ipf", out=str(out), data=DataConfig(workers=0), device="cpu", steps=2
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def test_fused_optimiser_takes_the_same_steps_and_resumes(tmp_path: Path) -> None:
    plain = train(tiny(tmp_path / "plain", weight_decay=0.1))
    train(tiny(tmp_path / "fused", weight_decay=0.1, optimizer="adamw-fused", stop_at=1))
    fused = train(tiny(tmp_path / "fused", weight_decay=0.1, optimizer="adamw-fused"))
    one, two = (read_weights(run / "checkpoints" / "step-000002") for run in (plain, fused))
    for name, value in one.items():
        # The gradient of a bias before a normalisation is rounding, which AdamW blows up
        torch.testing.assert_close(value, two[name], rtol=0, atol=1e-5)


def test_optimiser_in_8_bits_is_refused_without_its_package(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="adamw-8bit, which needs") as caught:
        train(tiny(tmp_path / "run", optimizer="adamw-8bit"))
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert not (tmp_path / "run").exists()


def test_one_process_trains_in_one_precision_after_another(tmp_path: Path) -> None:
    for number, precision in enumerate(("no", "bf16", "no")):
        run = train(tiny(tmp_path / str(number), precision=precision, steps=1))
        assert (run / "checkpoints" / "step-000001").is_dir()
    one, other = (read_weights(tmp_path / n / "checkpoints" / "step-000001") for n in ("0", "2"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
