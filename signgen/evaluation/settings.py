"""Settings of an evaluation that contradict each other, found before any work starts."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from signgen.config.evaluation import EvalConfig
from signgen.errors import ExitCode, UserError
from signgen.evaluation.back_translation import check_translator
from signgen.evaluation.reports.report import COPY, GENERATED, PREVIOUS
from signgen.files.paths import check_output

__all__ = ["check_settings"]

RENDERING = ("steps", "sampler", "official_noise", "precision")
"""Settings of a model, which paths do not have."""
PATHS_ONLY = ("compare", "source", "items", "generated_poses", "back_translate")
"""Settings of paths, which a model does not have."""


def check_settings(config: EvalConfig) -> None:
    """Check that settings fit together, and that the output files can be written.

    Args:
        config: The settings.

    Raises:
        UserError: With exit code 2 if settings contradict each other, 73 if a file cannot be made.
    """
    if config.retrieval_queries != EvalConfig.retrieval_queries:
        raise UserError("--retrieval-queries serves --retrieval only. Add it.", ExitCode.USAGE)
    if (config.generated is None) != (config.reference is None):
        given, other = ("--generated", "--reference")[:: 1 if config.generated else -1]
        raise UserError(f"{given} needs {other}; expected both or neither.", ExitCode.USAGE)
    if config.generated is None:
        _refuse(config, PATHS_ONLY, "serves --generated and --reference only. Add them")
    else:
        _refuse(
            config,
            RENDERING,
            "serves the rendering of --model only; --generated is rendered already",
        )
    _check_poses(config)
    _check_names(config)
    _check_texts(config)
    if config.protocol is not None and config.frames is not None:
        raise UserError(
            f"--frames is fixed by --protocol {config.protocol}. Leave one of them out.",
            ExitCode.USAGE,
        )
    if config.size is not None and min(config.size) < 1:
        raise UserError(
            f"--size is {config.size[0]} {config.size[1]}; expected pixels above 0.", ExitCode.USAGE
        )
    if config.save_statistics is not None and not (
        config.fid_reference and Path(config.fid_reference).is_dir()
    ):
        raise UserError(
            "--save-statistics writes those of a folder of real images. Name it with "
            "--fid-reference.",
            ExitCode.USAGE,
        )
    _check_outputs(config)


def _refuse(config: EvalConfig, names: tuple[str, ...], why: str) -> None:
    """Refuse settings that were given and mean nothing here."""
    for setting in fields(config):
        if setting.name in names and getattr(config, setting.name) != setting.default:
            raise UserError(
                f"--{setting.name.replace('_', '-')} {why}, or leave it out.", ExitCode.USAGE
            )


def _check_poses(config: EvalConfig) -> None:
    needs = [
        flag
        for flag, on in (
            ("--hand-metrics", config.hand_metrics),
            ("--faces", config.faces),
            ("--keypoints", config.keypoints),
        )
        if on
    ]
    if config.poses is not None and not (needs and config.generated):
        raise UserError(
            "--poses serves the hand and face metrics of --generated and --reference only. "
            "Add --hand-metrics, or leave it out.",
            ExitCode.USAGE,
        )
    if needs and config.generated is not None and config.poses is None:
        raise UserError(
            f"{needs[0]} needs --poses, the poses of the reference.",
            ExitCode.USAGE,
        )
    if config.per_hand and not config.hand_metrics:
        raise UserError("--per-hand lays out the hand metrics. Add --hand-metrics.", ExitCode.USAGE)


def _check_names(config: EvalConfig) -> None:
    names = [GENERATED, COPY, PREVIOUS, *config.compare]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UserError(
            f"--compare names {min(twice)} twice, or as this report calls a system of its own; "
            "expected different paths.",
            ExitCode.USAGE,
        )


def _check_texts(config: EvalConfig) -> None:
    if config.texts is not None and config.back_translate is None:
        raise UserError("--texts serves --back-translate only. Add it.", ExitCode.USAGE)
    if config.back_translate is not None:
        check_translator(config.back_translate)


def _check_outputs(config: EvalConfig) -> None:
    wanted = (
        (config.out, None),
        (config.report, ".html"),
        (config.latex, ".tex"),
        (config.save_statistics, ".npz"),
    )
    for path, suffix in wanted:
        if path is not None:
            check_output(path, suffix)
