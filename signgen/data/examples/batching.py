"""Batches of examples, step by step and process by process, loaded in processes of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from signgen.data.examples.example import Example, collate
from signgen.data.examples.loading import TripletDataset
from signgen.structures import Batch, UserError

__all__ = ["batches"]


def batches(
    dataset: TripletDataset,
    *,
    start: int,
    steps: int,
    batch_size: int,
    rank: int = 0,
    world: int = 1,
    pin: bool = False,
) -> Iterator[Batch]:
    """Iterate over the batches of steps `start` .. `steps` - 1 of one process.

    Args:
        dataset: The examples.
        start: First step, the number of steps already done.
        steps: Steps in all.
        batch_size: Examples per step and process.
        rank: Number of this process.
        world: Number of processes.
        pin: Whether batches come in memory that a GPU reads by itself.

    Yields:
        Batches of `batch_size` examples; step `s` of rank `r` holds positions (s * world + r) *
        batch_size ...
    """
    positions = [
        (step * world + rank) * batch_size + i
        for step in range(start, steps)
        for i in range(batch_size)
    ]
    workers = dataset.config.workers
    if workers:
        # OpenCV's pool of threads does not survive a fork: a loader process would wait for it
        # forever. With one thread there is no pool.
        cv2.setNumThreads(1)
    loader = DataLoader(
        _Caught(dataset),
        batch_size=batch_size,
        sampler=positions,
        num_workers=workers,
        collate_fn=_collate_or_error,
        worker_init_fn=_serve if workers else None,
        pin_memory=pin,
    )
    for batch in loader:
        if isinstance(batch, UserError):
            raise batch
        yield batch


class _Caught(Dataset[Example | UserError]):
    """Returns the errors of its examples: raised in a loader process they become a traceback."""

    def __init__(self, dataset: TripletDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, position: int) -> Example | UserError:
        try:
            return self.dataset[position]
        except UserError as error:
            return error.with_traceback(None)


def _collate_or_error(examples: Sequence[Example | UserError]) -> Batch | UserError:
    errors = [example for example in examples if isinstance(example, UserError)]
    whole = [example for example in examples if isinstance(example, Example)]
    return errors[0] if errors else collate(whole)


def _serve(_: int) -> None:
    """Keep a loader process on one core, and alive when a whole group of processes is signalled.

    The arithmetic belongs to the training process, and so does the answer to a signal: it still
    needs examples to finish its step, and ends its loaders itself.
    """
    torch.set_num_threads(1)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):  # Windows has the first two
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
