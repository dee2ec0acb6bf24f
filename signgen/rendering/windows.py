"""Windows of frames for models with motion: where they lie in a video, and how they join.

They lie by the numbers of frames alone, and each is sampled as one batch, so that neither the size
of chunks nor where a rendering goes on changes a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from signgen.config.model import MotionConfig

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["joined", "windows"]


def windows(motion: MotionConfig, count: int, start: int = 0) -> Iterator[range]:
    """Yield the windows of a video, in order; the last one may be shorter.

    Args:
        motion: Frames of a window, and of what two of them share: at most half a window.
        count: Frames of the video.
        start: First frame that is wanted; windows that do not touch it are left out.
    """
    stride = motion.window - motion.overlap
    first = max(0, (start - motion.overlap) // stride) * stride
    # What is left begins with the frames that the window before has too
    for begin in range(first, max(1, count - motion.overlap), stride):
        yield range(begin, min(begin + motion.window, count))


def joined(sampled: Iterable[tuple[range, Tensor]], overlap: int) -> Iterator[tuple[range, Tensor]]:
    """Fade the latents of each window into those of the next, and yield what is done.

    Args:
        sampled: Numbers of the frames of each window, and their latents (B, C, h, w).
        overlap: Frames that two windows share.

    Yields:
        Numbers and latents of frames that no further window shares, every frame once. Of the first
        window those that one before it shares are as it has them.
    """
    held: Tensor | None = None
    begin = 0
    for indices, made in sampled:
        ready = max(0, len(indices) - overlap)
        latents = made if held is None else _faded(held, made)
        yield indices[:ready], latents[:ready]
        begin, held = indices[ready:].start, latents[ready:]
    if held is not None and len(held):
        yield range(begin, begin + len(held)), held


def _faded(first: Tensor, second: Tensor) -> Tensor:
    """Return the second latents (B, C, h, w), whose beginning the first ones fade into."""
    import torch

    count = len(first)
    share = torch.arange(1, count + 1, device=first.device) / (count + 1)
    begun = torch.lerp(first, second[:count], share.view(-1, 1, 1, 1))
    return torch.cat([begun, second[count:]])
