"""Many videos with one model: a list of jobs, of which a bad one never stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from signgen.config.render import RenderConfig
from signgen.config.yaml import from_mapping
from signgen.errors import ExitCode, UserError, explain
from signgen.files.paths import check_local
from signgen.files.reading import parse_json, read_text
from signgen.files.writing import make_folder
from signgen.pose.extraction.files import take_shard
from signgen.rendering.command import RenderResult, render_files
from signgen.rendering.loading import load_once
from signgen.rendering.planning import RenderPlan, plan
from signgen.rendering.provenance.contents import content_digest
from signgen.rendering.provenance.outputs import output_names
from signgen.rendering.provenance.record import is_made_of

if TYPE_CHECKING:
    from signgen.models.base import PoseGuidedModel

__all__ = ["JobResult", "as_json", "is_many", "read_jobs", "render_jobs"]

MAX_BYTES = 1 << 28
SHARED = frozenset(
    {"model", "device", "estimator", "weights", "like", "jobs", "shard", "dry_run", "json"}
)
"""Settings that all jobs of a list have in common."""


@dataclass(frozen=True)
class JobResult:
    """What came of one video.

    Args:
        out: The video.
        poses: What it signs.
        status: `done` now, `skipped` because it was there, `planned` by a dry run, or `failed`.
        code: Exit code that rendering it alone would have.
        error: Why it failed.
        result: What was done, or would be.
    """

    out: str
    poses: str
    status: Literal["done", "skipped", "planned", "failed"]
    code: int = 0
    error: str | None = None
    result: RenderResult | RenderPlan | None = None


# ----- the list -----------------------------------------------------------------------------------


def is_many(config: RenderConfig) -> bool:
    """Whether settings ask for many videos: by a list, or by a folder of poses and one for out."""
    if config.jobs is not None:
        return True
    named = Path(config.out).is_dir() or not Path(config.out).suffix
    return bool(config.poses) and named and Path(config.poses).is_dir()


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


# ----- one after the other ------------------------------------------------------------------------


def render_jobs(config: RenderConfig, report: Callable[[JobResult, int], None]) -> list[JobResult]:
    """Render every video that is not there yet; the model is loaded once, when it is needed.

    Args:
        config: Settings; see `is_many`.
        report: Is told the result of every job when it is there, and the number of jobs.

    Raises:
        UserError: If the list, the model or the device is bad; never because of one job.
    """
    # The list
    jobs = read_jobs(config)
    if not Path(config.out).suffix and not config.dry_run:
        make_folder(Path(config.out))

    # Job by job
    model: PoseGuidedModel | None = None
    results: list[JobResult] = []
    for job in jobs:
        result = _done_before(job)
        if result is None and config.dry_run:
            result = _attempt(job, partial(plan, job), "planned")
        elif result is None:
            model = model or load_once(config.model, config.device)
            result = _attempt(job, partial(render_files, job, model=model), "done")
        results.append(result)
        report(result, len(jobs))
    return results


def _done_before(job: RenderConfig) -> JobResult | None:
    """Return the result of a job whose files are there, made of the same; else None."""
    outputs = output_names(job)
    if not all(path.is_file() for path in outputs):
        return None
    try:
        if is_made_of(outputs[0], content_digest(job)):
            return JobResult(job.out, job.poses, "skipped")
    except (UserError, OSError):
        pass  # rendering it says why
    return None


def _attempt(
    job: RenderConfig,
    run: Callable[[], RenderResult | RenderPlan],
    status: Literal["done", "planned"],
) -> JobResult:
    """Return the result of a job, whatever goes wrong with it."""
    try:
        return JobResult(job.out, job.poses, status, result=run())
    except Exception as error:
        message, code = explain(error)
        return JobResult(job.out, job.poses, "failed", int(code), message)


def as_json(job: JobResult) -> dict[str, object]:
    """Return a result as one flat JSON object."""
    values = asdict(job)
    result = values.pop("result") or {}
    return {**values, **result}
