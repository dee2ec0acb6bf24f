"""The `prepare` commands for corpora of others, and for your own recordings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from signgen.cli_flags import parse
from signgen.cli_groups import Command
from signgen.cli_output import PRECEDENCE, say, tell
from signgen.cli_progress import bar
from signgen.config import PrepareDeepFashionConfig
from signgen.errors import ExitCode, UserError

__all__ = ["COMMANDS"]

LEFT_OUT = (
    "Exit code 3: written, but something was left out because it is missing or damaged; "
    "problems.jsonl beside the manifest names it.\n\n"
)
"""In the help of commands that go on where a part of the data is broken."""


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
    from signgen.data.deepfashion import prepare_deepfashion

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


COMMANDS: Mapping[str, Command] = {"deepfashion": _deepfashion}
