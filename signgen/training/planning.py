"""What a training would do and everything it lacks, without training: `signgen train --dry-run`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from signgen.checkpoints.finding import resolve, run_config
from signgen.checkpoints.folders import verify, weight_names
from signgen.checkpoints.runs import newest_checkpoint
from signgen.config.train import AFTER_STAGE_2, TrainConfig
from signgen.data.dataset import open_dataset
from signgen.errors import ExitCode, UserError
from signgen.files.caches import INDEX
from signgen.models.pretrained import missing_parts, require_parts
from signgen.training.compiling import check_compiler
from signgen.training.cost import COUNTED, Cost, cost, hours, memory
from signgen.training.environment import check_device
from signgen.training.examples import training_data
from signgen.training.features.files import read_index
from signgen.training.optimizers import check_optimizer
from signgen.training.reporting import check_trackers
from signgen.training.resuming import resumed
from signgen.training.schedule import check_settings
from signgen.training.starting import check_whole

__all__ = ["TrainingPlan", "plan"]


@dataclass(frozen=True)
class TrainingPlan:
    """What a training would do.

    Args:
        stage: Stage that would be trained.
        out: Run folder.
        first_step: Steps that are done already, by the checkpoint that would be resumed.
        steps: Steps in all.
        examples_per_step: Of one process.
        parameters: Weights in all; None, as the rest, where they cannot be counted.
        trained: Weights that would be trained.
        memory_gib: Least memory in GiB.
        hours: Hours of the whole run on one GPU, by its name; computed, not measured.
        problems: All that is missing or wrong, one line each.
        code: Exit code of the first problem; 0 where there is none.
    """

    stage: str
    out: str
    first_step: int
    steps: int
    examples_per_step: int
    parameters: int | None
    trained: int | None
    memory_gib: float | None
    hours: dict[str, float] | None
    problems: tuple[str, ...]
    code: int


def plan(config: TrainConfig) -> TrainingPlan:
    """Check all that a run needs, without stopping at what is missing first, and count its cost.

    Nothing is downloaded and nothing is written.
    """
    # Everything that is wrong
    problems: list[UserError] = []
    first = [0]

    def note(check: Callable[[], object]) -> None:
        try:
            check()
        except UserError as error:
            if str(error) not in map(str, problems):
                problems.append(error)

    note(lambda: check_settings(config))
    note(lambda: check_device(config))
    note(lambda: check_optimizer(config))
    note(lambda: check_compiler(config))
    note(lambda: check_trackers(config))
    note(lambda: _data(config))
    for name in config.start_from:
        note(lambda name=name: verify(resolve(name)[0]))  # type: ignore[misc]
    note(lambda: _whole(config))
    note(lambda: _pretrained(config))
    if config.data.feature_cache:
        note(lambda: read_index(Path(config.data.feature_cache) / INDEX))
    note(lambda: _folder(Path(config.out)))
    note(lambda: first.append(_resumed(config)))

    # What it costs
    one: Cost | None = None
    if config.stage in COUNTED:
        one = _counted(config, note)
    return TrainingPlan(
        stage=config.stage,
        out=config.out,
        first_step=first[-1],
        steps=config.steps,
        examples_per_step=config.batch_size * config.accumulate,
        parameters=None if one is None else one.parameters,
        trained=None if one is None else one.trained,
        memory_gib=None if one is None else round(sum(memory(config, one).values()) / 2**30, 1),
        hours=None if one is None else {k: round(v, 1) for k, v in hours(config, one).items()},
        problems=tuple(map(str, problems)),
        code=int(problems[0].code) if problems else 0,
    )


def _counted(config: TrainConfig, note: Callable[[Callable[[], object]], None]) -> Cost | None:
    counted: list[Cost] = []
    note(lambda: counted.append(cost(config)))
    return counted[0] if counted else None


def _data(config: TrainConfig) -> None:
    splits = [config.data.split, *([config.validation_split] if config.validate_every else [])]
    training_data(config, open_dataset(config.data.root, splits, config.data.video_reader))


def _whole(config: TrainConfig) -> None:
    """Check that what follows stage 2 starts from a trained one, where its folders are there."""
    if config.stage in AFTER_STAGE_2:
        names, model = set[str](), config.model
        for name in config.start_from:
            folder, _, other = resolve(name)
            names.update(weight_names(folder))
            model = other
        check_whole(config, model, names)


def _pretrained(config: TrainConfig) -> None:
    missing = missing_parts(config.model, config.stage)
    if missing:
        raise UserError(f"pretrained weights are missing: {'; '.join(missing)}.", ExitCode.NO_INPUT)
    require_parts(config.model, config.stage)


def _folder(out: Path) -> None:
    """Check that a folder, or the first one above it that exists, can be written."""
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "not writable" if there.is_dir() else "a file"
        raise UserError(
            f"{out} cannot be written: {there} is {what}; choose another --out.",
            ExitCode.CANNOT_CREATE,
        )


def _resumed(config: TrainConfig) -> int:
    """Return the step from which a run would go on; refuse settings that it cannot go on with."""
    folder = Path(config.out)
    latest = newest_checkpoint(folder)
    if latest is None:
        return 0
    resumed(run_config(folder / "config.yaml"), config, folder)
    return int(latest.name.removeprefix("step-"))
