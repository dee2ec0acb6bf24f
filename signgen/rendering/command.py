"""The render command: check every input first, render, put all output files in place at once.

Nothing here imports torch before the inputs are checked, so that a wrong path is answered at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import signgen
from signgen.config.render import RenderConfig
from signgen.files.digests import sha256
from signgen.files.locking import locked
from signgen.files.writing import atomic_paths, remove_leftovers
from signgen.media import VideoWriter, contact_sheet, save_image, side_by_side
from signgen.models.inputs import PoseDrawing
from signgen.rendering.base import Frame, resize_picture
from signgen.rendering.inputs import Inputs, check_inputs
from signgen.rendering.loading import load_renderer
from signgen.rendering.planning import RenderPlan, is_guided, motion_of_file
from signgen.structures import PoseSequence, Progress

__all__ = ["RenderResult", "as_json", "render_files"]

SHEET_FRAMES = 8
SHEET_SIDE = 260


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


def render_files(config: RenderConfig, *, progress: Progress | None = None) -> RenderResult:
    """Read source and poses, render, and write the video and, if asked for, comparison and sheet.

    Either all files are written or none; files that were there before stay as they were on failure.

    Args:
        config: Paths and settings.
        progress: Wraps the frames as they come, with their number; for a progress bar.

    Raises:
        UserError: If an input, the model, the device or an output is unusable.
    """
    # Check and read; what needs no extraction is aligned before the model is loaded
    inputs = check_inputs(config)
    motion = motion_of_file(inputs, config)

    # Load the model
    renderer = load_renderer(
        config.model, config.device, inputs.sampling, frame=config.frame, chunk=config.chunk
    )
    renderer.check_skeleton(inputs.poses.skeleton, config.poses)

    # Extract poses from a video
    motion = motion or inputs.motion(config, progress, guided=is_guided(config))
    poses = motion.poses

    # Render while writing
    settings = _settings(config, renderer.facts(), motion.estimator)
    frames: Iterable[Frame] = renderer.render(
        inputs.source,
        poses,
        inputs.size,
        signer=motion.signer,
        parts=inputs.parts,
        **inputs.edits,
    )
    if progress is not None:
        frames = progress(frames, len(poses))
    started = time.perf_counter()
    drawing = PoseDrawing(inputs.size, inputs.size, renderer.pose_style)
    first = inputs.outputs[0]
    with locked(first, "a rendering"):
        # What a killed process left; the lock says that none is alive
        remove_leftovers(first.parent, first.name)
        with atomic_paths(inputs.outputs) as temporary:
            _write(temporary, frames, inputs, poses, settings, drawing)

    # Say what was done
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

    # Both videos, frame by frame
    rows = []
    with ExitStack() as stack:
        video = stack.enter_context(VideoWriter(paths[0], poses.fps, size, settings))
        compare: VideoWriter | None = None
        for index, frame in enumerate(frames):
            video.write(frame)
            if len(paths) == 1:
                continue
            row = side_by_side(source, drawing.draw(poses, index), frame)  # (H, 3 W + gaps, 3)
            if compare is None:
                wide = (int(row.shape[0]), int(row.shape[1]))
                compare = stack.enter_context(VideoWriter(paths[1], poses.fps, wide, settings))
            compare.write(row)
            if index in chosen:
                rows.append(row)

    # The contact sheet
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
        **({"parsing": config.parsing} if config.parsing else {}),
        **{
            f"{name}_sha256": sha256(Path(file))
            for name in ("clothes_from", "face_from", "mask")
            if (file := getattr(config, name))
        },
        **({"edit_region": config.edit_region} if config.edit_region else {}),
    }


def as_json(value: RenderPlan | RenderResult) -> dict[str, object]:
    """Return a plan or a result as one JSON object."""
    return {"schema_version": 1, **asdict(value)}
