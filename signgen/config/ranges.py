"""What a number among the settings may be, as a part of its type. Imports no torch.

`Share` is `float` to Python and to the command line; `out_of_range` reads the rest of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, get_args, get_type_hints

__all__ = [
    "Count",
    "Decay",
    "Factor",
    "Natural",
    "NotNegative",
    "Positive",
    "Rate",
    "Seed",
    "Share",
    "out_of_range",
]


@dataclass(frozen=True)
class _Range:
    """Numbers from `least` to `most`, without the ends that are open, and what to call them."""

    words: str
    least: float = 0
    most: float = math.inf
    open_least: bool = False
    open_most: bool = False

    def holds(self, value: float) -> bool:
        low = value > self.least if self.open_least else value >= self.least
        return low and (value < self.most if self.open_most else value <= self.most)


Count = Annotated[int, _Range("at least 1", 1)]
Natural = Annotated[int, _Range("0 or more")]
Seed = Annotated[int, _Range("0 to 4294967295", 0, 2**32 - 1)]
NotNegative = Annotated[float, _Range("0 or more", open_most=True)]
Positive = Annotated[float, _Range("more than 0", open_least=True, open_most=True)]
Rate = Annotated[float, _Range("0.01 to 1000 frames per second", 0.01, 1000)]
Share = Annotated[float, _Range("a share, 0 to 1", 0, 1)]
Decay = Annotated[float, _Range("0 or more, less than 1", 0, 1, open_most=True)]
Factor = Annotated[float, _Range("more than 0, at most 1", 0, 1, open_least=True)]


def out_of_range(config: Any, prefix: str = "") -> Iterator[str]:
    """Yield what no setting can be, as `data.workers is -1; expected 0 or more`.

    Args:
        config: Settings, with groups of settings among them.
        prefix: What the names begin with.
    """
    hints = get_type_hints(type(config), include_extras=True)
    for field in fields(config):
        value, name = getattr(config, field.name), prefix + field.name
        if is_dataclass(value):
            yield from out_of_range(value, f"{name}.")
            continue
        allowed = _range(hints[field.name])
        several = isinstance(value, tuple | list)
        numbers = value if several else () if value is None else (value,)
        if allowed is not None and not all(map(allowed.holds, numbers)):
            yield f"{name} is {list(value) if several else value}; expected {allowed.words}"


def _range(hint: Any) -> _Range | None:
    """Return the range within a type, such as that of the items of a tuple."""
    for part in (*getattr(hint, "__metadata__", ()), *get_args(hint)):
        found = part if isinstance(part, _Range) else _range(part)
        if found is not None:
            return found
    return None
