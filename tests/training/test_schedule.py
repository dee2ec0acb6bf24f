from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from signgen.config.data import DataConfig
from signgen.config.model import MotionConfig, tiny_fpdm
from signgen.config.train import TrainConfig
from signgen.diffusion.draws import uniform
from signgen.errors import ExitCode, UserError
from signgen.training.schedule import check_settings, learning_rate, seeded


def test_learning_rate_warms_up_and_decays_to_zero() -> None:
    config = TrainConfig(steps=110, warmup=10, schedule="cosine", learning_rate=1.0)
    rates = [learning_rate(config, step) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_learning_rate_of_fpdm_stage_2_by_epoch() -> None:
    # Warm-up over 5 epochs of 809 steps, then a tenth after every 50 epochs, as its program has it.
    config = TrainConfig(
        learning_rate=1e-4,
        warmup=5 * 809,
        warmup_hold=809,
        schedule="step",
        decay_every=50 * 809,
    )
    by_epoch = [2e-5, 4e-5, 6e-5, 8e-5, *[1e-4] * 51, *[1e-5] * 50, *[1e-6] * 5]
    assert len(by_epoch) == 110
    for step_of_epoch in (0, 404, 808):
        rates = [learning_rate(config, epoch * 809 + step_of_epoch) for epoch in range(110)]
        assert rates == pytest.approx(by_epoch, rel=1e-12)


def test_step_schedule_without_warm_up_decays_from_the_first_step() -> None:
    config = TrainConfig(learning_rate=8.0, schedule="step", decay_every=2, decay_factor=0.5)
    assert [learning_rate(config, step) for step in range(6)] == [8, 8, 4, 4, 2, 2]


def drawn(seed: int, step: int, batch_size: int, rank: int, world: int) -> list[float]:
    process = SimpleNamespace(device="cpu", process_index=rank, num_processes=world)
    with seeded(seed, step, batch_size, process):  # type: ignore[arg-type]
        return uniform(torch.empty(batch_size, dtype=torch.float64)).tolist()


def test_draws_differ_between_seeds_steps_and_processes() -> None:
    draws = [
        drawn(seed, step, 2, rank, 200) for seed in (7, 8) for step in (0, 1) for rank in range(200)
    ]
    assert len({value for pair in draws for value in pair}) == 2 * 2 * 200 * 2


def test_draws_are_those_of_one_large_batch() -> None:
    whole = drawn(7, 5, 12, 0, 1)
    assert [v for rank in range(3) for v in drawn(7, 5, 4, rank, 3)] == whole
    assert [v for step in range(20, 24) for v in drawn(7, step, 3, 0, 1)] == whole


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(
            ({name: 0}, f"{name} is 0; expected at least 1")
            for name in (
                "steps",
                "batch_size",
                "accumulate",
                "warmup_hold",
                "log_every",
                "sample_every",
                "save_every",
            )
        ),
        ({"warmup": -1}, "warmup is -1; expected 0 or more"),
        ({"warmup": 7, "warmup_hold": 2}, "warmup_hold is 2; expected a divisor of warmup, 7"),
        ({"schedule": "step"}, "decay_every is 0; expected at least 1"),
        (
            {"schedule": "step", "decay_every": 1, "decay_factor": 0.0},
            "decay_factor is 0.0; expected more than 0, at most 1",
        ),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; expected more than 0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; expected 0 or more"),
        ({"clip_gradient": -1.0}, "clip_gradient is -1.0; expected 0 or more"),
        ({"ema": 1.0}, "ema is 1.0; expected 0 or more, less than 1"),
        ({"seed": -1}, "seed is -1; expected 0 to 4294967295"),
        ({"stop_at": -1}, "stop_at is -1; expected 0 or more"),
        ({"data": DataConfig(workers=-1)}, "data.workers is -1; expected 0 or more"),
        ({"data": DataConfig(pairs=-1)}, r"data\.pairs is -1; expected 0 or more"),
        ({"data": DataConfig(identity_rate=2.0)}, r"data\.identity_rate is 2.0; expected a share"),
        (
            {"stage": "motion", "model": replace(tiny_fpdm(), motion=MotionConfig(4))},
            "batch_size is 2; expected a multiple of model.motion.window, 4",
        ),
        ({"validate_every": -1}, "validate_every is -1; expected 0 or more"),
        ({"validate_every": 1, "validate_batches": 0}, "validate_batches is 0; expected at least"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        check_settings(replace(TrainConfig(), **changes))  # type: ignore[arg-type]
    assert caught.value.code == ExitCode.USAGE


def test_default_settings_are_accepted() -> None:
    check_settings(TrainConfig())
