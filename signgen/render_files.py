"""The render command: check every input first, render, put all output files in place at once.

Nothing here imports torch before the inputs are checked, so that a wrong path is answered at once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import signgen
from signgen.config import RenderConfig
from signgen.media import (
    VIDEO_SUFFIXES,
    VideoWriter,
    check_output,
    contact_sheet,
    looks_like_video,
    probe_video,
    read_image,
    save_image,
    side_by_side,
)
from signgen.pose.estimators import open_estimator
from signgen.pose.formats import read_poses
from signgen.pose.transforms import resize
from signgen.pose_cache import VideoPoses, open_video_poses
from signgen.render import (
    Frame,
    Renderer,
    check_numbers,
    check_skeleton,
    choose_device,
    draw_all,
    place,
    resized,
)
from signgen.structures import ExitCode, PoseSequence, UserError

__all__ = ["RenderPlan", "RenderResult", "as_json", "plan", "render_files"]

Progress = Callable[[Iterable[Frame], int], Iterable[Frame]]

MAX_SIDE = 4096
MIN_FPS, MAX_FPS = 1, 240
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
        forwards_per_frame: Evaluations of the denoiser per frame.
        device: Where it would be computed.
        files: Files that would be written.
        extraction: What would extract the poses from a video, or the cached file; None where the
            poses come from a file.
    """

    model: str
    frames: int
    size: tuple[int, int]
    fps: float
    steps: int
    guidance: tuple[float, float]
    forwards_per_frame: int
    device: str
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
        settings: What is also stored in the video's comment.
    """

    files: tuple[str, ...]
    frames: int
    size: tuple[int, int]
    fps: float
    seconds: float
    settings: dict[str, object]


@dataclass(frozen=True)
class _Inputs:
    source: Frame
    poses: PoseSequence | VideoPoses
    size: tuple[int, int]
    outputs: tuple[Path, ...]


def plan(config: RenderConfig) -> RenderPlan:
    """Check all inputs, the model's files too, and say what `render_files` would do; write nothing.

    Raises:
        UserError: As `render_files`.
    """
    inputs = _check_inputs(config)
    from signgen.checkpoint import resolve
    from signgen.checkpoint_files import verify
    from signgen.diffusion import guidance_coefficients

    folder, _, settings = resolve(config.model)
    verify(folder)
    check_skeleton(inputs.poses.skeleton, settings, config.poses)
    steps = settings.sampling.steps if config.steps is None else config.steps
    guidance = config.guidance or settings.sampling.guidance
    return RenderPlan(
        model=config.model,
        frames=len(inputs.poses),
        size=inputs.size,
        fps=inputs.poses.fps,
        steps=steps,
        guidance=guidance,
        forwards_per_frame=steps * sum(factor != 0 for factor in guidance_coefficients(guidance)),
        device=choose_device(config.device),
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
    inputs = _check_inputs(config)
    device = choose_device(config.device)
    from signgen.checkpoint import load_model

    model = load_model(config.model, device)
    check_skeleton(inputs.poses.skeleton, model.config, config.poses)
    poses = inputs.poses if isinstance(inputs.poses, PoseSequence) else inputs.poses.read(progress)
    renderer = Renderer(
        model,
        steps=config.steps,
        guidance=config.guidance,
        seed=config.seed,
        chunk=config.chunk,
    )
    settings = _settings(config, renderer, inputs.poses)
    frames: Iterable[Frame] = renderer.render(inputs.source, poses, inputs.size)
    if progress is not None:
        frames = progress(frames, len(poses))
    started = time.perf_counter()
    with _all_or_nothing(inputs.outputs) as temporary:
        _write(temporary, frames, inputs, poses, settings, model.config.pose_style)
    return RenderResult(
        files=tuple(map(str, inputs.outputs)),
        frames=len(poses),
        size=inputs.size,
        fps=poses.fps,
        seconds=round(time.perf_counter() - started, 3),
        settings=settings,
    )


def _check_inputs(config: RenderConfig) -> _Inputs:
    """Check everything that needs no model, cheapest first."""
    for flag, value in (("--source", config.source), ("--poses", config.poses)):
        if not value:
            raise UserError(
                f"{flag} is missing; expected a file. See `signgen render --help`.", ExitCode.USAGE
            )
    check_numbers(config.steps, config.guidance, config.chunk, config.seed)
    outputs = _outputs(config)
    source = read_image(config.source)
    size = config.size or (int(source.shape[0]), int(source.shape[1]))
    if not all(16 <= side <= MAX_SIDE for side in size):
        origin = "--size" if config.size else config.source
        raise UserError(
            f"{origin} is {size[0]} x {size[1]} (height x width); expected sides of 16 to "
            f"{MAX_SIDE}. Choose another --size.",
            ExitCode.USAGE if config.size else ExitCode.DATA,
        )
    height, width = (int(side) for side in source.shape[:2])
    poses = _open_poses(config, (height, width))
    if not MIN_FPS <= poses.fps <= MAX_FPS:
        raise UserError(
            f"{config.poses}: fps is {poses.fps:g}; a video can have {MIN_FPS} to {MAX_FPS}. "
            "Write the file with another fps."
        )
    return _Inputs(source, poses, size, outputs)


def _open_poses(config: RenderConfig, size: tuple[int, int]) -> PoseSequence | VideoPoses:
    """Read poses; of a video only find out what it takes to extract them."""
    if looks_like_video(config.poses):
        probe_video(config.poses)  # a broken one is told before an estimator is loaded
        return open_video_poses(config.poses, open_estimator(config.estimator))
    path = Path(config.poses)
    try:
        poses = read_poses(path, size=size)
    except UserError as error:
        if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
            raise UserError(f"{error} It is no video either.", error.code) from error
        raise
    if len(poses) == 0:
        raise UserError(f"{config.poses} has 0 frames; expected at least 1.")
    if not poses.visible.any():
        raise UserError(
            f"{config.poses}: every key point of every frame is missing; expected poses of a "
            "signer. Extract them again."
        )
    return poses


def _outputs(config: RenderConfig) -> tuple[Path, ...]:
    out = check_output(config.out, ".mp4")
    extra = (out.with_suffix(".compare.mp4"), out.with_suffix(".sheet.png"))
    outputs = (out, *(check_output(path) for path in extra)) if config.compare else (out,)
    inputs = {Path(config.source).resolve(), Path(config.poses).resolve()}
    for path in outputs:
        if path.resolve() in inputs:
            raise UserError(
                f"{path} is an input and would be overwritten. Choose another --out.",
                ExitCode.USAGE,
            )
    return outputs


@contextmanager
def _all_or_nothing(outputs: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield temporary paths of the same names; move them into place only if the block succeeds."""
    folder = Path(tempfile.mkdtemp(prefix=".signgen-", dir=outputs[0].parent))
    try:
        temporary = [folder / path.name for path in outputs]
        yield temporary
        for made, path in zip(temporary, outputs, strict=True):
            os.replace(made, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(
    paths: Sequence[Path],
    frames: Iterable[Frame],
    inputs: _Inputs,
    poses: PoseSequence,
    settings: dict[str, object],
    style: str,
) -> None:
    """Write the video (first path) and, given three paths, comparison and contact sheet."""
    size = inputs.size
    source = resized(inputs.source.astype(np.float32), size)
    placed = resize(place(poses, (int(inputs.source.shape[0]), int(inputs.source.shape[1]))), size)
    shown = set(np.linspace(0, len(poses) - 1, min(SHEET_FRAMES, len(poses))).round().astype(int))
    kept = []
    with ExitStack() as stack:
        video = stack.enter_context(VideoWriter(paths[0], poses.fps, size, settings))
        compare: VideoWriter | None = None
        for index, frame in enumerate(frames):
            video.write(frame)
            if len(paths) == 1:
                continue
            row = side_by_side(source, draw_all(placed, [index], style)[0], frame)
            if compare is None:
                wide = (int(row.shape[0]), int(row.shape[1]))
                compare = stack.enter_context(VideoWriter(paths[1], poses.fps, wide, settings))
            compare.write(row)
            if index in shown:
                kept.append(row)
    if kept:
        scale = min(1.0, SHEET_SIDE / max(size))
        save_image(paths[2], contact_sheet(kept, columns=2, scale=scale, gap=8))


def _settings(
    config: RenderConfig, renderer: Renderer, poses: PoseSequence | VideoPoses
) -> dict[str, object]:
    """Return what is needed to render the same again."""
    from signgen.checkpoint_files import sha256

    return {
        "software": f"signgen {signgen.__version__}",
        "model": config.model,
        "seed": config.seed,
        "steps": renderer.steps,
        "guidance": list(renderer.guidance),
        "eta": renderer.eta,
        "source_sha256": sha256(Path(config.source)),
        "poses_sha256": sha256(Path(config.poses)),
        **({"estimator": poses.estimator.name} if isinstance(poses, VideoPoses) else {}),
    }


def as_json(value: RenderPlan | RenderResult) -> dict[str, object]:
    """Return a plan or a result as one JSON object."""
    return {"schema_version": 1, **asdict(value)}
