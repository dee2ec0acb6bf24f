"""The `pose` commands: look into, convert, show, align and extract key points."""

from __future__ import annotations

import json
from collections.abc import Mapping

from signgen.cli_flags import parse
from signgen.cli_groups import Command, run_group
from signgen.cli_output import PRECEDENCE, say, table
from signgen.config import PoseInfoConfig
from signgen.errors import ExitCode

__all__ = ["COMMANDS", "pose"]

HELP = """\
signgen pose: look into, convert, show, align and extract key points.

  signgen pose info FILE...                      points, frames, rate, size and coverage

`signgen pose COMMAND --help` lists the flags.
"""


def pose(words: list[str]) -> int:
    """Run `signgen pose`."""
    return run_group(words, COMMANDS, "signgen pose", HELP)


def _info(words: list[str]) -> int:
    count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    config = parse(
        PoseInfoConfig,
        words[count:],
        prog="signgen pose info",
        description="Say what files of poses hold: points, frames, rate, size, and the share of "
        "frames that show each hand.\n\nExample: signgen pose info seq.json clip.pose\n\n"
        + PRECEDENCE,
    )
    from signgen.pose.summary import summarize

    rows = [summarize(path) for path in (*words[:count], *config.files)]
    if config.json:
        say(json.dumps({"schema_version": 1, "files": rows}))
    else:
        say("\n\n".join(table(row) for row in rows))
    return ExitCode.OK


COMMANDS: Mapping[str, Command] = {"info": _info}
