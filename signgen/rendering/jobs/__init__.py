"""Many videos with one model: a list of jobs, of which a bad one never stops the rest."""

from __future__ import annotations

from signgen.rendering.jobs.listing import is_many, read_jobs
from signgen.rendering.jobs.running import render_jobs
from signgen.rendering.jobs.worker import JobResult, as_json

__all__ = ["JobResult", "as_json", "is_many", "read_jobs", "render_jobs"]
