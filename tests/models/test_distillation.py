"""The student's targets against slow steps of the teacher, what is trained, and what is refused."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from signgen.config.model import (
    DistillationConfig,
    SamplingConfig,
    SchedulerConfig,
    guided_fpdm,
    tiny_fpdm,
    tiny_parsing,
)
from signgen.config.parsing_guided import ReferenceConfig
from signgen.models import build_stage
from signgen.models.base import stored_state
from signgen.structures import ExitCode, UserError

STUDENT = replace(
    tiny_fpdm(),
    sampling=SamplingConfig(steps=2, guidance=(1.0, 1.0), sampler="ddim"),
    distillation=DistillationConfig(teacher_steps=4, teacher_guidance=(3.0, 1.5)),
)
KINDS = [
    pytest.param(SchedulerConfig(), id="v-zero-snr"),
    pytest.param(
        SchedulerConfig(set_alpha_to_one=False, zero_terminal_snr=False), id="v-published"
    ),
    pytest.param(SchedulerConfig(prediction_type="sample"), id="sample-zero-snr"),
    pytest.param(SchedulerConfig(prediction_type="epsilon", zero_terminal_snr=False), id="epsilon"),
]


def make_stage(config=STUDENT):
    """Build a stage none of whose weights is zero, and whose student has learned something."""
    stage = build_stage(config, "distill")
    with torch.no_grad():
        for weight in stage.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
    return stage.eval()


def ddim(stage, z, output, t, after):
    """One step to the timestep `after`, or to the end, with numbers alone."""
    abar = float(stage.schedule.alphas_cumprod[t])
    end = stage.schedule.ddim_end if after is None else float(stage.schedule.alphas_cumprod[after])
    alpha, sigma = math.sqrt(abar), math.sqrt(1 - abar)
    match stage.schedule.prediction_type:
        case "v_prediction":
            clean, noise = alpha * z - sigma * output, alpha * output + sigma * z
        case "sample":
            clean, noise = output, (z - alpha * output) / sigma
        case _:
            clean, noise = (z - sigma * output) / alpha, output
    return math.sqrt(end) * clean + math.sqrt(1 - end) * noise


@torch.no_grad()
def two_steps(stage, conditioning, z, timesteps):
    """Take guided steps with the teacher at two timesteps, to a third: Eq. 12, then DDIM."""
    student, stage.unet = stage.unet, stage.teacher
    for t, after in pairwise(timesteps):
        numbers = torch.full((len(z),), t)
        nothing, some, all_of_it = (
            stage.denoise(z, numbers, branch) for branch in stage.branches(conditioning)
        )
        output = nothing + 3.0 * (some - nothing) + 1.5 * (all_of_it - some)
        z = ddim(stage, z, output, t, after)
    stage.unet = student
    return z


@pytest.mark.parametrize("scheduler", KINDS)
def test_student_ends_where_two_guided_steps_of_the_teacher_end(scheduler, batch):
    stage = make_stage(replace(STUDENT, scheduler=scheduler, hand_weight=0.0))
    conditioning = stage.condition_batch(batch)
    noise = torch.randn(2, *stage.latents.shape(STUDENT.size))
    half = two_steps(stage, conditioning, noise, (999, 749, 499))
    whole = two_steps(stage, conditioning, half, (499, 249, None))
    path = stage.path(conditioning, noise)
    for found, wanted in zip(path, (noise, half, whole), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)

    # What brings a single step there is what the loss compares with
    errors = []
    for z, after, t, then in ((noise, half, 999, 499), (half, whole, 499, None)):
        numbers = torch.full((2,), t)
        end = stage.schedule.ddim_end if then is None else stage.schedule.alphas_cumprod[then]
        target = stage.schedule.step_target(z, after, numbers, torch.full((2,), float(end)))
        ended = ddim(stage, z, target, t, then)
        torch.testing.assert_close(ended, after, rtol=1e-4, atol=1e-4)
        errors.append((stage.denoise(z, numbers, conditioning) - target).square().mean())
    loss = stage.loss(batch, noise=noise)["loss"]
    assert loss > 1e-4
    torch.testing.assert_close(loss, sum(errors) / 2, rtol=1e-3, atol=1e-6)


def test_student_is_its_teacher_where_their_steps_coincide_without_guidance(batch):
    taught = DistillationConfig(teacher_steps=2)
    stage = build_stage(replace(STUDENT, distillation=taught), "distill").eval()
    assert stage.loss(batch)["loss"] > 1e-6, "guidance is to be learned"
    free = DistillationConfig(teacher_steps=2, teacher_guidance=(1.0, 1.0))
    stage.config = replace(STUDENT, distillation=free)
    assert stage.loss(batch)["loss"] < 1e-10


def test_student_alone_is_trained_and_kept(batch):
    stage = make_stage().train()
    assert {name for name, part in stage.named_children() if part.training} == {"unet"}
    before = {name: value.clone() for name, value in stage.state_dict().items()}
    optimizer = torch.optim.Adam([p for p in stage.parameters() if p.requires_grad], 1e-3)
    stage.loss(batch)["loss"].backward()
    optimizer.step()
    after = stage.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"unet"}
    assert not [name for name in stored_state(stage) if name.startswith("teacher.")]


def test_student_learns(batch):
    stage = build_stage(STUDENT, "distill").train()
    noise = torch.randn(2, *stage.latents.shape(STUDENT.size))
    optimizer = torch.optim.Adam([p for p in stage.parameters() if p.requires_grad], 3e-3)
    values = []
    for _ in range(30):
        loss = stage.loss(batch, noise=noise)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.5 * values[0]


TIED = replace(tiny_parsing(), reference=ReferenceConfig(tied=True))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            replace(STUDENT, sampling=SamplingConfig(2, (2.0, 1.0), "ddim")),
            r"guidance \[2.0, 1.0\]",
        ),
        (replace(STUDENT, sampling=SamplingConfig(2, (1.0, 1.0), "ddpm")), "sampling is ddpm"),
        (replace(STUDENT, distillation=DistillationConfig()), "teacher_steps is 0; expected a"),
        (
            replace(STUDENT, distillation=DistillationConfig(5)),
            "teacher_steps is 5; expected a",
        ),
        (
            replace(STUDENT, fusion="none", distillation=DistillationConfig(2, (1.0, 2.0))),
            "nothing to learn",
        ),
        (replace(STUDENT, scheduler=SchedulerConfig(spacing="leading")), "expected trailing"),
        (
            replace(guided_fpdm(), sampling=STUDENT.sampling, distillation=STUDENT.distillation),
            "decoder.kind is guided",
        ),
        (
            replace(TIED, sampling=STUDENT.sampling, distillation=STUDENT.distillation),
            "reference.tied is true",
        ),
    ],
)
def test_what_makes_no_student_is_refused(config, said):
    with pytest.raises(UserError, match=said) as caught, torch.device("meta"):
        build_stage(config, "distill")
    assert caught.value.code == ExitCode.USAGE
    assert "\n" not in str(caught.value)
