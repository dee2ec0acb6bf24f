"""What the page has going on: one task at a time, of which a render can be watched and stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signgen.config.render import RenderConfig
from signgen.errors import ExitCode, Stopped, UserError, explain
from signgen.rendering.base import Frame
from signgen.rendering.command import RenderResult, render_files
from signgen.rendering.loading import load_once
from signgen.rendering.partial import part_of

if TYPE_CHECKING:
    from signgen.models.base import PoseGuidedModel

__all__ = ["FIRST_FRAMES", "RenderState", "RenderTask", "Tasks"]

log = logging.getLogger(__name__)

FIRST_FRAMES = 4
"""Frames from the beginning that are shown while the rest is rendered."""


@dataclass(frozen=True)
class RenderState:
    """How far a render is.

    Args:
        stage: What it does now, in words; empty when it has ended.
        done: Frames that are there.
        total: Frames in all.
        rate: Frames per second so far, 0 before the second one.
        first: The first frames, (H, W, 3) each.
        latest: The newest frame.
        result: What it did, when it is done.
        error: Why it did not, in one line.
        partial: Video of the frames that are there, where it was stopped.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    first: tuple[Frame, ...] = ()
    latest: Frame | None = None
    result: RenderResult | None = None
    error: str = ""
    partial: Path | None = None

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest takes at this rate; None where it is not known yet."""
        return (self.total - self.done) / self.rate if self.rate else None


class Tasks:
    """Runs one task at a time.

    Example:
        with tasks.alone():
            report = evaluate(config)
    """

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._models: dict[tuple[str, str], PoseGuidedModel | None] = {}
        self.render: RenderTask | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run a block while nothing else runs.

        Raises:
            UserError: If something else does.
        """
        if not self._busy.acquire(blocking=False):
            raise UserError(
                "Something else is being computed; expected one task at a time. Wait for it, or "
                "stop the render.",
                ExitCode.UNAVAILABLE,
            )
        try:
            yield
        finally:
            self._busy.release()

    def start(self, config: RenderConfig, extraction: bool) -> RenderTask:
        """Start a render, which goes on whoever watches it.

        Args:
            config: Its settings.
            extraction: Whether poses are extracted from a video before.
        """
        with self.alone():
            pass
        self.render = RenderTask(self, config, extraction)
        return self.render

    def model(self, name: str, config: RenderConfig) -> PoseGuidedModel | None:
        """Return a model, loaded once; the one before is let go."""
        key = (name, config.device)
        if key not in self._models:
            self._models.clear()
            self._models[key] = load_once(name, config.device)
        return self._models[key]


class RenderTask:
    """A render in a thread of its own."""

    def __init__(self, tasks: Tasks, config: RenderConfig, extraction: bool) -> None:
        self._tasks, self._config = tasks, config
        self._stages = ["extracting key points"] * extraction + ["rendering"]
        self._stop = threading.Event()
        self.state = RenderState(stage="loading the model")
        self._thread = threading.Thread(target=self._run, name="signgen-render", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it after the frame that is being computed; what there is stays."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, or so long; return whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        out, config = Path(self._config.out), self._config
        try:
            with self._tasks.alone():
                model = self._tasks.model(config.model, config)
                result = render_files(
                    config, progress=self._watched, model=model, stop=self._stop.is_set
                )
            self.state = replace(self.state, stage="", result=result)
        except Stopped as stopped:
            video = part_of(out) / "video.mp4"
            partial = video if video.is_file() else None
            self.state = replace(self.state, stage="", error=str(stopped), partial=partial)
        except Exception as error:
            message, _ = explain(error)
            log.error("error: %s", message)
            self.state = replace(self.state, stage="", error=message)

    def _watched(self, items: Iterable[Any], total: int, /) -> Iterator[Any]:
        stage = self._stages.pop(0) if self._stages else "rendering"
        rendering = stage == "rendering"
        self.state = RenderState(stage=stage, total=total)
        started = time.perf_counter()
        for done, item in enumerate(items, 1):
            rate = done / (time.perf_counter() - started) if done > 1 else 0.0
            self.state = replace(self.state, done=done, rate=rate)
            if rendering:
                first = self.state.first
                first = (*first, item) if len(first) < FIRST_FRAMES else first
                self.state = replace(self.state, first=first, latest=item)
            elif self._stop.is_set():
                raise UserError("Stopped before the first frame; nothing is left.")
            yield item
