"""Settings of an evaluation that contradict each other, found before any work starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from signgen.config.evaluation import EvalConfig
from signgen.errors import ExitCode, UserError
from signgen.evaluation.back_translation import check_translator
from signgen.evaluation.reading import REFERENCE
from signgen.evaluation.reports.report import COPY, GENERATED, PREVIOUS, WARPED
from signgen.files.paths import check_output, check_outputs

__all__ = ["check_settings", "compared_systems"]

RENDERING = ("steps", "sampler", "official_noise", "precision")
"""Settings of a model, which paths do not have."""
INPUTS = (
    *("generated", "reference", "source", "poses", "source_poses", "generated_poses"),
    *("texts", "fid_reference", "study_instructions"),
)
"""Settings that name what is read."""
PATHS_ONLY = (
    *("compare", "source", "source_poses", "items", "generated_poses", "back_translate"),
    "trim_ends",
)
"""Settings of paths, which a model does not have."""
RETRIEVAL = ("retrieval", "retrieval_queries", "model", "data", "split", "device", "out", "json")
"""Settings that mean something for retrieval; others are about frames."""


def check_settings(config: EvalConfig) -> None:
    """Check that settings fit together, and that the output files can be written.

    Args:
        config: The settings.

    Raises:
        UserError: With exit code 2 if settings contradict each other, 73 if a file cannot be made.
    """
    for complaint in _retrieval(config) if config.retrieval else _frames(config):
        raise UserError(complaint, ExitCode.USAGE)
    if config.back_translate is not None:
        check_translator(config.back_translate)
    for suffix, path in (
        (None, config.out),
        (".html", config.report),
        (".tex", config.latex),
        (".npz", config.save_statistics),
    ):
        if path is not None:
            check_output(path, suffix)
    outputs = (config.out, config.report, config.latex, config.save_statistics)
    inputs = [getattr(config, name) for name in INPUTS]
    check_outputs([Path(path) for path in outputs if path is not None], [*inputs, *config.compare])


def compared_systems(config: EvalConfig) -> dict[str, str]:
    """Return the paths of the systems compared by their names: the shortest ends that differ.

    Names are shown and printed in papers, where folders of one machine have no place.
    """
    taken = {GENERATED, COPY, PREVIOUS, WARPED, REFERENCE}
    parts = {path: Path(path).parts for path in config.compare}
    names = {}
    for path, own in parts.items():
        ends = ("/".join(own[start:]) for start in range(len(own) - 1, -1, -1))
        others = [f"/{Path(other).as_posix()}" for other in parts if other != path]
        name = next(
            (
                end
                for end in ends
                if end not in taken and not any(other.endswith(f"/{end}") for other in others)
            ),
            path,
        )
        names[name] = path
    return names


def _changed(config: EvalConfig) -> list[str]:
    """Return the names of the settings that were given."""
    return [one.name for one in fields(config) if getattr(config, one.name) != one.default]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _retrieval(config: EvalConfig) -> Iterator[str]:
    for name in _changed(config):
        if name not in RETRIEVAL:
            yield (
                f"--retrieval scores the embeddings of a model and takes no {_flag(name)}. "
                "Leave one of them out."
            )
    if config.retrieval_queries < 0:
        yield (
            f"--retrieval-queries is {config.retrieval_queries}; expected a number of pairs, or 0 "
            "for all of them."
        )


def _frames(config: EvalConfig) -> Iterator[str]:
    """Yield what contradicts where frames are scored."""
    given, paths = _changed(config), config.generated is not None
    if "retrieval_queries" in given:
        yield "--retrieval-queries serves --retrieval only. Add it."
    if paths != (config.reference is not None):
        one, other = ("--generated", "--reference")[:: 1 if paths else -1]
        yield f"{one} needs {other}; expected both or neither."
    for name in given:
        if paths and name in RENDERING:
            yield (
                f"{_flag(name)} serves the rendering of --model only; --generated is rendered "
                "already, or leave it out."
            )
        if not paths and name in PATHS_ONLY:
            yield (
                f"{_flag(name)} serves --generated and --reference only. Add them, or leave it out."
            )
    yield from _poses(config)
    yield from _protocol(config)
    systems = [GENERATED, COPY, PREVIOUS, WARPED, REFERENCE, *config.compare]
    twice = {name for name in systems if systems.count(name) > 1}
    if twice:
        yield (
            f"--compare names {min(twice)} twice, or as this report calls a system of its own; "
            "expected different paths."
        )
    if config.texts is not None and config.back_translate is None:
        yield "--texts serves --back-translate only. Add it."


def _protocol(config: EvalConfig) -> Iterator[str]:
    if config.protocol is not None and config.frames is not None:
        yield f"--frames is fixed by --protocol {config.protocol}. Leave one of them out."
    if config.size is not None and min(config.size) < 1:
        yield f"--size is {config.size[0]} {config.size[1]}; expected pixels above 0."
    real = config.fid_reference
    if config.save_statistics is not None and not (real and Path(real).is_dir()):
        yield (
            "--save-statistics writes those of a folder of real images. Name it with "
            "--fid-reference."
        )
    if real and config.protocol is None and not (config.inception_weights or config.fid_weights):
        yield (
            "--fid-reference is the real set of FID, which is not scored without its network. Add "
            "--fid-weights or --inception-weights, or a --protocol that has FID."
        )


def _poses(config: EvalConfig) -> Iterator[str]:
    flags = ("hand_metrics", "faces", "keypoints")
    needs = [_flag(name) for name in flags if getattr(config, name)]
    if config.poses is not None and config.generated is None:
        yield (
            "--poses serves --generated and --reference only; a dataset has its own. Leave it out."
        )
    if config.source_poses is not None and None in (config.source, config.poses):
        yield (
            f"--source-poses serves the {WARPED} only, which moves --source to --poses. Add both, "
            "or leave it out."
        )
    if needs and config.generated is not None and config.poses is None:
        yield f"{needs[0]} needs --poses, the poses of the reference."
    if config.per_hand and not config.hand_metrics:
        yield "--per-hand lays out the hand metrics. Add --hand-metrics."
