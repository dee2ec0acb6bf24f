"""What a run tells while it goes on: its log, curves, sample sheets and trackers."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import torch
from accelerate.tracking import get_available_trackers
from torch import Tensor

from signgen.config.train import Tracker, TrainConfig
from signgen.errors import ExitCode, UserError
from signgen.media import read_image
from signgen.training.curves import write_curves
from signgen.training.resuming import flat
from signgen.training.run import TrainingRun, evaluating, save_as_best
from signgen.training.sample_sheet import write_sheet
from signgen.training.schedule import learning_rate
from signgen.training.validation import is_best, validate

__all__ = ["Reporter", "check_trackers"]


def check_trackers(config: TrainConfig) -> None:
    """Refuse trackers that are not installed; accelerate would leave them out without a word."""
    here = {str(tracker.value) for tracker in get_available_trackers()}
    absent = [name for name in config.track if name not in here]
    if unknown := set(config.track) - set(get_args(Tracker)):
        raise UserError(
            f"track is {unknown.pop()}; expected {' or '.join(get_args(Tracker))}.", ExitCode.USAGE
        )
    if absent:
        raise UserError(
            f"track is {absent[0]}, which is not installed; install it with "
            f"`pip install {absent[0]}`, or leave it out.",
            ExitCode.UNAVAILABLE,
        )


class Reporter:
    """Tells what a run does; every process calls it, the main one writes.

    Args:
        run: The run, opened.
    """

    def __init__(self, run: TrainingRun) -> None:
        self.run = run
        self._since, self._begun = run.step, time.perf_counter()
        if run.config.track:
            folder = run.folder.absolute()
            run.accelerator.init_trackers(
                "signgen",
                {name: str(value) for name, value in flat(run.config)},
                {
                    # What lies after the checkpoint is done again
                    "tensorboard": {"purge_step": run.step + 1} if run.step else {},
                    "wandb": {"dir": str(folder), "name": folder.name},
                },
            )

    def close(self) -> None:
        """Finish the trackers."""
        for tracker in self.run.accelerator.trackers:
            tracker.finish()

    def losses(self, losses: Mapping[str, Tensor], seconds: float) -> dict[str, float | None]:
        """Log the losses of the step that was just done.

        Args:
            losses: Scalars of this process.
            seconds: What the step took.

        Returns:
            The line of log.jsonl: means over all processes, in one exchange, and samples a second
            of all processes since the last line.
        """
        run, config = self.run, self.run.config
        stacked = torch.stack([value.detach().float() for value in losses.values()])
        means = run.accelerator.reduce(stacked, "mean").tolist()
        now = time.perf_counter()
        samples = config.batch_size * config.accumulate * run.accelerator.num_processes
        rate = (run.step - self._since) * samples / max(now - self._begun, 1e-9)
        self._since, self._begun = run.step, now
        line = {
            "step": run.step,
            "lr": learning_rate(config, run.step - 1),
            "seconds": round(seconds, 4),
            "samples_per_second": round(rate, 2),
        }
        rounded = [round(value, 6) if math.isfinite(value) else None for value in means]
        line |= dict(zip(losses, rounded, strict=True))
        run.log(line)
        self._track({f"train/{name}": value for name, value in line.items() if name != "step"})
        return line

    def validation(self) -> None:
        """Validate, log it, and keep the weights if they are the best so far."""
        run = self.run
        begun = time.perf_counter()
        found = validate(run)
        run.log({"step": run.step, "validation": found})
        self._track({f"{run.config.validation_split}/{k}": v for k, v in found.items()})
        if run.agreed(run.accelerator.is_main_process and is_best(run.history())):
            save_as_best(run)
        self._begun += time.perf_counter() - begun

    def sheet(self) -> None:
        """Write `samples/step-NNNNNN.png`, with the averaged weights."""
        run = self.run
        begun = time.perf_counter()
        path = run.folder / "samples" / f"step-{run.step:06d}.png"
        with evaluating(run):
            if not run.accelerator.is_main_process:
                return
            write_sheet(run.stage, run.dataset, path)
        if path.exists():
            self._show("samples", path)
        self._begun += time.perf_counter() - begun

    def curves(self) -> None:
        """Write `curves.png`."""
        if self.run.accelerator.is_main_process:
            write_curves(self.run.history(), self.run.folder / "curves.png")

    def _track(self, values: Mapping[str, float | None]) -> None:
        known = {name: value for name, value in values.items() if value is not None}
        if self.run.config.track:
            self.run.accelerator.log(known, step=self.run.step)

    def _show(self, name: str, path: Path) -> None:
        for tracker in self.run.accelerator.trackers:
            axes = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
            tracker.log_images({name: read_image(path)[None]}, step=self.run.step, **axes)
