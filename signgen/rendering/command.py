"""The render command: check every input first, render, put all output files in place at once.

Nothing here imports torch before the inputs are checked, so that a wrong path is answered at once.
"""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from signgen.config.render import RenderConfig
from signgen.device import choose_device
from signgen.errors import Stopped, deferred_signals
from signgen.files.locking import locked
from signgen.files.writing import atomic_paths, remove_leftovers
from signgen.media import contact_sheet, save_image, side_by_side
from signgen.models.inputs import PoseDrawing
from signgen.rendering.base import Frame, FrameRenderer, resize_picture
from signgen.rendering.estimating import remember
from signgen.rendering.finishing.backgrounds import on_checks
from signgen.rendering.finishing.filters import steady
from signgen.rendering.inputs import Inputs, Motion, check_inputs
from signgen.rendering.loading import load_renderer
from signgen.rendering.partial import SEGMENT, PartialRender, part_of
from signgen.rendering.planning import RenderPlan, is_guided, motion_of_file
from signgen.rendering.provenance.credentials import can_sign, manifest_of, sign_video
from signgen.rendering.provenance.marks import add_mark, xmp_packet
from signgen.rendering.provenance.record import (
    Provenance,
    provenance_of,
    sidecar_of,
    sidecar_text,
)
from signgen.rendering.warp import WARP
from signgen.structures import Progress

if TYPE_CHECKING:
    from signgen.models.base import PoseGuidedModel

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
        provenance: What is also stored in the video's comment and in the file beside it.
    """

    files: tuple[str, ...]
    frames: int
    size: tuple[int, int]
    fps: float
    seconds: float
    warnings: tuple[str, ...]
    provenance: Provenance


def render_files(
    config: RenderConfig,
    *,
    progress: Progress | None = None,
    model: PoseGuidedModel | None = None,
    stop: Callable[[], bool] | None = None,
) -> RenderResult:
    """Read source and poses, render, and write the video and, if asked for, comparison and sheet.

    Either all files are written or none; files that were there before stay as they were on failure.
    A render that was stopped goes on where it was, see `PartialRender`.

    Args:
        config: Paths and settings.
        progress: Wraps the frames as they come, with their number; for a progress bar.
        model: The model of the settings where it is loaded already.
        stop: Is asked after every frame whether to stop, as a signal would.

    Raises:
        UserError: If an input, the model, the device or an output is unusable.
        Stopped: By a signal or `stop`; what there is can be played, and gone on with.
    """
    # Check and read; what needs no extraction is aligned before the model is loaded
    inputs = check_inputs(config)
    motion = motion_of_file(inputs, config)

    # Load the model
    renderer = load_renderer(
        config.model,
        config.device,
        inputs.sampling,
        frame=config.frame,
        chunk=config.chunk,
        model=model,
    )
    renderer.check_skeleton(inputs.poses.skeleton, config.poses)

    # Extract poses from a video
    motion = motion or inputs.motion(config, progress, guided=is_guided(config))
    poses = motion.poses

    # Render while writing, on with what is there
    provenance = provenance_of(config, renderer.facts(), motion.estimator)
    drawing = PoseDrawing(inputs.size, inputs.size, renderer.pose_style)
    started = time.perf_counter()
    first = inputs.outputs[0]
    with locked(first, "a rendering"):
        remove_leftovers(first.parent, first.name)
        whole = not part_of(first).exists() or not config.resume
        part = PartialRender.open(
            *(part_of(first), _made_of(config, provenance), poses.fps, inputs.size),
            resume=config.resume,
            suffix=first.suffix if inputs.alpha else ".mp4",
        )
        with _kept(part):
            _render_into(
                part,
                renderer,
                inputs,
                motion,
                drawing,
                progress,
                config=config,
                stop=stop or bool,
            )
            with atomic_paths(inputs.outputs) as temporary:
                _finish(part, temporary, inputs, provenance, config)
        part.remove()

    # Say what was done
    seconds = time.perf_counter() - started
    if whole:
        remember(config, inputs, seconds, inputs.outputs)
    return RenderResult(
        files=tuple(map(str, inputs.outputs)),
        frames=len(poses),
        size=inputs.size,
        fps=poses.fps,
        seconds=round(seconds, 3),
        warnings=(*motion.warnings, *renderer.warnings(inputs.source, poses, motion.signer)),
        provenance=provenance,
    )


def _render_into(
    part: PartialRender,
    renderer: FrameRenderer,
    inputs: Inputs,
    motion: Motion,
    drawing: PoseDrawing,
    progress: Progress | None,
    *,
    config: RenderConfig,
    stop: Callable[[], bool],
) -> None:
    """Render what is missing, and keep every frame; rows of comparison too, where they are asked.

    Raises:
        Stopped: By a signal or `stop`, after the frame that was being computed.
    """
    poses = motion.poses
    source = resize_picture(inputs.source.astype(np.float32), inputs.size)
    chosen = set(np.linspace(0, len(poses) - 1, min(SHEET_FRAMES, len(poses))).round().astype(int))

    # What is there, and what is missing
    waiting = part.waiting()
    start = part.whole + len(waiting)
    missing = _finished(renderer, inputs, motion, source, start)
    if config.steady:
        missing = steady(missing, poses, start=start, previous=part.last(waiting))
    if progress is not None:
        missing = progress(missing, len(poses) - start)

    # Frame by frame, segment by segment
    videos: dict[str, list[Frame]] = {"video": [], **({"compare": []} if config.compare else {})}
    with deferred_signals() as caught:
        for index, frame in enumerate(chain(waiting, missing), part.whole):
            videos["video"].append(frame)
            if config.compare:
                drawn = drawing.draw(poses, index)
                row = side_by_side(source, drawn, on_checks(frame))  # (H, 3 W + gaps, 3)
                videos["compare"].append(row)
                if index in chosen:
                    save_image(part.row(index), side_by_side(drawn, on_checks(frame)))
            if index >= start:
                part.keep(frame)
                part.show_most(**videos)
            if len(videos["video"]) == SEGMENT or index + 1 == len(poses):
                part.append(**videos)
                videos = {name: [] for name in videos}
            if (caught or stop()) and index + 1 < len(poses):
                part.show(**videos)
                raise Stopped(
                    caught[0] if caught else signal.SIGINT,
                    f"after frame {index + 1} of {len(poses)}; the same command goes on, and "
                    f"{part.video('video')} can be played",
                )


def _finished(
    renderer: FrameRenderer, inputs: Inputs, motion: Motion, source: Frame, start: int
) -> Iterable[Frame]:
    """Return the frames from a number on, with their background."""
    frames = renderer.render(
        inputs.source,
        motion.poses,
        inputs.size,
        signer=motion.signer,
        parts=inputs.parts,
        start=start,
        **inputs.edits,
    )
    if inputs.background is None:
        return frames
    return inputs.background.put(frames, motion.poses, source, motion.signer, start)


def _finish(
    part: PartialRender,
    paths: Sequence[Path],
    inputs: Inputs,
    provenance: Provenance,
    config: RenderConfig,
) -> None:
    """Make the files of `inputs.outputs` at the paths of their order; mark and sign them."""
    written = dict(zip(inputs.outputs, paths, strict=True))
    video, *compared = inputs.outputs[: 3 if config.compare else 1]
    packet = xmp_packet(provenance.software, provenance.digital_source_type)

    # Videos and contact sheet
    for name, shown in zip(("video", "compare"), (video, *compared), strict=False):
        sound = inputs.sound if name == "video" else None
        part.finish(name, written[shown], provenance.in_video(), shown, sound)
    if rows := part.rows():
        scale = min(1.0, SHEET_SIDE / max(inputs.size))
        # Two rows of pose and result, and the source once, as high as both
        pairs = contact_sheet(rows, columns=-(-len(rows) // 2), scale=scale, gap=8)
        source = contact_sheet([inputs.source], scale=len(pairs) / len(inputs.source))
        save_image(paths[2], contact_sheet([source, pairs], columns=2, gap=8))
    for shown in (video, *compared):
        path = written[shown]
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            add_mark(file, packet)

    # Signature, and where it all comes from
    if can_sign(video):
        sign_video(written[video], written.get(manifest_of(video)), provenance, config)
    text = sidecar_text(provenance, written[video])
    written[sidecar_of(video)].write_text(text, encoding="utf-8")


@contextmanager
def _kept(part: PartialRender) -> Iterator[None]:
    """Keep what there is on failure: whole segments, or all that a signal let be kept."""
    try:
        yield
    except BaseException as error:
        if not part.whole and not isinstance(error, Stopped):
            part.remove()
        raise


def _made_of(config: RenderConfig, provenance: Provenance) -> str:
    """Return a digest of all that the bytes of the files depend on."""
    device = "cpu" if config.model == WARP else choose_device(config.device)
    text = json.dumps([provenance.in_video(), config.compare, device], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def as_json(value: RenderPlan | RenderResult) -> dict[str, object]:
    """Return a plan or a result as one JSON object."""
    return {"schema_version": 1, **asdict(value)}
