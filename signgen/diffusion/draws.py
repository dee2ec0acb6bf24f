"""Random draws of training: inside `drawing`, every sample of a batch has a generator of its own.

So what a sample is given depends on its number in the run alone, not on the process, micro-batch or
batch that it lies in. Elsewhere draws come from torch's global generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["drawing", "dropout", "normal", "of_clips", "uniform"]

_generators: ContextVar[list[torch.Generator] | None] = ContextVar("generators", default=None)


@contextmanager
def drawing(seed: int, numbers: Sequence[int], device: torch.device | str) -> Iterator[None]:
    """Inside the block, draw for the samples of one batch.

    Args:
        seed: Seed of the run, at least 0.
        numbers: (B,) numbers of the samples, at least 0.
        device: Where draws are wanted; the numbers drawn on a GPU are not those of the CPU.
    """
    # SeedSequence mixes: the generator of the CPU looks at 32 bits of its seed only
    seeds = [
        int(np.random.SeedSequence((seed, n)).generate_state(1, np.uint64)[0]) for n in numbers
    ]
    token = _generators.set([torch.Generator(device).manual_seed(one) for one in seeds])
    try:
        yield
    finally:
        _generators.reset(token)


def normal(like: Tensor) -> Tensor:
    """Return standard normal draws of the shape, type and place of `like`, (B, ...)."""
    return _draw(torch.randn, like)


def uniform(like: Tensor) -> Tensor:
    """Return uniform draws in [0, 1) of the shape, type and place of `like`, (B, ...)."""
    return _draw(torch.rand, like)


def dropout(x: Tensor, probability: float) -> Tensor:
    """Zero values of x (B, ...) at random and scale the others by 1 / (1 - probability)."""
    if probability == 0 or _generators.get() is None:
        return F.dropout(x, probability)
    kept = uniform(x.detach().float()) >= probability
    return x * kept.to(x.dtype) / max(1 - probability, torch.finfo(x.dtype).tiny)


def of_clips(drawn: Tensor, frames: int) -> Tensor:
    """Return draws (B, ...) in which all frames of a clip have what its first one drew.

    Args:
        drawn: One after the other, B = clips x frames.
        frames: Frames of a clip.
    """
    return drawn[::frames].repeat_interleave(frames, dim=0)


def _draw(draw: Callable[..., Tensor], like: Tensor) -> Tensor:
    generators = _generators.get()
    if generators is None:
        return draw(like.shape, dtype=like.dtype, device=like.device)
    if len(generators) != len(like):
        raise ValueError(f"draws for {len(like)} samples; expected {len(generators)}, the batch")
    drawn = [
        draw(like.shape[1:], generator=generator, dtype=like.dtype, device=like.device)
        for generator in generators
    ]
    return torch.stack(drawn)  # (B, ...)
