"""The `pose` commands: look into, convert, show, align and extract key points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from signgen.cli_flags import parse
from signgen.cli_groups import Command, run_group
from signgen.cli_output import PRECEDENCE, say, table, tell
from signgen.cli_progress import frame_counter
from signgen.config import PoseExtractConfig, PoseInfoConfig
from signgen.errors import ExitCode

if TYPE_CHECKING:
    from signgen.pose_extraction import ExtractionReport

__all__ = ["COMMANDS", "pose"]

HELP = """\
signgen pose: look into, convert, show, align and extract key points.

  signgen pose info FILE...                          points, frames, rate, size and coverage
  signgen pose extract VIDEO|FOLDER --out FILE|DIR   key points of videos or frames

`signgen pose COMMAND --help` lists the flags.
"""


def pose(words: list[str]) -> int:
    """Run `signgen pose`."""
    return run_group(words, COMMANDS, "signgen pose", HELP)


def _positional(words: list[str]) -> tuple[list[str], list[str]]:
    """Split words into those before the first flag, and the rest."""
    count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    return words[:count], words[count:]


def _info(words: list[str]) -> int:
    named, words = _positional(words)
    config = parse(
        PoseInfoConfig,
        words,
        prog="signgen pose info",
        description="Say what files of poses hold: points, frames, rate, size, and the share of "
        "frames that show each hand.\n\nExample: signgen pose info seq.json clip.pose\n\n"
        + PRECEDENCE,
    )
    from signgen.pose.summary import summarize

    rows = [summarize(path) for path in (*named, *config.files)]
    if config.json:
        say(json.dumps({"schema_version": 1, "files": rows}))
    else:
        say("\n\n".join(table(row) for row in rows))
    return ExitCode.OK


def _extract(words: list[str]) -> int:
    named, words = _positional(words)
    config = parse(
        PoseExtractConfig,
        words,
        prog="signgen pose extract",
        description="Extract key points from videos or folders of frames: one file of poses per "
        "clip.\n\nExample: signgen pose extract clip.mp4 --out clip.pose\n"
        "Example: signgen pose extract videos/ --out poses/\n\nWith a folder as --out, clips that "
        "are done are skipped, so that the same command resumes, and a clip that fails is named "
        "and does not stop the others; then the exit code is 3. " + PRECEDENCE,
    )
    from signgen.pose_extract_files import extract

    with frame_counter() as progress:
        report = extract(replace(config, inputs=(*named, *config.inputs)), progress)
    say(json.dumps(report.as_json()) if config.json else _coverage_table(report))
    failed = report.count("failed")
    tell(
        f"{report.count('done')} done, {report.count('skipped')} skipped, {failed} failed; "
        f"{report.frames_per_second:g} frames per second with {report.estimator}"
    )
    return ExitCode.SOME_FAILED if failed else ExitCode.OK


def _coverage_table(report: ExtractionReport) -> str:
    """Lay out the share of frames that show each part, by clip and in all."""
    parts = ("body", "face", "left_hand", "right_hand")
    width = max((len(result.id) for result in report.results), default=0)
    width = max(width, len("all clips"))
    lines = ["  ".join([f"{'clip':<{width}}", "frames", *(f"{part:>10}" for part in parts)])]
    rows = [(row.id, row.frames, row.coverage) for row in report.results if row.frames]
    total = sum(frames for _, frames, _ in rows)
    for name, frames, shares in [*rows, ("all clips", total, report.coverage)]:
        cells = (f"{shares[part]:>10.1%}" if part in shares else f"{'-':>10}" for part in parts)
        lines.append("  ".join([f"{name:<{width}}", f"{frames:>6}", *cells]))
    return "\n".join(lines)


COMMANDS: Mapping[str, Command] = {"info": _info, "extract": _extract}
