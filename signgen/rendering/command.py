"""The render command: check every input first, render, put all output files in place at once.

Nothing here imports torch before the inputs are checked, so that a wrong path is answered at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import signgen
from signgen.config.model import Precision, Sampler
from signgen.config.pose import Align
from signgen.config.render import RenderConfig
from signgen.config.sampling import ResolvedSampling
from signgen.device import choose_device
from signgen.files.digests import sha256
from signgen.files.writing import atomic_paths
from signgen.media import VideoWriter, contact_sheet, save_image, side_by_side
from signgen.models.inputs import PoseDrawing
from signgen.pose.extraction.cache import VideoPoses
from signgen.rendering.inputs import Inputs, check_inputs
from signgen.rendering.renderer import (
    Frame,
    Renderer,
    check_skeleton,
    check_steps,
    resize_picture,
)
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
        steps: Denoising steps per frame.
        guidance: Guidance weights.
        sampler: How it would be denoised.
        official_noise: Whether the noise of a chunk would come from one generator.
        precision: That of the networks.
        forwards_per_frame: Evaluations of the denoiser per frame.
        device: Where it would be computed.
        align: How the poses would be brought into the source's frame.
        warnings: What differs between the signers, where the poses are aligned.
        files: Files that would be written.
        extraction: What would extract the poses from a video, or the cached file; None where the
            poses come from a file.
    """

    model: str
    frames: int
    size: tuple[int, int]
    fps: float
    steps: int
    guidance: tuple[float, ...]
    sampler: Sampler
    official_noise: bool
    precision: Precision
    forwards_per_frame: int
    device: str
    align: Align
    warnings: tuple[str, ...]
    files: tuple[str, ...]
    extraction: str | None = None


@dataclass(frozen=True)
class RenderResult:
    """What a render did.

    Args:
        files: Files written, the video first.
        frames: Number of frames.
        size: (H, W) of the video.
        fps: Frames per second.
        seconds: Time from the first to the last frame, without loading.
        warnings: What differs between the signers, where the poses were aligned.
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
    known = isinstance(inputs.poses, PoseSequence)
    warnings = inputs.motion(config).warnings if known else ()
    from signgen.checkpoints.folders import check_whole, verify, weight_names
    from signgen.checkpoints.models import resolve
    from signgen.diffusion.guidance import guidance_coefficients, guidance_weights
    from signgen.diffusion.schedule import NoiseSchedule

    folder, file, settings = resolve(config.model)
    verify(folder)
    check_whole(weight_names(folder), settings, folder, file)
    check_skeleton(inputs.poses.skeleton, settings, config.poses)
    sampling = inputs.sampling.resolve(settings.sampling)
    check_steps(NoiseSchedule.from_config(settings.scheduler), sampling)
    weights = guidance_weights(sampling.guidance, settings.branches)
    factors = guidance_coefficients(weights)
    return RenderPlan(
        model=config.model,
        frames=len(inputs.poses),
        size=inputs.size,
        fps=inputs.poses.fps,
        steps=sampling.steps,
        guidance=sampling.guidance,
        sampler=sampling.sampler,
        official_noise=sampling.official_noise,
        precision=sampling.precision,
        forwards_per_frame=sampling.steps * sum(factor != 0 for factor in factors),
        device=choose_device(config.device),
        align=config.align,
        warnings=warnings,
        files=tuple(map(str, inputs.outputs)),
        extraction=_extraction(inputs.poses),
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
    motion = inputs.motion(config) if isinstance(inputs.poses, PoseSequence) else None
    device = choose_device(config.device)
    from signgen.checkpoints.models import load_model

    model = load_model(config.model, device)
    check_skeleton(inputs.poses.skeleton, model.config, config.poses)
    motion = motion or inputs.motion(config, progress)
    poses = motion.poses
    renderer = Renderer(model, inputs.sampling, chunk=config.chunk)
    settings = _settings(config, renderer.sampling, motion.estimator)
    frames: Iterable[Frame] = renderer.render(inputs.source, poses, inputs.size)
    if progress is not None:
        frames = progress(frames, len(poses))
    started = time.perf_counter()
    drawing = PoseDrawing(inputs.size, inputs.size, model.config.pose_style)
    with atomic_paths(inputs.outputs) as temporary:
        _write(temporary, frames, inputs, poses, settings, drawing)
    return RenderResult(
        files=tuple(map(str, inputs.outputs)),
        frames=len(poses),
        size=inputs.size,
        fps=poses.fps,
        seconds=round(time.perf_counter() - started, 3),
        warnings=motion.warnings,
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
    config: RenderConfig, sampling: ResolvedSampling, estimator: str | None
) -> dict[str, object]:
    """Return what is needed to render the same again."""
    used = config.source_poses
    return {
        "software": f"signgen {signgen.__version__}",
        "model": config.model,
        **sampling.facts(config.chunk),
        "source_sha256": sha256(Path(config.source)),
        "poses_sha256": sha256(Path(config.poses)),
        **({"estimator": estimator} if estimator else {}),
        "align": config.align,
        **({"source_poses_sha256": sha256(Path(used))} if used else {}),
    }


def as_json(value: RenderPlan | RenderResult) -> dict[str, object]:
    """Return a plan or a result as one JSON object."""
    return {"schema_version": 1, **asdict(value)}
