"""`signgen train`: train one stage, or resume a run."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from signgen.cli.output import print_note, print_result, table
from signgen.cli.parsing import parse
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.errors import ExitCode, UserError

__all__ = ["train"]

HELP = """\
Train one stage: signgen train [CONFIG.yaml or run folder] [flags]

Example: signgen train configs/train-mini-fpdm.yaml --out runs/mini

A run folder resumes its run. Without either, the tiny smoke configuration is trained on the \
bundled sample. `signgen train CONFIG.yaml --help` shows the values of that file.
"""
GROUPS = {
    "data": (),
    "optimiser": (
        "optimizer",
        "accumulate",
        "warmup",
        "warmup_hold",
        "schedule",
        "decay_every",
        "decay_factor",
        "weight_decay",
        "clip_gradient",
        "ema",
        "seed",
        "gradient_checkpointing",
        "compile",
    ),
    "checkpoints": ("save_every", "keep", "stop_at", "sample_every", "log_every", "track"),
    "validation": (
        "validate_every",
        "validate_batches",
        "validate_pictures",
        "validation_split",
    ),
    "model": (),
}


def train(words: list[str]) -> int:
    """Run `signgen train`."""
    default, words = _starting_point(words)
    config = parse(
        TrainConfig, words, prog="signgen train", description=HELP, groups=GROUPS, default=default
    )
    if default is None and not any(word.startswith("--config") for word in words):
        data = "the bundled sample" if config.data.root == "sample" else config.data.root
        print_note(
            "no configuration given: training the tiny smoke configuration on "
            f"{data}, into {config.out}"
        )
    if config.dry_run:
        return _plan(config)
    from signgen.training.loop import train as run

    print_result(str(run(config)))
    return ExitCode.OK


def _plan(config: TrainConfig) -> int:
    """Print what a run costs, and a line for each thing that it lacks."""
    from signgen.training.planning import plan

    planned = asdict(plan(config))
    problems, code, hours = (planned.pop(name) for name in ("problems", "code", "hours"))
    shown = {name: value for name, value in planned.items() if value is not None}
    shown |= {f"hours on one {gpu}": value for gpu, value in (hours or {}).items()}
    print_result(table(shown))
    for problem in problems:
        print_note(problem)
    return int(code)


def _starting_point(words: list[str]) -> tuple[TrainConfig | None, list[str]]:
    """Take the configuration or run folder off the words, if there is one."""
    if not words or words[0].startswith("-"):
        return None, words
    path = Path(words[0])
    if not path.is_dir():
        return load_config(path, TrainConfig), words[1:]
    if not (path / "config.yaml").is_file():
        raise UserError(
            f"{path} has no config.yaml; expected a run folder or a YAML file.", ExitCode.NO_INPUT
        )
    config = load_config(path / "config.yaml", TrainConfig)
    return replace(config, out=str(path)), words[1:]
