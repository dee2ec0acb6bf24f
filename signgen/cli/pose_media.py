"""The `pose` commands that read pictures and videos: extract, view, align."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from signgen.cli.groups import Command
from signgen.cli.output import PRECEDENCE, say, table, tell
from signgen.cli.parsing import parse, positional
from signgen.cli.progress import frame_counter
from signgen.config.pose import PoseAlignConfig, PoseExtractConfig, PoseViewConfig
from signgen.errors import ExitCode, UserError

if TYPE_CHECKING:
    from signgen.pose.extraction.clips import ExtractionReport

__all__ = ["COMMANDS"]


def _extract(words: list[str]) -> int:
    named, words = positional(words, PoseExtractConfig)
    config = parse(
        PoseExtractConfig,
        words,
        prog="signgen pose extract",
        description="Extract key points from videos or folders of frames: one file of poses per "
        "clip.\n\nExample: signgen pose extract clip.mp4 --out clip.pose\n\n"
        "Example: signgen pose extract videos/ --out poses/\n\nWith a folder as --out, clips that "
        "are done are skipped, so that the same command resumes, and a clip that fails is named "
        "and does not stop the others; then the exit code is 3.\n\n" + PRECEDENCE,
    )
    from signgen.pose.extraction.files import extract

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


def _view(words: list[str]) -> int:
    named, words = positional(words, PoseViewConfig)
    config = parse(
        PoseViewConfig,
        words,
        prog="signgen pose view",
        description="Draw a file of poses on a video, on a picture, or on black (there at most "
        "1080 pixels long).\n\nExample: signgen pose view seq.json --video clip.mp4 -o view.mp4"
        "\n\n" + PRECEDENCE,
    )
    given = [*named, *([config.poses] if config.poses else [])]
    if len(given) > 1:
        raise UserError(
            f"{given[1]!r} is one name too many; expected one file of poses, and what to draw on "
            "after --video or --frame. See `signgen pose view --help`.",
            ExitCode.USAGE,
        )
    poses = "".join(given)
    _need("FILE", poses, "signgen pose view")
    from signgen.pose.extraction.viewing import view_file

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
    from signgen.pose.extraction.viewing import align_files

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


COMMANDS: Mapping[str, Command] = {"extract": _extract, "view": _view, "align": _align}
