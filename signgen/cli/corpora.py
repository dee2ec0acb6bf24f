"""The `prepare` commands for corpora of others, and for your own recordings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from signgen.cli.groups import Command
from signgen.cli.output import PRECEDENCE, columns, say, table, tell
from signgen.cli.parsing import parse
from signgen.cli.progress import bar
from signgen.config.data import PrepareDeepFashionConfig, PrepareFolderConfig, PreparePhoenixConfig
from signgen.errors import ExitCode, UserError

__all__ = ["COMMANDS"]

LEFT_OUT = (
    "Exit code 3: written, but something was left out because it is missing or damaged; "
    "problems.jsonl beside the manifest names it.\n\n"
)
"""In the help of commands that go on where a part of the data is broken."""


def _phoenix14t(words: list[str]) -> int:
    config = parse(
        PreparePhoenixConfig,
        words,
        prog="signgen prepare phoenix14t",
        description="Check RWTH-PHOENIX-Weather 2014T as its archive unpacks, gather the key "
        "points of its videos, and write the manifest that training and evaluation read.\n\n"
        "Example: signgen prepare phoenix14t --raw PHOENIX-2014-T-release-v3 "
        "--keypoints Phoenix-2014T.train Phoenix-2014T.dev Phoenix-2014T.test "
        "--out datasets/phoenix14t\n\n" + LEFT_OUT + PRECEDENCE,
    )
    _needed(config.raw, "--raw", "the unpacked corpus or its archive")
    from signgen.data.preparation.clips import prepare_phoenix14t

    return _print(prepare_phoenix14t(config, bar("clip")), as_json=config.json)


def _folder(words: list[str]) -> int:
    config = parse(
        PrepareFolderConfig,
        words,
        prog="signgen prepare folder",
        description="Make a dataset of your own recordings: a folder of videos, one signer or "
        "several. OpenPose or .pose files of the same names are used; other clips are estimated."
        "\n\nExample: signgen prepare folder --videos recordings --out datasets/mine\n\n"
        + LEFT_OUT
        + PRECEDENCE,
    )
    _needed(config.videos, "--videos", "a folder of recordings")
    from signgen.data.preparation.clips import prepare_folder

    return _print(prepare_folder(config, bar("clip")), as_json=config.json)


def _deepfashion(words: list[str]) -> int:
    config = parse(
        PrepareDeepFashionConfig,
        words,
        prog="signgen prepare deepfashion",
        description="Verify a copy of DeepFashion In-shop in the layout of FPDM, NTED, PATN, GFLA, "
        "PCDMs or MCLD, and write its manifest and packed key points.\n\n"
        "Example: signgen prepare deepfashion --raw fashion --out datasets/deepfashion\n\n"
        + LEFT_OUT
        + PRECEDENCE,
    )
    _needed(config.raw, "--raw", "a folder")
    _needed(config.out, "--out", "a folder to write to")
    if config.subset < 0:
        raise UserError(f"--subset is {config.subset}; expected 0 or more.", ExitCode.USAGE)
    from signgen.data.deepfashion.preparation import prepare_deepfashion

    report = prepare_deepfashion(
        Path(config.raw),
        Path(config.out),
        layout=config.layout,
        keypoints=config.keypoints,
        keypoint_frame=config.keypoint_frame,
        rebuild=config.rebuild_pairs,
        subset=config.subset,
        progress=bar("record"),
    )
    if config.json:
        say(json.dumps({"schema_version": 1, "folder": config.out, **report.as_dict()}))
    else:
        say(report.as_text())
    if report.damaged:
        tell(
            f"{len(report.prepared.problems)} pictures, pairs or records were left out; see "
            f"{report.prepared.path.with_name('problems.jsonl')}."
        )
    return ExitCode.SOME_FAILED if report.damaged else ExitCode.OK


def _needed(value: str, flag: str, what: str) -> None:
    if not value:
        raise UserError(f"{flag} is missing; expected {what}.", ExitCode.USAGE)


def _print(report: Mapping[str, object], *, as_json: bool) -> int:
    """Print what was prepared; some records left out is an exit code of its own."""
    if as_json:
        say(json.dumps(report))
    else:
        hidden = {"schema_version", "problems", "splits"}
        say(table({k: _flat(v) for k, v in report.items() if k not in hidden}))
        splits = cast("Mapping[str, Mapping[str, int]]", report["splits"])
        say(columns([{"split": name} | _of(counts) for name, counts in splits.items()]))
    problems = cast("list[str]", report["problems"])
    for problem in problems:
        tell(problem)
    left_out = cast("int", report["left_out"])
    if left_out > len(problems):
        tell(f"and {left_out - len(problems)} more, see {report['all_problems']}.")
    return ExitCode.SOME_FAILED if left_out else ExitCode.OK


def _of(counts: Mapping[str, int]) -> dict[str, object]:
    """Put what was found and what was expected into one cell."""
    return {
        name: f"{found:,} of {counts[f'expected_{name}']:,}"
        if f"expected_{name}" in counts
        else f"{found:,}"
        for name, found in counts.items()
        if not name.startswith("expected_")
    }


def _flat(value: object) -> object:
    """Return a mapping on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{inner} from {name}" for name, inner in value.items()) or "none"
    return value


COMMANDS: Mapping[str, Command] = {
    "phoenix14t": _phoenix14t,
    "deepfashion": _deepfashion,
    "folder": _folder,
}
