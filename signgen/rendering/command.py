"""The render command: check every input first, render, put all output files in place at once.

Nothing here imports torch before the inputs are checked, so that a wrong path is answered at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import signgen
from signgen.config.model import Precision, Sampler
from signgen.config.pose import Align
from signgen.config.render import RenderConfig
from signgen.device import choose_device
from signgen.files.digests import sha256
from signgen.files.writing import atomic_paths
from signgen.media import VideoWriter, contact_sheet, save_image, side_by_side
from signgen.models.inputs import PoseDrawing
from signgen.pose.extraction.cache import VideoPoses
from signgen.rendering.base import Frame, resize_picture
from signgen.rendering.framing import choose_crop
from signgen.rendering.inputs import Inputs, Motion, check_inputs
from signgen.rendering.loading import load_renderer
from signgen.rendering.warnings import model_warnings
from signgen.rendering.warp import WARP, WarpRenderer
from signgen.structures import PoseSequence, Progress

__all__ = ["RenderPlan", "RenderResult", "as_json", "plan", "render_files"]

SHEET_FRAMES = 8
SHEET_SIDE = 260


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


@dataclass(frozen=True)
class RenderResult:
    """What a render did.

    Args:
        files: Files written, the video first.
        frames: Number of frames.
        size: (H, W) of the video.
        fps: Frames per second.
        seconds: Time from the first to the last frame, without loading.
        warnings: As in `RenderPlan`.
        settings: What is also stored in the video's comment.
    """

    files: tuple[str, ...]
    frames: int
    size: tuple[int, int]
    fps: float
    seconds: float
    warnings: tuple[str, ...]
    settings: dict[str, object]


def plan(config: RenderConfig) -> RenderPlan:
    """Check all inputs, the model's files too, and say what `render_files` would do; write nothing.

    Raises:
        UserError: As `render_files`.
    """
    inputs = check_inputs(config)
    motion = _motion_of_file(inputs, config)
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
    if config.model != WARP:
        return _with_model(planned, inputs, motion, config)
    if motion is None:
        return planned
    return _warned(planned, WarpRenderer().warnings(inputs.source, motion.poses, motion.signer))


def _motion_of_file(inputs: Inputs, config: RenderConfig) -> Motion | None:
    """Return the poses to render; None where they have yet to be extracted from a video."""
    if not isinstance(inputs.poses, PoseSequence):
        return None
    return inputs.motion(config, guided=_guided(config))


def _guided(config: RenderConfig) -> bool:
    """Whether the model decodes with the source moved to the poses."""
    if config.model == WARP:
        return False
    from signgen.checkpoints.models import resolve

    return resolve(config.model)[2].guided


def _warned(planned: RenderPlan, warnings: Sequence[str]) -> RenderPlan:
    return replace(planned, warnings=(*planned.warnings, *warnings))


def _with_model(
    planned: RenderPlan, inputs: Inputs, motion: Motion | None, config: RenderConfig
) -> RenderPlan:
    """Check the files of a model; add how it would be sampled, and what it does not know."""
    from signgen.checkpoints.folders import check_whole, verify, weight_names
    from signgen.checkpoints.models import resolve
    from signgen.diffusion.guidance import guidance_coefficients, guidance_weights
    from signgen.diffusion.schedule import NoiseSchedule
    from signgen.rendering.renderer import check_skeleton, check_steps

    folder, file, settings = resolve(config.model)
    verify(folder)
    check_whole(weight_names(folder), settings, folder, file)
    check_skeleton(inputs.poses.skeleton, settings, config.poses)
    sampling = inputs.sampling.resolve(settings.sampling)
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


def _extraction(poses: PoseSequence | VideoPoses) -> str | None:
    if isinstance(poses, PoseSequence):
        return None
    return f"cached in {poses.file}" if poses.file.is_file() else poses.estimator.name


def render_files(config: RenderConfig, *, progress: Progress | None = None) -> RenderResult:
    """Read source and poses, render, and write the video and, if asked for, comparison and sheet.

    Either all files are written or none; files that were there before stay as they were on failure.

    Args:
        config: Paths and settings.
        progress: Wraps the frames as they come, with their number; for a progress bar.

    Raises:
        UserError: If an input, the model, the device or an output is unusable.
    """
    inputs = check_inputs(config)
    # What needs no extraction is aligned before the model, which takes longer to load.
    motion = _motion_of_file(inputs, config)
    renderer = load_renderer(
        config.model, config.device, inputs.sampling, frame=config.frame, chunk=config.chunk
    )
    renderer.check_skeleton(inputs.poses.skeleton, config.poses)
    motion = motion or inputs.motion(config, progress, guided=_guided(config))
    poses = motion.poses
    settings = _settings(config, renderer.facts(), motion.estimator)
    frames: Iterable[Frame] = renderer.render(
        inputs.source, poses, inputs.size, signer=motion.signer
    )
    if progress is not None:
        frames = progress(frames, len(poses))
    started = time.perf_counter()
    drawing = PoseDrawing(inputs.size, inputs.size, renderer.pose_style)
    with atomic_paths(inputs.outputs) as temporary:
        _write(temporary, frames, inputs, poses, settings, drawing)
    return RenderResult(
        files=tuple(map(str, inputs.outputs)),
        frames=len(poses),
        size=inputs.size,
        fps=poses.fps,
        seconds=round(time.perf_counter() - started, 3),
        warnings=(*motion.warnings, *renderer.warnings(inputs.source, poses, motion.signer)),
        settings=settings,
    )


def _write(
    paths: Sequence[Path],
    frames: Iterable[Frame],
    inputs: Inputs,
    poses: PoseSequence,
    settings: dict[str, object],
    drawing: PoseDrawing,
) -> None:
    """Write the video (first path) and, given three paths, comparison and contact sheet."""
    size = inputs.size
    source = resize_picture(inputs.source.astype(np.float32), size)
    chosen = set(np.linspace(0, len(poses) - 1, min(SHEET_FRAMES, len(poses))).round().astype(int))
    rows = []
    with ExitStack() as stack:
        video = stack.enter_context(VideoWriter(paths[0], poses.fps, size, settings))
        compare: VideoWriter | None = None
        for index, frame in enumerate(frames):
            video.write(frame)
            if len(paths) == 1:
                continue
            row = side_by_side(source, drawing.draw(poses, index), frame)
            if compare is None:
                wide = (int(row.shape[0]), int(row.shape[1]))
                compare = stack.enter_context(VideoWriter(paths[1], poses.fps, wide, settings))
            compare.write(row)
            if index in chosen:
                rows.append(row)
    if rows:
        scale = min(1.0, SHEET_SIDE / max(size))
        save_image(paths[2], contact_sheet(rows, columns=2, scale=scale, gap=8))


def _settings(
    config: RenderConfig, sampling: Mapping[str, object], estimator: str | None
) -> dict[str, object]:
    """Return what is needed to render the same again."""
    used = config.source_poses
    return {
        "software": f"signgen {signgen.__version__}",
        "model": config.model,
        **sampling,
        "source_sha256": sha256(Path(config.source)),
        "poses_sha256": sha256(Path(config.poses)),
        **({"estimator": estimator} if estimator else {}),
        "align": config.align,
        **({"source_poses_sha256": sha256(Path(used))} if used else {}),
    }


def as_json(value: RenderPlan | RenderResult) -> dict[str, object]:
    """Return a plan or a result as one JSON object."""
    return {"schema_version": 1, **asdict(value)}
