from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen import checkpoint
from signgen.config import DataConfig, Stage, TrainConfig
from signgen.config_io import load_config
from signgen.structures import ExitCode, UserError
from signgen.train import learning_rate, step_seed, train


def tiny(out: Path, stage: Stage = "fpdm", **changes: object) -> TrainConfig:
    config = TrainConfig(
        stage=stage, out=str(out), data=DataConfig(workers=0), device="cpu", log_every=1
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


def test_learning_rate_warms_up_and_decays_to_zero() -> None:
    config = TrainConfig(steps=110, warmup=10, schedule="cosine", learning_rate=1.0)
    rates = [learning_rate(config, step) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_step_seeds_differ_between_steps_and_processes() -> None:
    seeds = {step_seed(s, step, rank) for s in range(3) for step in range(100) for rank in range(8)}
    assert len(seeds) == 3 * 100 * 8


@pytest.mark.parametrize("stage", ["vae", "ipf", "fpdm"])
def test_every_stage_trains_and_writes_its_run_folder(stage: Stage, tmp_path: Path) -> None:
    run = train(tiny(tmp_path / "run", stage, steps=3, ema=0.9, sample_every=3))
    assert load_config(run / "config.yaml", TrainConfig).stage == stage
    assert len(losses(run)) == 3
    newest = checkpoint.newest_checkpoint(run)
    assert newest is not None
    assert {p.name for p in newest.iterdir()} == {
        "model.safetensors",
        "ema.safetensors",
        "trainer.pt",
        "manifest.json",
    }
    assert (run / "samples" / "step-000003.png").is_file() == (stage != "ipf")


@pytest.mark.parametrize("stage", ["vae", "ipf"])
def test_loss_falls(stage: Stage, tmp_path: Path) -> None:
    run = train(tiny(tmp_path / "run", stage, steps=40, batch_size=4, learning_rate=3e-3))
    values = losses(run)
    assert sum(values[-8:]) < 0.9 * sum(values[:8])


def test_loss_of_stage_2_falls_on_latents_of_a_trained_autoencoder(tmp_path: Path) -> None:
    # The latents of an untrained autoencoder are mostly posterior noise, which nothing can predict.
    vae = train(tiny(tmp_path / "vae", "vae", steps=100, batch_size=4, learning_rate=5e-3))
    run = train(
        tiny(tmp_path / "run", steps=60, batch_size=8, learning_rate=3e-3, start_from=(str(vae),))
    )
    values = losses(run)
    assert sum(values[-15:]) < 0.9 * sum(values[:15])


@pytest.mark.parametrize("stage", ["vae", "fpdm"])
def test_resumed_run_equals_uninterrupted_run(stage: Stage, tmp_path: Path) -> None:
    whole = train(tiny(tmp_path / "whole", stage, steps=5, ema=0.9, sample_every=2))
    train(tiny(tmp_path / "cut", stage, steps=5, ema=0.9, sample_every=2, stop_at=2))
    cut = train(tiny(tmp_path / "cut", stage, steps=5, ema=0.9, sample_every=2))
    assert losses(whole) == losses(cut)
    for kind in ("model", "ema"):
        one, two = (
            checkpoint.read_weights(run / "checkpoints" / "step-000005", kind)
            for run in (whole, cut)
        )
        for name in one:
            torch.testing.assert_close(one[name], two[name], rtol=0, atol=0)


def test_stage_2_takes_the_earlier_stages_weights_and_settings(tmp_path: Path) -> None:
    vae = train(tiny(tmp_path / "vae", "vae", steps=2))
    ipf = train(tiny(tmp_path / "ipf", "ipf", steps=2))
    run = train(tiny(tmp_path / "fpdm", steps=2, start_from=(str(vae), str(ipf))))
    measured = load_config(vae / "config.yaml", TrainConfig).model.autoencoder.scaling_factor
    assert measured != 1.0
    assert (
        load_config(run / "config.yaml", TrainConfig).model.autoencoder.scaling_factor == measured
    )
    state = checkpoint.read_weights(run / "checkpoints" / "step-000002")
    for earlier in (vae, ipf):
        for name, value in checkpoint.read_weights(earlier / "checkpoints" / "step-000002").items():
            torch.testing.assert_close(state[name], value, rtol=0, atol=0)
    assert checkpoint.load_model(str(run)).config.autoencoder.scaling_factor == measured


def test_resuming_with_other_settings_is_refused(tmp_path: Path) -> None:
    train(tiny(tmp_path / "run", "ipf", steps=1))
    with pytest.raises(UserError, match="batch_size was 2 and is now 3") as caught:
        train(tiny(tmp_path / "run", "ipf", steps=2, batch_size=3))
    assert caught.value.code == ExitCode.USAGE


def test_decoder_stage_trains_the_decoder_alone_and_makes_a_whole_model(tmp_path: Path) -> None:
    earlier = train(tiny(tmp_path / "fpdm", steps=2))
    start = {"start_from": (str(earlier),), "steps": 4, "batch_size": 4}
    run = train(tiny(tmp_path / "run", "decoder", learning_rate=1e-3, **start))
    before, after = (checkpoint.load_model(str(folder)) for folder in (earlier, run))
    assert after.config.autoencoder.decoder_trained
    changed = {
        name
        for (name, one), two in zip(
            before.state_dict().items(), after.state_dict().values(), strict=True
        )
        if not torch.equal(one, two)
    }
    trained = ("autoencoder.decoder.", "autoencoder.post_quant_conv.")
    assert changed
    assert all(name.startswith(trained) for name in changed)


def test_decoder_stage_improves_the_pictures_of_its_model(tmp_path: Path) -> None:
    earlier = train(tiny(tmp_path / "fpdm", steps=2))
    start = {"start_from": (str(earlier),), "steps": 40, "batch_size": 4}
    values = losses(train(tiny(tmp_path / "run", "decoder", learning_rate=3e-3, **start)))
    assert sum(values[-8:]) < 0.9 * sum(values[:8])


def test_decoder_stage_without_a_trained_stage_2_is_refused(tmp_path: Path) -> None:
    vae = train(tiny(tmp_path / "vae", "vae", steps=1))
    with pytest.raises(UserError, match="holds no trained stage 2") as caught:
        train(tiny(tmp_path / "run", "decoder", start_from=(str(vae),)))
    assert caught.value.code == ExitCode.USAGE
    assert not (tmp_path / "run").exists()


def test_loss_that_stays_infinite_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not finite"):
        train(tiny(tmp_path / "run", "vae", steps=100, learning_rate=1e30))


def test_out_that_cannot_be_created_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as caught:
        train(tiny(tmp_path / "file" / "run", "vae"))
    assert caught.value.code == ExitCode.CANNOT_CREATE


@pytest.mark.parametrize("name", ["steps", "batch_size", "log_every", "sample_every", "save_every"])
def test_counts_of_nothing_are_refused_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"{name} is 0; expected at least 1") as caught:
        train(tiny(tmp_path / "run", **{name: 0}))
    assert caught.value.code == ExitCode.USAGE
    assert not (tmp_path / "run").exists()
