"""The list of jobs: of a file with settings a line, or of folders; checked before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from signgen.config.render import RenderConfig
from signgen.config.yaml import from_mapping
from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_local
from signgen.files.reading import parse_json, read_text
from signgen.pose.extraction.files import take_shard
from signgen.rendering.provenance.outputs import output_names

__all__ = ["is_many", "read_jobs"]

MAX_BYTES = 1 << 28
SHARED = frozenset(
    {
        *("model", "device", "estimator", "weights", "like"),
        *("jobs", "shard", "engine", "workers", "dry_run", "json"),
    }
)
"""Settings that all jobs of a list have in common."""


def is_many(config: RenderConfig) -> bool:
    """Whether settings ask for many videos: by a list, or by a folder of poses and one for out."""
    if config.jobs is not None:
        return True
    named = os.path.isdir(config.out) or not Path(config.out).suffix  # raises for no name
    return bool(config.poses) and named and os.path.isdir(config.poses)


def read_jobs(config: RenderConfig) -> list[RenderConfig]:
    """Return the settings of every video, or of those of a shard.

    Args:
        config: Settings that they have in common.

    Raises:
        UserError: If the list, a line of it or the shard is bad, or two videos have one name.
    """
    # All of them, so that shards agree
    jobs = _of_folder(config) if config.jobs is None else list(_of_file(config, config.jobs))
    if not jobs:
        where = config.jobs or config.poses
        raise UserError(f"{where} holds nothing to render; expected at least one job.")

    # No file is written twice
    owners: dict[Path, RenderConfig] = {}
    for job in jobs:
        for path in (name.resolve() for name in output_names(job)):
            if path in owners:
                raise UserError(
                    f"{config.jobs or config.poses}: {path} would be written twice, for "
                    f"{owners[path].poses} and {job.poses}. Give each its own out.",
                    ExitCode.USAGE,
                )
            owners[path] = job

    # This machine's part
    chosen = take_shard([str(number) for number in range(len(jobs))], config.shard)
    return [jobs[int(number)] for number in chosen]


def _of_folder(config: RenderConfig) -> list[RenderConfig]:
    """Return a job for every file and folder in the folder of poses."""
    found = sorted(path for path in Path(config.poses).iterdir() if not path.name.startswith("."))
    return [_named(config, path) for path in found]


def _named(config: RenderConfig, poses: Path) -> RenderConfig:
    """Return the job of a file of poses, with a name in the folder of videos."""
    name = poses.name if poses.is_dir() else poses.stem
    suffix = ".webm" if config.background == "alpha" else ".mp4"
    return replace(config, poses=str(poses), out=str(Path(config.out) / f"{name}{suffix}"))


def _of_file(config: RenderConfig, path: str) -> Iterator[RenderConfig]:
    """Yield the job of every line of a list."""
    expected = "one JSON object of settings a line"
    lines = read_text(check_local(path), MAX_BYTES, expected).split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        # One object
        where = f"{path}, line {number}"
        job = parse_json(line.encode(), where, "one JSON object of settings")
        if not isinstance(job, dict):
            raise UserError(f"{where} is no JSON object; expected settings such as poses and out.")
        if shared := sorted(SHARED & job.keys()):
            raise UserError(
                f"{where}: {shared[0]} is the same for all jobs; give it as a flag.", ExitCode.USAGE
            )

        # Of settings
        settings = from_mapping(RenderConfig, job, where, config)
        yield settings if "out" in job else _in_folder(settings, where)


def _in_folder(settings: RenderConfig, where: str) -> RenderConfig:
    if Path(settings.out).suffix:
        raise UserError(
            f"{where}: out is missing; expected a video, or a folder as --out.", ExitCode.USAGE
        )
    return _named(settings, Path(settings.poses))
