"""The `pose` commands: look into, convert, show, align and extract key points."""

from __future__ import annotations

import json
from collections.abc import Mapping

from signgen.cli.groups import Command, run_group
from signgen.cli.output import PRECEDENCE, columns, say, table, tell
from signgen.cli.parsing import parse, positional
from signgen.cli.pose_media import COMMANDS as MEDIA_COMMANDS
from signgen.cli.progress import bar
from signgen.config.pose import PoseConvertConfig, PoseInfoConfig
from signgen.errors import ExitCode, UserError

__all__ = ["COMMANDS", "pose"]

SHOWN_CLIPS = 20
"""Lines about single clips, of a file that holds many."""

HELP = """\
signgen pose: look into, convert, show, align and extract key points.

  signgen pose info FILE...                          points, frames, rate, size and coverage
  signgen pose convert IN OUT [flags]                to .json, .npz, .pose or OpenPose
  signgen pose extract VIDEO|FOLDER --out FILE|DIR   key points of videos or frames
  signgen pose view FILE [--video clip.mp4]          draw poses on a video, a picture or black
  signgen pose align --poses seq.json --source-poses signer.json
                                                     give poses the source signer's proportions

`signgen pose COMMAND --help` lists the flags.
"""


def pose(words: list[str]) -> int:
    """Run `signgen pose`."""
    return run_group(words, COMMANDS, "signgen pose", HELP)


def _info(words: list[str]) -> int:
    named, flags = positional(words, PoseInfoConfig)
    config = parse(
        PoseInfoConfig,
        flags,
        prog="signgen pose info",
        description="Say what files of poses hold: format, points, frames, rate, size, and the "
        "share of frames that show each hand.\n\nExample: signgen pose info seq.json clip.pose\n\n"
        f"Of a file with many clips the first {SHOWN_CLIPS} are shown, with --json all. Exit code "
        "3: one of several files or clips cannot be read.\n\n" + PRECEDENCE,
    )
    paths = (*named, *config.files)
    if not paths:
        raise UserError(
            "no file is named; expected `signgen pose info FILE...`. See `signgen pose info "
            "--help`.",
            ExitCode.USAGE,
        )
    rows = [_summary(path, config, alone=len(paths) == 1) for path in paths]
    if config.json:
        say(json.dumps({"schema_version": 1, "files": rows}))
    else:
        say("\n\n".join(_shown(row) for row in rows))
    failed = any("error" in row or _failures(row) for row in rows)
    return ExitCode.SOME_FAILED if failed else ExitCode.OK


def _summary(path: str, config: PoseInfoConfig, *, alone: bool) -> dict[str, object]:
    """Return what a file holds; among several files one that cannot be read stops none."""
    from signgen.pose.summary import summarize

    most = None if config.json else SHOWN_CLIPS
    try:
        return summarize(path, clip=config.clip, size=config.size, fps=config.fps, most=most)
    except UserError as error:
        if alone:
            raise
        tell(f"error: {error}")
        return {"file": path, "error": str(error)}


def _clips(row: dict[str, object]) -> list[dict[str, object]]:
    clips = row.get("rows", [])
    assert isinstance(clips, list)
    return clips


def _failures(row: dict[str, object]) -> list[object]:
    return [clip["error"] for clip in _clips(row) if "error" in clip]


def _shown(row: dict[str, object]) -> str:
    """Return one file as a table; of many clips a line each."""
    clips = _clips(row)
    if not clips:
        return table(row)
    lines = [table({name: value for name, value in row.items() if name != "rows"}), columns(clips)]
    left = int(str(row["clips"])) - len(clips)
    return "\n".join(lines + [f"... and {left} more; --json lists all"] * (left > 0))


def _convert(words: list[str]) -> int:
    places, flags = positional(words, PoseConvertConfig)
    config = parse(
        PoseConvertConfig,
        flags,
        prog="signgen pose convert",
        description="Convert key points: signgen pose convert IN OUT. A file that holds many clips "
        "becomes a folder with a file for each; those that are there already are kept, so give "
        "other changes another folder. Changes are made in the order crop, resize, flip, "
        "fill-gaps, smooth.\n\n"
        "Example: signgen pose convert clip.pose clip.npz --fill-gaps 5 --smooth\n\n" + PRECEDENCE,
    )
    given = [*places, *(word for word in (config.source, config.out) if word)]
    if len(given) != 2:
        raise UserError(
            f"{len(given)} names are given; expected two, a file of poses and where to write. See "
            "`signgen pose convert --help`.",
            ExitCode.USAGE,
        )
    from signgen.pose.changes import Changes
    from signgen.pose.convert import convert

    done = convert(
        given[0],
        given[1],
        format=config.format,
        clip=config.clip,
        size=config.size,
        fps=config.fps,
        changes=Changes(config.crop, config.resize, config.flip, config.fill_gaps, config.smooth),
        progress=bar("clip"),
    )
    for name, reason in done.failed[:SHOWN_CLIPS]:
        tell(f"error: {name[:80]!a}: {reason}")
    tell(
        f"{done.written} of {done.clips} clips written, {done.skipped} were there, "
        f"{len(done.failed)} failed"
    )
    if config.json:
        failed = [{"clip": name, "error": reason} for name, reason in done.failed]
        counts = {"clips": done.clips, "written": done.written, "skipped": done.skipped}
        say(json.dumps({"schema_version": 1, "out": str(done.out), **counts, "failed": failed}))
    else:
        say(str(done.out))
    return ExitCode.SOME_FAILED if done.failed else ExitCode.OK


COMMANDS: Mapping[str, Command] = {"info": _info, "convert": _convert, **MEDIA_COMMANDS}
