"""The exact engine: what depends on neither frame nor step is computed once, the rest overlaps.

It gives the frames of the plain path up to rounding; `docs/performance.md` says how much faster.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from queue import Full, Queue
from typing import TYPE_CHECKING, TypeVar, cast

from signgen.config.sampling import ResolvedSampling
from signgen.device import autocast
from signgen.structures import Conditioning, SourceFeatures

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from signgen.diffusion.samplers import Denoiser
    from signgen.models.attention import SourceMemory
    from signgen.models.base import PoseGuidedModel

__all__ = ["ahead", "denoiser", "remember"]

ItemT = TypeVar("ItemT")


def remember(model: PoseGuidedModel, source: SourceFeatures) -> SourceMemory | None:
    """Return an empty memory of a source for all chunks of a clip.

    Args:
        model: The model.
        source: Features of the source.

    Returns:
        None for models that have no use for it.
    """
    from signgen.models.attention import SourceMemory
    from signgen.models.base import RemembersSource

    return SourceMemory(source.tokens, source.maps) if isinstance(model, RemembersSource) else None


def denoiser(
    model: PoseGuidedModel,
    branches: Sequence[Conditioning],
    sampling: ResolvedSampling,
    device: torch.device,
    memory: SourceMemory | None = None,
) -> Denoiser:
    """Return the model with guidance, in the precision asked for.

    Args:
        model: The model, on the device.
        branches: Its branches, each for the same B samples.
        sampling: Precision and weights of guidance.
        device: Where it computes.
        memory: From `remember`; the plain path if not given.
    """
    from signgen.diffusion.guidance import guided, guided_together
    from signgen.models.base import RemembersSource

    # The plain path
    def denoise(z: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        with autocast(sampling.precision, device):
            return model.denoise(z, t, conditioning)

    if memory is None or not isinstance(model, RemembersSource):
        return guided(denoise, branches, sampling.guidance)

    # What the branches need once for all steps
    def prepare(needed: Sequence[Conditioning]) -> Denoiser:
        with autocast(sampling.precision, device):
            predict = model.denoiser(needed, memory)

        def denoise_together(z: Tensor, t: Tensor) -> Tensor:
            with autocast(sampling.precision, device):
                return predict(z, t)

        return denoise_together

    return guided_together(prepare, branches, sampling.guidance)


def ahead(items: Iterable[ItemT], most: int = 1) -> Iterator[ItemT]:
    """Yield items in order while a thread makes the next ones.

    Args:
        items: Made in the thread; whatever it raises is raised here in its place.
        most: Items that may wait.
    """
    waiting: Queue[tuple[ItemT | None, BaseException | None]] = Queue(most)
    stopped = threading.Event()

    def put(item: ItemT | None, error: BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(Full):
                waiting.put((item, error), timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put(item, None)
                if stopped.is_set():
                    return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield cast(ItemT, item)
    finally:
        stopped.set()
        thread.join()
