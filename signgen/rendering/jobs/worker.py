"""One job after the other: done ones are skipped by content, bad ones stop none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from signgen.config.render import RenderConfig
from signgen.errors import UserError, explain
from signgen.rendering.command import RenderResult, render_files
from signgen.rendering.loading import load_once
from signgen.rendering.planning import RenderPlan, plan
from signgen.rendering.provenance.contents import content_digest
from signgen.rendering.provenance.outputs import output_names
from signgen.rendering.provenance.record import is_made_of

if TYPE_CHECKING:
    from signgen.models.base import PoseGuidedModel

__all__ = ["JobResult", "Worker", "as_json"]


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


class Worker:
    """Renders jobs one after the other, with a model that is loaded for the first that needs it.

    Args:
        config: Settings that the jobs have in common.
    """

    def __init__(self, config: RenderConfig) -> None:
        self.config = config
        self.model: PoseGuidedModel | None = None

    def run(self, job: RenderConfig) -> JobResult:
        """Render, plan or skip a job.

        Raises:
            UserError: If the model or the device is bad; never because of the job.
        """
        done = _done_before(job)
        if done is not None:
            return done
        if self.config.dry_run:
            return _attempt(job, partial(plan, job), "planned")
        self.model = self.model or load_once(self.config.model, self.config.device)
        return _attempt(job, partial(render_files, job, model=self.model), "done")


def _done_before(job: RenderConfig) -> JobResult | None:
    """Return the result of a job whose files are there, made of the same; else None."""
    outputs = output_names(job)
    if not all(path.exists() for path in outputs):
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
