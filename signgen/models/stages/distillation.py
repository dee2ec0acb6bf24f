"""Training of a student that renders in few steps, without guidance: progressive distillation."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from signgen.config.model import FPDMConfig, ParsingGuidedConfig
from signgen.diffusion import draws
from signgen.diffusion.guidance import guidance_weights, guided
from signgen.diffusion.samplers import sample
from signgen.models.cell_losses import hand_losses
from signgen.models.fpdm import FPDM
from signgen.models.parsing_guided.model import ParsingGuided
from signgen.structures import Batch, Conditioning, ExitCode, UserError

__all__ = ["DistillStage", "ParsingGuidedDistillStage"]


class DistillStage(FPDM):
    """A whole FPDM whose U-Net learns to take one step where its teacher takes several.

    Progressive distillation (Salimans and Ho, ICLR 2022, Algorithm 2), with guidance of fixed
    weights folded in (Meng et al., CVPR 2023, section 3). The teacher is the U-Net that the run
    starts from, frozen; the student begins as it. Each step of the student has to end where
    `distillation.teacher_steps / sampling.steps` guided steps of the teacher end, all of DDIM:
    `NoiseSchedule.step_target` says what the student must predict for that. With twice as many
    steps of the teacher as of the student a run is one round of the paper, and a round may start
    from the run of another.

    Raises:
        UserError: If student and teacher cannot be sampled so, or there is nothing to learn.
    """

    # Differs from Salimans and Ho: more than two steps may become one, and the student starts on
    # the teacher's own path from noise, where the paper noises pictures. A path gives a target for
    # every step of the student at the price of one, the target is exact, and a small teacher's
    # path soon leaves what noised pictures look like.

    def __init__(self, config: FPDMConfig) -> None:
        super().__init__(config)
        self.strides = _check(config, self)
        self.teacher = copy.deepcopy(self.unet).requires_grad_(False)
        self.train(self.training)

    def _frozen_parts(self) -> list[nn.Module]:
        return [part for part in self.children() if part is not self.unet]

    @property
    def external(self) -> tuple[str, ...]:
        """Frozen parts that are loaded from elsewhere: also the teacher, from `start_from`."""
        return (*super().external, "teacher.")

    def enable_gradient_checkpointing(self) -> None:
        """Recompute the student's activations in the backward pass."""
        self.unet.enable_gradient_checkpointing()

    def loss(  # type: ignore[override]  # no noise, no timesteps: the path has them
        self, batch: Batch, *, noise: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compare all steps of the student, on the teacher's path, with where they should end.

        Args:
            batch: Sources, poses and hand boxes; the targets are not looked at.
            noise: (B, C, h, w) where the paths begin; drawn if not given.

        Returns:
            Scalars as of `hand_losses`: of what the U-Net predicts, `loss` optimised.
        """
        # The teacher's way from noise to latents
        with torch.no_grad():
            conditioning = self.condition_batch(batch)
            if noise is None:
                size = self.latents.shape((batch.pose.shape[-2], batch.pose.shape[-1]))
                noise = draws.normal(batch.pose.new_empty(len(batch.pose), *size))
            path = self.path(conditioning, noise)

        # All steps of the student as one batch
        count, steps = len(noise), len(path) - 1
        timesteps = self.schedule.timesteps(steps)
        abars = [float(self.schedule.alphas_cumprod[t]) for t in timesteps[1:]]
        t, ends = (
            torch.tensor(each, device=noise.device).repeat_interleave(count)  # (steps B,)
            for each in (timesteps, [*abars, self.schedule.ddim_end])
        )
        z, after = torch.cat(path[:-1]), torch.cat(path[1:])  # (steps B, C, h, w)
        wanted = self.schedule.step_target(z, after, t, ends)

        # Predict, and compare cell by cell
        output = self.denoise(z, t, Conditioning.cat([conditioning] * steps)).float()
        cells = F.mse_loss(output, wanted, reduction="none").mean(dim=1, keepdim=True)
        return hand_losses(cells, batch.hands.repeat(steps, 1, 1, 1), self.config.hand_weight)

    @torch.no_grad()
    def path(self, conditioning: Conditioning, noise: Tensor) -> list[Tensor]:
        """Return where the teacher is at the student's timesteps: from noise to its result.

        Args:
            conditioning: From `condition`.
            noise: (B, C, h, w) standard normal.

        Returns:
            One more than steps of the student, each (B, C, h, w).
        """
        path = [noise.float()]

        def keep(index: int, _: int, z: Tensor) -> None:
            if (index + 1) % self.strides == 0:
                path.append(z)

        teacher = self.config.distillation
        with self._taught():
            sample(
                guided(self.denoise, self.branches(conditioning), teacher.teacher_guidance),
                self.schedule,
                sampler="ddim",
                steps=teacher.teacher_steps,
                noise=noise,
                step_noise=lambda _: noise,  # DDIM never asks for it
                callback=keep,
            )
        return path

    @contextmanager
    def _taught(self) -> Iterator[None]:
        """Put the teacher in the student's place inside the block."""
        student, self.unet = self.unet, self.teacher
        try:
            yield
        finally:
            self.unet = student


class ParsingGuidedDistillStage(DistillStage, ParsingGuided):
    """`DistillStage` of a parsing-guided model with a U-Net of its own for the source."""


def _check(config: FPDMConfig, stage: FPDM) -> int:
    """Return how many steps of the teacher are one of the student's.

    Raises:
        UserError: If they are not, or the student would learn nothing new.
    """
    own, teacher = config.sampling, config.distillation
    steps, taught = own.steps, teacher.teacher_steps
    free = set(guidance_weights(teacher.teacher_guidance, config.branches)) == {1.0}
    tied = isinstance(config, ParsingGuidedConfig) and config.reference.tied
    problems = {
        f"sampling is {own.sampler} with guidance {list(own.guidance)}; a student is sampled by "
        "ddim with guidance 1 1": own.sampler != "ddim" or set(own.guidance) != {1.0},
        f"distillation.teacher_steps is {taught}; expected a multiple of sampling.steps, {steps}": (
            taught < steps or taught % steps > 0
        ),
        f"distillation.teacher_steps is {taught}, as sampling.steps, and teacher_guidance is 1 1, "
        "so that there is nothing to learn; expected more steps, or guidance": (
            taught == steps and free
        ),
        "decoder.kind is guided, whose pictures take 1 step without guidance as they are; stage "
        "distill is for the plain decoder": config.guided,
        "reference.tied is true, so that a student would change what its teacher sees of the "
        "source; expected a U-Net for each": tied,
    }
    for problem, wrong in problems.items():
        if wrong:
            raise UserError(f"model: {problem}.", ExitCode.USAGE)
    stride = taught // steps
    if stage.schedule.timesteps(taught)[::stride] != stage.schedule.timesteps(steps):
        raise UserError(
            f"model: with scheduler.spacing {stage.schedule.scheduler.config['timestep_spacing']}, "
            f"{steps} steps are at other timesteps than one of every {stride} of the {taught} of "
            "the teacher; expected trailing.",
            ExitCode.USAGE,
        )
    return stride
