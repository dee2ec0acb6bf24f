"""Settings decide how a run computes; variables of accelerate do not, and say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import signgen.device
from signgen.checkpoints.models import start_from
from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.device import fastest_precision
from signgen.errors import ExitCode, UserError
from signgen.training.environment import check_environment, choose_precision, make_accelerator
from signgen.training.loop import train


def config(tmp_path: Path, **changes: object) -> TrainConfig:
    made = TrainConfig(
        "vae", str(tmp_path / "run"), tiny_fpdm(), DataConfig(workers=0), steps=2, device="cpu"
    )
    return replace(made, sample_every=100, log_every=1, **changes)  # type: ignore[arg-type]


def test_the_environment_does_not_divide_the_gradient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gradients = []
    for value in (None, "4"):
        if value is not None:
            monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", value)
        check_environment(config(tmp_path))
        accelerator = make_accelerator(config(tmp_path))
        weight = torch.nn.Parameter(torch.ones(()))
        accelerator.backward(3 * weight)
        gradients.append(weight.grad)
    assert gradients == [3, 3]
    assert "ACCELERATE_GRADIENT_ACCUMULATION_STEPS is 4 in the environment and is ignored: " in (
        caplog.text
    )
    assert caplog.text.count("ignored") == 1


def test_loops_that_this_one_is_not_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "false")
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "NO")
    check_environment(config(tmp_path))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    for name, value, problem in (
        ("FSDP_VERSION", "1", "FSDP_VERSION is 1; expected 2"),
        ("FSDP_VERSION", "2", "there is one process; expected several"),
        ("WORLD_SIZE", "2", ""),
        ("FSDP_OFFLOAD_PARAMS", "true", "FSDP_OFFLOAD_PARAMS is true; expected false"),
    ):
        monkeypatch.setenv(name, value)
        if problem:
            with pytest.raises(UserError, match=problem) as caught:
                check_environment(config(tmp_path))
            assert caught.value.code == ExitCode.USAGE
        else:
            check_environment(config(tmp_path))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "false")
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR")
    with pytest.raises(UserError, match="training here has a setting for that, compile"):
        check_environment(config(tmp_path))


@pytest.mark.parametrize(("slow", "chosen"), [("bf16", "no"), ("no", "bf16")])
def test_auto_is_what_was_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slow: str, chosen: str
) -> None:
    """A clock that runs faster while the slow precision computes."""
    clock, current = [0.0], [""]
    original = signgen.device.autocast

    def entering(precision, device):
        current[0] = precision
        return original(precision, device)

    def ticking() -> float:
        clock[0] += 10 if current[0] == slow else 1
        return clock[0]

    monkeypatch.setattr(signgen.device, "autocast", entering)
    monkeypatch.setattr(signgen.device.time, "thread_time", ticking)
    fastest_precision.cache_clear()
    try:
        assert choose_precision(config(tmp_path, precision="auto")) == chosen
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert choose_precision(config(tmp_path, precision="auto")) == "no"
    finally:
        fastest_precision.cache_clear()


def test_the_precision_chosen_is_kept_and_an_unfinished_autoencoder_not_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fastest_precision.cache_clear()
    settings = config(tmp_path, precision="auto", stop_at=1)
    run = train(settings)
    chosen = load_config(run / "config.yaml", TrainConfig).precision
    assert chosen in {"no", "bf16"}
    with pytest.raises(UserError, match=r"autoencoder at step 1 of 2, whose scaling_factor is"):
        start_from((str(run),), tiny_fpdm(), "fpdm")
    monkeypatch.setattr(
        "signgen.training.environment.fastest_precision", lambda _: pytest.fail("measured again")
    )
    train(replace(settings, stop_at=0))
    assert load_config(run / "config.yaml", TrainConfig).precision == chosen
    model, _ = start_from((str(run),), tiny_fpdm(), "fpdm")
    assert model.autoencoder.scaling_factor != 1.0
