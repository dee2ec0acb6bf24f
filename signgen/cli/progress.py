"""Progress on stderr: count, rate and time left; nothing where stderr is no terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["bar", "counter", "frame_counter"]

ItemT = TypeVar("ItemT")


def bar(unit: str) -> Callable[[Iterable[ItemT], int], Iterable[ItemT]]:
    """Return a function that shows the progress of an iteration on a terminal."""

    def wrap(items: Iterable[ItemT], total: int) -> Iterable[ItemT]:
        from tqdm import tqdm

        shown: Iterable[ItemT] = tqdm(
            items, total=total, unit=unit, file=sys.stderr, disable=not sys.stderr.isatty()
        )
        return shown

    return wrap


@contextlib.contextmanager
def counter(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, in all) that shows progress on a terminal."""
    from tqdm import tqdm

    with tqdm(unit=unit, file=sys.stderr, disable=not sys.stderr.isatty()) as shown:

        def show(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield show


@contextlib.contextmanager
def frame_counter() -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (frames done, clips begun) that shows frames per second on a terminal."""
    from tqdm import tqdm

    with tqdm(unit="frame", file=sys.stderr, disable=not sys.stderr.isatty()) as shown:

        def show(frames: int, clip: int) -> None:
            shown.set_description(f"clip {clip}", refresh=False)
            shown.update(frames - shown.n)

        yield show
