"""A list of jobs, rendered here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from signgen.config.render import RenderConfig
from signgen.files.writing import make_folder
from signgen.rendering.jobs.listing import read_jobs
from signgen.rendering.jobs.worker import JobResult, Worker

__all__ = ["render_jobs"]


def render_jobs(config: RenderConfig, report: Callable[[JobResult, int], None]) -> list[JobResult]:
    """Render every video that is not there yet; a model is loaded once a process, if it is needed.

    Args:
        config: Settings; see `is_many`.
        report: Is told the result of every job when it is there, and the number of jobs.

    Returns:
        The results, in the order in which they came.

    Raises:
        UserError: If the list, the model or the device is bad, or Ray is not there; never because
            of one job.
    """
    # The list
    jobs = read_jobs(config)
    if not Path(config.out).suffix and not config.dry_run:
        make_folder(Path(config.out))

    # Job by job
    made: Iterable[JobResult]
    if config.engine == "ray" and not config.dry_run:
        from signgen.rendering.jobs.cluster import on_ray

        made = on_ray(config, jobs)
    else:
        made = map(Worker(config).run, jobs)
    results: list[JobResult] = []
    for result in made:
        results.append(result)
        report(result, len(jobs))
    return results
