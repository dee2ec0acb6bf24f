"""Which frames of a stream count: those that are new, or a random choice."""

from __future__ import annotations

import copy
import hashlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["NewFrames", "Sample"]


class NewFrames:
    """Tells frames that came before, by content: 16 bytes are remembered of each."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def __deepcopy__(self, memo: dict[int, object]) -> NewFrames:
        """Return an independent copy."""
        other = NewFrames()
        other._seen = set(self._seen)
        return other

    def among(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return those of (T, H, W, 3) frames that have not come before."""
        chosen = []
        for place, frame in enumerate(frames):
            key = hashlib.blake2b(frame.tobytes(), digest_size=16).digest()
            if key not in self._seen:
                self._seen.add(key)
                chosen.append(place)
        return frames[chosen]


class Sample:
    """A uniform random choice of at most `size` items of a stream, in their order.

    They are kept in float32. Every item draws a number, and those with the smallest stay. Draws
    follow the order of the items, so the parts that they come in change nothing.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._random = size, np.random.default_rng(seed)
        self._items: list[NDArray[np.float32]] = []
        self._draws: NDArray[np.float64] = np.zeros(0)
        self.count = 0

    def __deepcopy__(self, memo: dict[int, object]) -> Sample:
        """Return an independent copy; items are never changed, so they are shared."""
        other = copy.copy(self)
        other._random, other._items = copy.deepcopy(self._random), list(self._items)
        return other

    def add(self, items: NDArray[np.float64]) -> None:
        """Take (N, D) items."""
        self.count += len(items)
        self._items += [item.astype(np.float32) for item in items]
        self._draws = np.concatenate([self._draws, self._random.random(len(items))])
        if len(self._items) > self._size:
            kept = np.sort(np.argsort(self._draws, kind="stable")[: self._size])
            self._items = [self._items[place] for place in kept]
            self._draws = self._draws[kept]

    def features(self) -> NDArray[np.float64]:
        """Return the (M, D) items kept, M at least 1."""
        return np.stack(self._items).astype(np.float64)
