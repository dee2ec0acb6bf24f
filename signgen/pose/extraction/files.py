"""The extract command: check every input first, say which clip goes to which file, extract."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from signgen.config.pose import PoseExtractConfig
from signgen.errors import ExitCode, UserError
from signgen.files.digests import sha256
from signgen.files.paths import check_output, check_outputs
from signgen.files.reading import read_text
from signgen.files.writing import make_folder, save_text
from signgen.media import find_clips
from signgen.pose.estimators import open_estimator
from signgen.pose.extraction.boxes import read_boxes
from signgen.pose.extraction.clips import ExtractionReport, FrameCounter, extract_files

__all__ = ["extract", "plan_files", "take_shard"]

SUFFIXES = frozenset({".pose", ".json", ".npz"})
"""Endings by which `--out` names a file."""
RECORD = ".extraction.json"
"""Name of the file in the folder of poses that says what made them."""


def extract(config: PoseExtractConfig, progress: FrameCounter | None = None) -> ExtractionReport:
    """Run `signgen pose extract`: check everything that costs nothing, then estimate.

    What is wrong with one clip stops the run only where its file is named.
    """
    if not config.inputs or not config.out:
        raise UserError(
            f"{'--out is missing' if config.inputs else 'nothing to extract from'}; expected "
            "`signgen pose extract VIDEO --out clip.pose` or `... FOLDER --out DIR`.",
            ExitCode.USAGE,
        )
    if not 0 < config.fps <= 240:
        raise UserError(f"--fps is {config.fps:g}; expected up to 240.", ExitCode.USAGE)
    rate = config.constant_rate
    if rate is not None and not 0 < rate <= 240:
        raise UserError(f"--constant-rate is {rate:g}; expected up to 240.", ExitCode.USAGE)
    if rate is not None and config.boxes is not None:
        raise UserError(
            "--constant-rate changes which frame is which, and --boxes names frames; expected one "
            "of them.",
            ExitCode.USAGE,
        )
    out = Path(config.out)
    files = plan_files(config.inputs, out, config.format)
    named = out in {file for _, file in files.values()}
    files = {id: files[id] for id in take_shard(tuple(files), config.shard)}
    boxes = None if config.boxes is None else read_boxes(config.boxes)
    if config.report is not None:
        check_outputs([Path(config.report)], [*config.inputs, config.boxes, config.weights])
    estimator = open_estimator(
        config.estimator, config.weights, config.device, config.batch_size, aspect=config.aspect
    )
    if not named:
        digest = "" if config.boxes is None else sha256(Path(config.boxes))
        _record(out, {"estimator": estimator.name, "boxes_sha256": digest})
    report = extract_files(
        files,
        estimator,
        boxes,
        fps=config.fps,
        constant_rate=rate,
        strict=named,
        progress=progress,
    )
    if config.report is not None:
        save_text(config.report, json.dumps(report.as_json(), indent=1) + "\n")
    return report


def plan_files(
    inputs: Sequence[str | Path], out: Path, suffix: str = "pose"
) -> dict[str, tuple[Path, Path]]:
    """Return clip and file of poses by name of the clip, sorted.

    Args:
        inputs: Videos, pictures, folders; see `signgen.media.find_clips`.
        out: A file for one clip, by its ending; else a folder, made when it is needed.
        suffix: Ending of the files in a folder, without the dot.
    """
    clips: dict[str, Path] = {}
    for path in inputs:
        for id, clip in find_clips(path).items():
            if id in clips:
                raise UserError(f"{clip} and {clips[id]} have the same name; extract them apart.")
            clips[id] = clip
    if out.suffix.lower() not in SUFFIXES or out.is_dir():
        return {id: (clips[id], out / f"{id}.{suffix}") for id in sorted(clips)}
    if len(clips) > 1:
        raise UserError(
            f"--out is {out}, a file, for {len(clips)} clips; expected a folder.", ExitCode.USAGE
        )
    ((id, clip),) = clips.items()
    if clip.resolve() == out.resolve():
        raise UserError(f"{out} is the input; choose another --out.", ExitCode.USAGE)
    return {id: (clip, check_output(out))}


def take_shard(ids: Sequence[str], shard: str | None) -> Sequence[str]:
    """Return every n-th name from the i-th on, for a shard `i/n` with i from 0 to n - 1."""
    if shard is None:
        return ids
    part, slash, parts = shard.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
        raise UserError(
            f"--shard is {shard}; expected i/n with i from 0 to n - 1, such as 0/4.", ExitCode.USAGE
        )
    return ids[int(part) :: int(parts)]


def _record(folder: Path, made_by: Mapping[str, str]) -> None:
    """Note in the folder of poses what makes them, and refuse to mix two makers."""
    record = folder / RECORD
    text = json.dumps(dict(made_by), indent=1) + "\n"
    make_folder(folder)
    known = read_text(record, 2**16, "what made these poses") if record.is_file() else text
    if known != text:
        raise UserError(
            f"{folder} holds poses made with {' '.join(known.split())[:200]}; now it would be "
            f"{' '.join(text.split())}. Choose another --out, or delete that folder.",
            ExitCode.USAGE,
        )
    save_text(record, text)
