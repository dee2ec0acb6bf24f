"""The `pose` commands: look into, convert, show, align and extract key points."""

from __future__ import annotations

import json
from collections.abc import Mapping

from signgen.cli_flags import parse
from signgen.cli_groups import Command, run_group
from signgen.cli_output import PRECEDENCE, say, table, tell
from signgen.config import PoseAlignConfig, PoseInfoConfig, PoseViewConfig
from signgen.errors import ExitCode, UserError

__all__ = ["COMMANDS", "pose"]

HELP = """\
signgen pose: look into, convert, show, align and extract key points.

  signgen pose info FILE...                      points, frames, rate, size and coverage
  signgen pose view FILE [--video clip.mp4]      draw poses on a video, a picture or black
  signgen pose align --poses seq.json --source-poses signer.json
                                                 give poses the source signer's proportions

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


def _view(words: list[str]) -> int:
    named = words[:1] if words and not words[0].startswith("-") else []
    config = parse(
        PoseViewConfig,
        words[len(named) :],
        prog="signgen pose view",
        description="Draw a file of poses on a video, on a picture, or on black (there at most "
        "1080 pixels long).\n\nExample: signgen pose view seq.json --video clip.mp4 -o view.mp4"
        "\n\n" + PRECEDENCE,
    )
    poses = named[0] if named else config.poses
    _need("FILE", poses, "signgen pose view")
    from signgen.pose_files import view_file

    frames = view_file(poses, config.out, video=config.video, picture=config.frame)
    made = {"schema_version": 1, "file": config.out, "frames": frames}
    say(json.dumps(made) if config.json else config.out)
    return ExitCode.OK


def _align(words: list[str]) -> int:
    config = parse(
        PoseAlignConfig,
        words,
        prog="signgen pose align",
        description="Give driving poses the place and proportions of the source signer.\n\n"
        "Example: signgen pose align --poses seq.json --source-poses signer.json "
        "--source signer.png --preview preview.png\n\n" + PRECEDENCE,
    )
    _need("--poses", config.poses, "signgen pose align")
    _need("--source-poses", config.source_poses, "signgen pose align")
    from signgen.pose_files import align_files

    result = align_files(
        config.poses,
        config.source_poses,
        config.mode,
        config.out,
        source=config.source,
        preview=config.preview,
    )
    if config.json:
        say(json.dumps(result.as_json()))
        return ExitCode.OK
    say(table(result.rows()))
    for warning in result.warnings:
        tell(f"warning: {warning}")
    return ExitCode.OK


def _need(flag: str, value: str, prog: str) -> None:
    if not value:
        raise UserError(
            f"{flag} is missing; expected a file of poses. See `{prog} --help`.", ExitCode.USAGE
        )


COMMANDS: Mapping[str, Command] = {"info": _info, "view": _view, "align": _align}
