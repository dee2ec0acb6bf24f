"""What a render would do, checked without rendering: `signgen render --dry-run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from signgen.checkpoints.finding import resolve
from signgen.checkpoints.folders import check_whole, verify, weight_names
from signgen.config.model import Precision, Sampler
from signgen.config.pose import Align
from signgen.config.render import RenderConfig
from signgen.config.sampling import ResolvedSampling
from signgen.config.scheduler import SchedulerConfig
from signgen.data.framing import choose_crop
from signgen.device import choose_device
from signgen.diffusion.guidance import guidance_coefficients, guidance_weights
from signgen.pose.extraction.cache import VideoPoses
from signgen.rendering.base import check_skeleton
from signgen.rendering.editing import check_donors
from signgen.rendering.estimating import Estimate, estimated
from signgen.rendering.inputs import Inputs, Motion, check_inputs
from signgen.rendering.regions import required
from signgen.rendering.warnings import model_warnings
from signgen.rendering.warp import WARP, WarpRenderer
from signgen.structures import PoseSequence

__all__ = ["RenderPlan", "is_guided", "motion_of_file", "plan"]


@dataclass(frozen=True)
class RenderPlan:
    """What a render would do.

    Args:
        model: Name of the model.
        frames: Number of frames.
        size: (H, W) of the video.
        fps: Frames per second, those of the poses.
        device: Where it would be computed.
        align: How the poses would be brought into the source's frame.
        warnings: What differs between the signers, where the poses are aligned, and what is out of
            what the model knows.
        files: Files that would be written.
        extraction: What would extract the poses from a video, or the cached file; None where the
            poses come from a file.
        crop: (x0, y0, x1, y1) of the part of the source that would be rendered; None for the whole,
            or where poses are not extracted yet.
        steps: Denoising steps per frame; None, as the rest, for `warp`, which samples nothing.
        guidance: Guidance weights.
        sampler: How it would be denoised.
        official_noise: Whether the noise of a chunk would come from one generator.
        precision: That of the networks.
        forwards_per_frame: Evaluations of the denoiser per frame.
        estimate: What it would take; None where nothing like it was rendered on this machine yet.
    """

    model: str
    frames: int
    size: tuple[int, int]
    fps: float
    device: str
    align: Align
    warnings: tuple[str, ...]
    files: tuple[str, ...]
    extraction: str | None = None
    crop: tuple[int, int, int, int] | None = None
    steps: int | None = None
    guidance: tuple[float, ...] | None = None
    sampler: Sampler | None = None
    official_noise: bool | None = None
    precision: Precision | None = None
    forwards_per_frame: int | None = None
    estimate: Estimate | None = None


def plan(config: RenderConfig) -> RenderPlan:
    """Check all inputs, the model's files too, and say what `render_files` would do; write nothing.

    Raises:
        UserError: As `render_files`.
    """
    # What needs no model
    inputs = check_inputs(config)
    motion = motion_of_file(inputs, config)
    planned = RenderPlan(
        model=config.model,
        frames=len(inputs.poses),
        size=inputs.size,
        fps=inputs.poses.fps,
        device="cpu" if config.model == WARP else choose_device(config.device),
        align=config.align,
        warnings=() if motion is None else motion.warnings,
        files=tuple(map(str, inputs.outputs)),
        extraction=_extraction(inputs.poses),
    )

    # What the model says to it
    if config.model != WARP:
        planned = _with_model(planned, inputs, motion, config)
    elif motion is not None:
        found = WarpRenderer().warnings(inputs.source, motion.poses, motion.signer)
        planned = _warned(planned, found)
    return replace(planned, estimate=estimated(config, inputs))


def _warned(planned: RenderPlan, warnings: Sequence[str]) -> RenderPlan:
    return replace(planned, warnings=(*planned.warnings, *warnings))


def _with_model(
    planned: RenderPlan, inputs: Inputs, motion: Motion | None, config: RenderConfig
) -> RenderPlan:
    """Check the files of a model; add how it would be sampled, and what it does not know."""
    # The model's files
    folder, file, settings = resolve(config.model)
    verify(folder)
    check_whole(weight_names(folder), settings, folder, file)
    check_skeleton(inputs.poses.skeleton, settings, config.poses)
    if settings.regions:
        required(inputs.parts)
    check_donors(settings, [donor.region for donor in inputs.donors])

    # How it would be sampled
    sampling = inputs.sampling.resolve(settings.sampling)
    if not _has_timesteps(settings.scheduler, sampling):
        from signgen.diffusion.schedule import NoiseSchedule
        from signgen.rendering.generation import check_steps

        check_steps(NoiseSchedule.from_config(settings.scheduler), sampling)
    weights = guidance_weights(sampling.guidance, settings.branches)
    factors = guidance_coefficients(weights)

    # What would be rendered of the source
    if motion is not None:
        crop = None
        if config.frame == "auto":
            crop = choose_crop(motion.poses, motion.signer, settings.pictures)
        found = model_warnings(settings, inputs.source, motion.poses, motion.signer, crop)
        planned = replace(_warned(planned, found), crop=None if crop is None else crop.box)
    return replace(
        planned,
        steps=sampling.steps,
        guidance=sampling.guidance,
        sampler=sampling.sampler,
        official_noise=sampling.official_noise,
        precision=sampling.precision,
        forwards_per_frame=sampling.steps * sum(factor != 0 for factor in factors),
    )


def _has_timesteps(schedule: SchedulerConfig, sampling: ResolvedSampling) -> bool:
    """Whether a sampler surely can take so many steps; asking the library for them loads torch."""
    # However they are spread, a quarter of the timesteps never meets one twice
    spread_evenly = sampling.sampler in ("ddpm", "ddim") and schedule.pretrained is None
    few = 1 <= sampling.steps <= schedule.train_steps // 4
    return spread_evenly and few and schedule.prediction_type != "epsilon"


def _extraction(poses: PoseSequence | VideoPoses) -> str | None:
    if isinstance(poses, PoseSequence):
        return None
    return f"cached in {poses.file}" if poses.file.is_file() else poses.estimator.name


def motion_of_file(inputs: Inputs, config: RenderConfig) -> Motion | None:
    """Return the poses to render; None where they have yet to be extracted from a video."""
    if not isinstance(inputs.poses, PoseSequence):
        return None
    return inputs.motion(config, guided=is_guided(config))


def is_guided(config: RenderConfig) -> bool:
    """Whether the model decodes with the source moved to the poses."""
    if config.model == WARP:
        return False
    return resolve(config.model)[2].guided
