from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen.checkpoints.models import read_weights
from signgen.config.data import DataConfig
from signgen.config.train import TrainConfig
from signgen.data.dataset import bundled_sample, open_dataset
from signgen.data.examples.batching import batches
from signgen.data.examples.loading import TripletDataset
from signgen.diffusion.draws import drawing
from signgen.evaluation.metrics.base import Chunk
from signgen.evaluation.metrics.regions import HAND, region_ssim
from signgen.models import build_stage
from signgen.pose.transforms import resize
from signgen.structures import ExitCode, UserError
from signgen.training.loop import train
from signgen.training.run import open_run
from signgen.training.sample_sheet import make_pictures, to_uint8


def tiny(out: Path, **changes: object) -> TrainConfig:
    config = TrainConfig(
        stage="ipf", out=str(out), data=DataConfig(workers=0), device="cpu", log_every=1, steps=4
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def validations(run: Path) -> dict[int, dict[str, float]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["validation"] for line in lines if "validation" in line}


def test_validation_leaves_training_as_it_is(tmp_path: Path) -> None:
    settings = {"stage": "fpdm", "steps": 3, "ema": 0.9}
    without = train(tiny(tmp_path / "without", **settings))
    watched = train(
        tiny(tmp_path / "with", **settings, validate_every=1, validate_batches=1, batch_size=2)
    )
    assert set(validations(watched)) == {1, 2, 3}
    for kind in ("model", "ema"):
        one, two = (
            read_weights(run / "checkpoints" / "step-000003", kind) for run in (without, watched)
        )
        for name in one:
            torch.testing.assert_close(one[name], two[name], rtol=0, atol=0)


def test_validations_of_one_run_see_the_same_examples_and_noise(tmp_path: Path) -> None:
    # A rate of 1e-30 changes no weight, so nothing may change.
    settings = {"stage": "vae", "learning_rate": 1e-30, "validate_every": 2, "validate_batches": 2}
    found = validations(train(tiny(tmp_path / "run", **settings)))
    assert found[2] == found[4]


def test_validation_is_the_loss_of_the_averaged_weights_on_the_held_out_split(
    tmp_path: Path,
) -> None:
    config = tiny(
        tmp_path / "run", ema=0.9, learning_rate=1e-2, validate_every=3, validate_batches=2
    )
    run = train(config)
    found = validations(run)
    assert set(found) == {3, 4}  # the end is always validated
    stage = build_stage(config.model, "ipf").eval()
    weights = read_weights(run / "checkpoints" / "step-000004", "ema")
    stage.load_state_dict({k.removeprefix("ipf."): v for k, v in weights.items()})
    data = DataConfig(split="dev", identity_rate=0.0, workers=0)
    held_out = TripletDataset(open_dataset("sample"), data, config.model, config.seed)
    losses = []
    with torch.no_grad():
        for number, batch in enumerate(batches(held_out, start=0, steps=2, batch_size=2)):
            with drawing(config.seed, range(2 * number, 2 * number + 2), "cpu"):
                losses.append(float(stage.loss(batch)["loss"]))
    assert found[4]["loss"] == pytest.approx(sum(losses) / 2, rel=1e-5)


def test_hands_are_scored_beside_pictures(tmp_path: Path) -> None:
    settings = {"stage": "vae", "steps": 1, "validate_every": 1, "validate_batches": 1}
    config = tiny(tmp_path / "run", **settings, validate_pictures=3)
    found = validations(train(config))[1]
    assert 0 < found["hand_ssim"] < 1
    run = open_run(config, resume=True)
    made = make_pictures(run.stage.eval(), run.held_out, range(3))
    values = []
    for index in range(3):
        pose = resize(run.held_out.pose(run.held_out.triplet(index).target), config.model.size)
        frames = [to_uint8(side[index])[None] for side in (made[1].detach(), made[0].target)]
        ours, truth = (Chunk(one, pose) for one in frames)
        measured = region_ssim(HAND).begin("", {}).add(ours, truth)
        values += [float(v) for side in HAND.regions for v in measured[side] if v == v]
    assert found["hand_ssim"] == pytest.approx(sum(values) / len(values), abs=1e-4)


def test_interrupted_run_logs_each_validation_once(tmp_path: Path) -> None:
    settings = {"validate_every": 2, "validate_batches": 1, "save_every": 1}
    whole = train(tiny(tmp_path / "whole", **settings))
    train(tiny(tmp_path / "cut", **settings, stop_at=2))
    cut = train(tiny(tmp_path / "cut", **settings))
    lines = (cut / "log.jsonl").read_text().splitlines()
    assert sum("validation" in line for line in lines) == 2
    assert validations(cut) == validations(whole)


def test_missing_split_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(bundled_sample(), data)
    next((data / "annotations" / "manual").glob("*.dev.*")).unlink()
    config = tiny(tmp_path / "run", data=DataConfig(root=str(data), workers=0), steps=1)
    with pytest.raises(UserError, match="dev") as caught:
        train(replace(config, validate_every=1))
    assert caught.value.code == ExitCode.NO_INPUT
    assert not (tmp_path / "run").exists()
    train(config)  # without validation the split is not asked for
