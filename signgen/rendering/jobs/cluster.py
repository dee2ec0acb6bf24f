"""Jobs on a cluster: Ray runs a worker a GPU, gives each the next job, and starts lost ones again.

There is no scheduler of our own. All machines see the same files under the same paths, the folder
that the command is given in among them.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from typing import Any, TextIO

from signgen.config.render import RenderConfig
from signgen.errors import ExitCode, UserError
from signgen.files.paths import one_line
from signgen.rendering.jobs.worker import JobResult, Worker
from signgen.rendering.warp import WARP

__all__ = ["on_ray"]

TRIES = 3
"""Times that a job is begun whose worker dies, so that one which kills them all comes to an end."""
STORE = 128 << 20
"""Bytes of Ray's store of objects on this machine: results are small."""


class RemoteWorker(Worker):
    """A worker in a process of its own, perhaps on another machine.

    Args:
        config: Settings that the jobs have in common.
        folder: Where the command was given, which relative paths start from.
    """

    def __init__(self, config: RenderConfig, folder: str) -> None:
        super().__init__(config)
        os.chdir(folder)


def on_ray(config: RenderConfig, jobs: Sequence[RenderConfig]) -> Iterator[JobResult]:
    """Render jobs on the cluster of the environment (`RAY_ADDRESS`), else on this machine.

    Args:
        config: Settings that the jobs have in common.
        jobs: All of them.

    Yields:
        The result of every job as it comes, in any order.

    Raises:
        UserError: If Ray is not installed or not reached (69), or the model is bad.
    """
    with redirect_stdout(_OwnThread(sys.stdout)):
        yield from _on(_connected(), config, jobs)


class _OwnThread(io.TextIOBase):
    """Standard output for the thread that makes it; what Ray's write there is no result."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.owner = stream, threading.get_ident()

    def write(self, text: str) -> int:
        own = threading.get_ident() == self.owner
        return (self.stream if own else sys.stderr).write(text)

    def flush(self) -> None:
        self.stream.flush()


def _on(ray: Any, config: RenderConfig, jobs: Sequence[RenderConfig]) -> Iterator[JobResult]:
    """Yield the results of jobs from a cluster."""
    try:
        actors = _actors(ray, config, len(jobs))
        waiting, free = list(reversed(jobs)), list(actors)
        running: dict[Any, tuple[Any, RenderConfig]] = {}
        while waiting or running:
            # Everybody has something to do
            while waiting and free:
                actor, job = free.pop(), waiting.pop()
                running[actor.run.remote(job)] = (actor, job)

            # Whoever is ready first
            done, _ = ray.wait(list(running), num_returns=1)
            actor, job = running.pop(done[0])
            free.append(actor)
            yield _result(ray, done[0], job)
    finally:
        ray.shutdown()


def _connected() -> Any:
    """Return Ray, connected."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UserError(
            "--engine ray needs Ray, which is not installed: pip install 'signgen[ray]'.",
            ExitCode.UNAVAILABLE,
        ) from error
    address = os.environ.get("RAY_ADDRESS")
    here = {} if address else {"include_dashboard": False, "object_store_memory": STORE}
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        _check_reachable(address)
        ray.init(address=address, logging_level="error", log_to_driver=False, **here)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"Ray at {address or 'this machine'} cannot be reached: {one_line(error)}. Check "
            "RAY_ADDRESS, or start Ray there: ray start --head.",
            ExitCode.UNAVAILABLE,
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, terminated)  # Ray has one of its own
    return ray


def _check_reachable(address: str | None) -> None:
    """Raise `OSError` at once where nobody listens; Ray itself tries for minutes."""
    host, _, port = (address or "").rpartition("//")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def _actors(ray: Any, config: RenderConfig, jobs: int) -> list[Any]:
    """Start workers: one a GPU, or without any one a machine, or as many as are asked for."""
    resources = ray.cluster_resources()
    gpus = 0 if config.model == WARP or config.device == "cpu" else int(resources.get("GPU", 0))
    machines = sum(node["Alive"] for node in ray.nodes())
    count = min(config.workers or gpus or machines, jobs)
    # A worker without a GPU computes on its share of the cores
    cores = 1 if gpus else max(1, int(resources.get("CPU", 1)) // count)
    kind = ray.remote(RemoteWorker).options(
        num_cpus=cores,
        num_gpus=1 if gpus else 0,
        max_restarts=-1,
        max_task_retries=TRIES - 1,
    )
    return [kind.remote(config, os.getcwd()) for _ in range(count)]


def _result(ray: Any, reference: Any, job: RenderConfig) -> JobResult:
    """Return what came of a job, also where its workers died."""
    try:
        result: JobResult = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        # Raised by the worker: not because of the job
        raise (error.cause if isinstance(error.cause, UserError) else error) from None
    except ray.exceptions.RayError as error:
        text = f"the worker died {TRIES} times: {one_line(error)}"
        return JobResult(job.out, job.poses, "failed", int(ExitCode.UNEXPECTED), text)
    return result
