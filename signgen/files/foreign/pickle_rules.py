"""What one kind of file may hold: the names that it may use, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Calls", "Persistent", "Rules"]

Calls = Mapping[tuple[str, str], Callable[[tuple[Any, ...]], object]]
"""What a (module, name) of the file stands for, as a function of the arguments."""


def _nothing(_: str, __: str) -> bool:
    return False


@dataclass(frozen=True)
class Rules:
    """What one kind of file may hold.

    Args:
        calls: The names that stand for something.
        purpose: What such files are, in the plural, for messages.
        described: Which other (module, name) may be there: calling one makes a `Described`, which
            nobody can run.
        persistent: Whether the file may refer to storages.
        keys: Types of the keys of dictionaries.
        attributes: Whether dictionaries may have attributes too, which are left out.
    """

    calls: Calls
    purpose: str
    described: Callable[[str, str], bool] = _nothing
    persistent: bool = False
    keys: tuple[type, ...] = (str,)
    attributes: bool = False


class Persistent:
    """A reference from torch's stream to a storage, by a tuple that describes it."""

    def __init__(self, value: tuple[Any, ...]) -> None:
        self.id = value
