"""What runs after stage 2 start from: a trained one, as a teacher where they distil it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen.checkpoints.models import load_model, read_weights
from signgen.config.data import DataConfig
from signgen.config.model import (
    DistillationConfig,
    MotionConfig,
    SamplingConfig,
    SchedulerConfig,
    tiny_fpdm,
    tiny_parsing,
)
from signgen.config.train import Stage, TrainConfig
from signgen.structures import ExitCode, UserError
from signgen.training.loop import train

FEW = SamplingConfig(steps=2, guidance=(1.0, 1.0), sampler="ddim")
STUDENT = replace(tiny_fpdm(), sampling=FEW, distillation=DistillationConfig(4), hand_weight=2.0)


def tiny(out: Path, stage: Stage = "fpdm", **changes: object) -> TrainConfig:
    config = TrainConfig(
        stage=stage, out=str(out), data=DataConfig(workers=0), device="cpu", log_every=1, steps=2
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize("stage", ["decoder", "distill"])
def test_a_stage_after_stage_2_without_a_trained_one_is_refused(
    stage: Stage, tmp_path: Path
) -> None:
    vae = train(tiny(tmp_path / "vae", "vae", steps=1))
    with pytest.raises(UserError, match="holds no trained stage 2") as caught:
        train(tiny(tmp_path / "run", stage, model=STUDENT, start_from=(str(vae),)))
    assert caught.value.code == ExitCode.USAGE
    assert not (tmp_path / "run").exists()


def test_a_decoder_is_trained_on_what_its_model_is_whatever_the_settings_say(
    tmp_path: Path,
) -> None:
    scheduler = SchedulerConfig(prediction_type="sample")
    model = replace(tiny_fpdm(), scheduler=scheduler, pose_style="clean", drop_pose=0.3)
    whole = train(tiny(tmp_path / "fpdm", model=model))
    own = replace(tiny_fpdm(), hand_weight=2.0)
    run = train(tiny(tmp_path / "run", "decoder", model=own, start_from=(str(whole),)))
    found = load_model(str(run)).config
    assert (found.scheduler, found.pose_style, found.drop_pose) == (scheduler, "clean", 0.3)
    assert found.hand_weight == 2.0


def test_a_student_resumes_with_its_teacher_and_is_a_model_of_few_steps(tmp_path: Path) -> None:
    # A teacher with settings of its own, which the student takes
    scheduler = SchedulerConfig(prediction_type="sample", spacing="leading")
    own = replace(tiny_fpdm(), scheduler=scheduler, drop_pose=0.3)
    teacher = train(tiny(tmp_path / "fpdm", model=own))
    settings = {"model": STUDENT, "start_from": (str(teacher),), "ema": 0.9, "steps": 4}
    whole = train(tiny(tmp_path / "whole", "distill", **settings))
    model = load_model(str(whole))
    expected = replace(scheduler, spacing="trailing")
    found = model.config
    assert (found.scheduler, found.drop_pose, found.hand_weight) == (expected, 0.3, 2.0)
    assert (found.sampling, found.distillation) == (FEW, DistillationConfig(4))

    # The U-Net alone is another
    before, after = load_model(str(teacher)).state_dict(), model.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"unet"}

    # Resumed it is the same, and with another teacher it is refused
    train(tiny(tmp_path / "cut", "distill", **settings, stop_at=2))
    again = shutil.copytree(tmp_path / "cut", tmp_path / "again")
    cut = train(tiny(tmp_path / "cut", "distill", **settings))
    assert losses(whole) == losses(cut)
    for kind in ("model", "ema"):
        one, two = (read_weights(run / "checkpoints" / "step-000004", kind) for run in (whole, cut))
        for name in one:
            torch.testing.assert_close(one[name], two[name], rtol=0, atol=0)
    train(tiny(teacher, model=own, steps=3))
    with pytest.raises(UserError, match="the frozen weights of this run are others"):
        train(tiny(again, "distill", **settings))


def test_a_student_may_teach_the_next(tmp_path: Path) -> None:
    teacher = train(tiny(tmp_path / "fpdm"))
    first = train(tiny(tmp_path / "one", "distill", model=STUDENT, start_from=(str(teacher),)))
    fewer = replace(
        tiny_parsing(),  # other settings than those of sampling are the teacher's
        sampling=replace(FEW, steps=1),
        distillation=DistillationConfig(2, (1.0, 1.0)),
    )
    second = train(tiny(tmp_path / "two", "distill", model=fewer, start_from=(str(first),)))
    config = load_model(str(second)).config
    assert config.kind == "fpdm"
    assert config.sampling.steps == 1


def test_motion_layers_are_added_to_a_trained_model_and_resume(tmp_path: Path) -> None:
    few = SamplingConfig(steps=3)
    start = train(tiny(tmp_path / "fpdm", model=replace(tiny_fpdm(), sampling=few)))
    motion = replace(tiny_fpdm(), motion=MotionConfig(2, 1), hand_weight=2.0)
    settings = {"model": motion, "start_from": (str(start),), "ema": 0.9, "steps": 4}
    watched = {"validate_every": 2, "validate_batches": 1, "validate_pictures": 3}
    whole = train(tiny(tmp_path / "whole", "motion", **settings, **watched))
    model = load_model(str(whole))
    assert (model.config.sampling, model.config.motion) == (few, MotionConfig(2, 1))
    assert model.config.hand_weight == 2.0

    # The layers alone are new
    before, after = load_model(str(start)).state_dict(), model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(".motion_modules." in name for name in after.keys() - before.keys())
    zero = [name for name in after if name.endswith("proj_out.weight") and "motion" in name]
    assert all(bool(after[name].any()) for name in zero)

    # Resumed it is the same, and it may train on
    train(tiny(tmp_path / "cut", "motion", **settings, **watched, stop_at=2))
    cut = train(tiny(tmp_path / "cut", "motion", **settings, **watched))
    assert losses(whole) == losses(cut)
    for kind in ("model", "ema"):
        one, two = (read_weights(run / "checkpoints" / "step-000004", kind) for run in (whole, cut))
        assert all(torch.equal(one[name], two[name]) for name in one)
    further = {**settings, "start_from": (str(whole),), "steps": 1}
    again = load_model(str(train(tiny(tmp_path / "again", "motion", **further)))).state_dict()
    assert all(torch.equal(before[name], again[name]) for name in before)
