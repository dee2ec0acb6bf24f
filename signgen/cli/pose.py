"""`signgen pose`: look into, convert, extract, show and align key points."""

from __future__ import annotations

from typing import Any

from signgen.cli.output import bar, columns, counter, print_json, print_note, print_result, table
from signgen.cli.parsing import command
from signgen.config.pose import (
    PoseAlignConfig,
    PoseConvertConfig,
    PoseExtractConfig,
    PoseInfoConfig,
    PoseViewConfig,
)
from signgen.errors import ExitCode, UserError

__all__ = ["COMMANDS", "HELP"]

MAX_CLIPS = 20
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


# ----- files --------------------------------------------------------------------------------------


@command(
    "signgen pose info",
    positional={"files": "FILE"},
    required={"files": "files or folders of poses"},
)
def info(config: PoseInfoConfig) -> int:
    """Say what files of poses hold.

    That is format, points, frames, rate, size, and the share of frames that show each hand.

    Example: signgen pose info seq.json clip.pose

    Of a file with many clips the first 20 are shown, with --json all. Exit code 3: one of several
    files or clips cannot be read.
    """
    rows = [_summary(path, config) for path in config.files]
    if config.json:
        print_json({"files": rows})
    else:
        print_result("\n\n".join(map(_summary_text, rows)))
        for remark in (remark for row in rows for remark in row.get("remarks", ())):
            print_note(f"warning: {remark}")
    failed = any("error" in row for file in rows for row in (file, *file.get("rows", [])))
    return ExitCode.SOME_FAILED if failed else ExitCode.OK


def _summary(path: str, config: PoseInfoConfig) -> dict[str, Any]:
    """Return what a file holds; among several files one that cannot be read stops none."""
    from signgen.pose.summary import summarize

    most = None if config.json else MAX_CLIPS
    try:
        return summarize(path, clip=config.clip, size=config.size, fps=config.fps, most=most)
    except UserError as error:
        if len(config.files) == 1:
            raise
        print_note(f"error: {error}")
        return {"file": path, "error": str(error)}


def _summary_text(row: dict[str, Any]) -> str:
    """Return one file as a table; of many clips a line each."""
    row = {name: value for name, value in row.items() if name != "remarks"}
    if "rows" not in row:
        return table(row)
    clips = row["rows"]
    lines = [table({name: value for name, value in row.items() if name != "rows"}), columns(clips)]
    more = row["clips"] - len(clips)
    return "\n".join(lines + [f"... and {more} more; --json lists all"] * (more > 0))


@command(
    "signgen pose convert",
    groups={"changes": ("crop", "resize", "flip", "fill_gaps", "smooth")},
    positional={"source": "IN", "out": "OUT"},
    required={"source": "a file or folder of poses", "out": "where to write"},
)
def convert(config: PoseConvertConfig) -> int:
    """Convert key points: signgen pose convert IN OUT.

    A file that holds many clips becomes a folder with a file for each; those that are there already
    are kept, so give other changes another folder. Changes are made in the order crop, resize,
    flip, fill-gaps, smooth.

    Example: signgen pose convert clip.pose clip.npz --fill-gaps 5 --smooth
    """
    from signgen.pose.convert import Changes
    from signgen.pose.convert import convert as run

    result = run(
        config.source,
        config.out,
        format=config.format,
        clip=config.clip,
        size=config.size,
        fps=config.fps,
        changes=Changes(config.crop, config.resize, config.flip, config.fill_gaps, config.smooth),
        progress=bar("clip"),
    )
    for name, reason in result.failed[:MAX_CLIPS]:
        print_note(f"error: {name[:80]!a}: {reason}")
    print_note(
        f"{result.written} of {result.clips} clips written, {result.skipped} were there, "
        f"{len(result.failed)} failed"
    )
    if config.json:
        failed = [{"clip": name, "error": reason} for name, reason in result.failed]
        counts = {"clips": result.clips, "written": result.written, "skipped": result.skipped}
        print_json({"out": str(result.out), **counts, "failed": failed})
    else:
        print_result(str(result.out))
    return ExitCode.SOME_FAILED if result.failed else ExitCode.OK


# ----- videos -------------------------------------------------------------------------------------


@command("signgen pose extract", positional={"inputs": "VIDEO|FOLDER"})
def extract(config: PoseExtractConfig) -> int:
    """Extract key points from videos or folders of frames: one file of poses per clip.

    Example: signgen pose extract clip.mp4 --out clip.pose

    Example: signgen pose extract videos/ --out poses/

    With a folder as --out, clips that are done are skipped, so that the same command resumes, and a
    clip that fails is named and does not stop the others; then the exit code is 3.
    """
    from signgen.pose.extraction.files import extract as run

    with counter("frame") as progress:
        report = run(config, progress)
    if config.json:
        print_json(report.as_json())
    else:
        parts = ("body", "face", "left_hand", "right_hand")
        rows = [(row.id, row.frames, row.coverage) for row in report.results if row.frames]
        total = ("all clips", sum(frames for _, frames, _ in rows), report.coverage)
        print_result(
            columns(
                [
                    {"clip": name, "frames": frames}
                    | {part: f"{shares[part]:.1%}" if part in shares else "-" for part in parts}
                    for name, frames, shares in (*rows, total)
                ]
            )
        )
    failed = report.count("failed")
    print_note(
        f"{report.count('done')} done, {report.count('skipped')} skipped, {failed} failed; "
        f"{report.frames_per_second:g} frames per second with {report.estimator}"
    )
    return ExitCode.SOME_FAILED if failed else ExitCode.OK


@command("signgen pose view", positional={"poses": "FILE"}, required={"poses": "a file of poses"})
def view(config: PoseViewConfig) -> int:
    """Draw a file of poses on a video, on a picture, or on black.

    Black pictures are at most 1080 pixels long.

    Example: signgen pose view seq.json --video clip.mp4 -o view.mp4
    """
    from signgen.pose.drawing.viewing import view_file

    frames = view_file(
        config.poses,
        config.out,
        video=config.video,
        picture=config.frame,
        trim_ends=config.trim_ends,
    )
    print_json({"file": config.out, "frames": frames}) if config.json else print_result(config.out)
    return ExitCode.OK


@command(
    "signgen pose align", required={"poses": "a file of poses", "source_poses": "a file of poses"}
)
def align(config: PoseAlignConfig) -> int:
    """Give driving poses the place and proportions of the source signer.

    Example: signgen pose align --poses seq.json --source-poses signer.json --source signer.png
    --preview preview.png
    """
    from signgen.pose.retargeting.align import align_files

    result = align_files(
        config.poses,
        config.source_poses,
        config.mode,
        config.out,
        source=config.source,
        preview=config.preview,
    )
    if config.json:
        print_json(result.as_json())
        return ExitCode.OK
    print_result(table(result.rows()))
    for warning in result.warnings:
        print_note(f"warning: {warning}")
    return ExitCode.OK


COMMANDS = {"info": info, "convert": convert, "extract": extract, "view": view, "align": align}
