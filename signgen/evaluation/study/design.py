"""What raters are shown and asked: items, pairs and scales.

After practice in the evaluation of signing avatars: what was understood is asked for, not only
whether it was, beside ratings of understandability and naturalness (Huenerfauth et al. 2008, ACM
TACCESS 1(1)); no human signer is shown beside what is rated, since that lowers subjective ratings
of everything else (Kacorri et al. 2013).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

__all__ = ["SCALES", "Item", "Pair", "Scale", "items_of", "pairs_of"]


@dataclass(frozen=True)
class Scale:
    """A question with five answers.

    Args:
        name: What it is called in the ratings.
        question: What is asked.
        low: What 1 means.
        high: What 5 means.
    """

    name: str
    question: str
    low: str
    high: str


SCALES = (
    Scale("comprehensibility", "How well could you understand it?", "not at all", "completely"),
    Scale("naturalness", "How natural is the movement?", "like a machine", "like a person"),
    Scale("handshape", "How clear are the handshapes?", "not recognisable", "all clear"),
)


@dataclass(frozen=True)
class Item:
    """A video that is rated.

    Args:
        id: Its name on the page, which says nothing of it.
        system: What made it.
        clip: Which clip it is.
        path: Where its frames are.
    """

    id: str
    system: str
    clip: str
    path: Path


@dataclass(frozen=True)
class Pair:
    """Two videos of one clip, of which the better is asked for; sides are drawn for each rater."""

    id: str
    items: tuple[str, str]


def items_of(clips: Mapping[str, Mapping[str, Path]], seed: int) -> list[Item]:
    """Return an item for every system's video of every clip.

    Args:
        clips: Paths by system, by clip.
        seed: Makes the names on the page.
    """
    return [
        Item(_hidden(f"{seed}/{clip}/{system}"), system, clip, path)
        for clip, systems in clips.items()
        for system, path in systems.items()
    ]


def pairs_of(items: Sequence[Item], seed: int) -> list[Pair]:
    """Return a pair for any two systems' videos of every clip."""
    return [
        Pair(_hidden(f"{seed}/{one.id}/{other.id}"), (one.id, other.id))
        for one, other in combinations(items, 2)
        if one.clip == other.clip
    ]


def _hidden(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]
