"""What is known of the complete DeepFashion In-shop pose-transfer split, and how a copy compares.

The numbers were counted in published lists. The test pairs are closed: within the pictures they
use, they are all ordered pairs of the same person in the same garment, so the list can be rebuilt
from the pictures alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from signgen.data.deepfashion.keypoints import Frame, RawKeyPoints, has_torso
from signgen.data.deepfashion.layouts import SPLITS, Listing
from signgen.data.deepfashion.lists import ListedPair, ViewName
from signgen.data.preparation.dataset import Prepared

__all__ = [
    "DeepFashionReport",
    "Fact",
    "Pair",
    "keypoint_facts",
    "list_facts",
    "pairs_digest",
    "rebuild_pairs",
    "rebuilt_fact",
]

_IMAGES = {"train": 48_674, "test": 4_038}
_PAIRS = {"train": 101_966, "test": 8_570}
_USED = {"train": 37_016, "test": 3_144}  # pictures that the pairs use

Pair = tuple[ViewName, ViewName]


@dataclass(frozen=True)
class Fact:
    """One number of a copy beside that of the complete corpus.

    Args:
        found: Its number here; None where the file that tells it is absent.
        example: One of those that should not be, or of those that lack.
    """

    name: str
    found: int | None
    expected: int
    example: str = ""

    @property
    def fits(self) -> bool:
        """Whether the numbers agree; what is not known does not disagree."""
        return self.found in {None, self.expected}


@dataclass(frozen=True)
class DeepFashionReport:
    """What was found and what was made of it.

    Args:
        outside: Share of visible joints outside their pictures.
        pairs_left_out: Listed pairs that are not in the manifest although their record was asked
            for, by split.
        digests: SHA-256 of the sorted pairs in the manifest, by split.
    """

    layout: str
    root: Path
    frame: Frame
    outside: float
    facts: tuple[Fact, ...]
    pairs_left_out: Mapping[str, int]
    digests: Mapping[str, str]
    prepared: Prepared

    @property
    def damaged(self) -> bool:
        """Whether anything was left out because it is missing or damaged."""
        return bool(self.prepared.problems)

    @property
    def verdict(self) -> str:
        """Whether this is the complete corpus, in one sentence."""
        if different := [fact.name for fact in self.facts if not fact.fits]:
            names = ", ".join(different)
            return f"A part of the corpus, or another one; these differ: {names}."
        if self.damaged:
            return "The lists are complete, but some of what they name was left out."
        unknown = ", ".join(fact.name for fact in self.facts if fact.found is None)
        return "Complete: every known number fits." + (f" Not known: {unknown}." if unknown else "")

    def as_text(self) -> str:
        """Return the report as a table to read: found beside expected, then the verdict."""
        width = max(len(fact.name) for fact in self.facts)
        lines = [f"{self.root}: layout {self.layout}, key points in the frame {self.frame}", ""]
        lines.append(f"{'':<{width}}  {'found':>8}  {'complete':>8}")
        for fact in self.facts:
            found = "-" if fact.found is None else f"{fact.found:,}"
            example = f"  e.g. {fact.example}" if fact.example and not fact.fits else ""
            mark = "" if fact.fits else "  differs"
            lines.append(f"{fact.name:<{width}}  {found:>8}  {fact.expected:>8,}{mark}{example}")
        lines += ["", self.verdict]
        for split, counts in self.prepared.manifest.counts().items():
            text = ", ".join(f"{number:,} {name}" for name, number in counts.items())
            lines.append(f"{split}: {text} written; {self.pairs_left_out[split]:,} pairs left out")
        return "\n".join([*lines, str(self.prepared.path)])

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {
            "layout": self.layout,
            "root": str(self.root),
            "keypoint_frame": self.frame,
            "outside": round(self.outside, 6),
            "facts": [asdict(fact) | {"fits": fact.fits} for fact in self.facts],
            "verdict": self.verdict,
            "counts": self.prepared.manifest.counts(),
            "pairs_left_out": dict(self.pairs_left_out),
            "pairs_sha256": dict(self.digests),
            "problems": len(self.prepared.problems),
        }


def list_facts(listing: Listing) -> list[Fact]:
    """Compare the lists, from names alone."""
    facts = []
    for split in SPLITS:
        listed = listing.images.get(split)
        count = None if listed is None else len(listed)
        facts.append(Fact(f"pictures in {split}.lst", count, _IMAGES[split]))
    if len(listing.images) == len(SPLITS):
        names = Counter(name for listed in listing.images.values() for name in listed)
        twice = [name for name, count in names.items() if count > 1]
        total = sum(_IMAGES.values())
        facts.append(Fact("pictures in train.lst and test.lst", len(names), total))
        facts.append(_no("pictures listed twice", twice))
    used = {
        split: {name for pair in pairs for name in (pair.source, pair.target)}
        for split, pairs in listing.pairs.items()
    }
    for split, listed_pairs in listing.pairs.items():
        counts = Counter((pair.source, pair.target) for pair in listed_pairs)
        facts += [
            Fact(f"{split} pairs", len(counts), _PAIRS[split]),
            Fact(f"pictures in {split} pairs", len(used[split]), _USED[split]),
            _no(f"{split} pairs listed twice", sorted(p for p, n in counts.items() if n > 1)),
        ]
        if split in listing.images:
            strangers = sorted(used[split] - set(listing.images[split]))
            facts.append(_no(f"pictures of {split} pairs not in {split}.lst", strangers))
    # What follows from the law of the pairs
    if "test" in listing.pairs:
        pairs = {(pair.source, pair.target) for pair in listing.pairs["test"]}
        one_way = sorted(pair for pair in pairs if pair[::-1] not in pairs)
        lacking = sorted(set(_ordered_pairs(used["test"])) - pairs)
        facts.append(_no("test pairs without their reverse", one_way))
        facts.append(_no("test pairs lacking between their pictures", lacking))
    if len(used) == len(SPLITS):
        train, test = ({name.group for name in used[split]} for split in SPLITS)
        facts.append(_no("records in both splits", sorted(train & test)))
    return facts


def keypoint_facts(
    names: Collection[ViewName], pictures: Collection[ViewName], points: RawKeyPoints
) -> list[Fact]:
    """Compare the pictures that pairs name with those that are there, and with their key points."""
    rows, ordered = points.rows, sorted(names)
    torsoless = [name for name in ordered if name in rows and not has_torso(rows[name])]
    return [
        _no("missing pictures of pairs", [name for name in ordered if name not in pictures]),
        _no("pictures of pairs without key points", [name for name in ordered if name not in rows]),
        _no("pictures of pairs without shoulders and hips", torsoless),
    ]


def rebuild_pairs(images: Sequence[ViewName], points: RawKeyPoints, place: str) -> list[ListedPair]:
    """Make the pairs of a split by PATN's rule (its `create_pairs_dataset.py`).

    A picture is kept where both shoulders and both hips are detected; the pairs are all ordered
    pairs of kept pictures of the same person in the same garment.
    """
    usable = {name for name in images if name in points.rows and has_torso(points.rows[name])}
    return [ListedPair(source, target, place) for source, target in _ordered_pairs(usable)]


def rebuilt_fact(split: str, rebuilt: Sequence[ListedPair], listed: Sequence[ListedPair]) -> Fact:
    """Compare rebuilt pairs with the listed ones: the number in one of both only."""
    ours, theirs = ({(pair.source, pair.target) for pair in pairs} for pairs in (rebuilt, listed))
    return _no(f"{split} pairs rebuilt or listed, not both", sorted(ours ^ theirs))


def pairs_digest(pairs: Iterable[Pair]) -> str:
    """Return the SHA-256 of the sorted pairs, whatever the spelling of their names was."""
    lines = sorted(f"{source.nested},{target.nested}\n" for source, target in pairs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _ordered_pairs(names: Collection[ViewName]) -> list[Pair]:
    """Return all ordered pairs of different views within records."""
    groups: dict[str, list[ViewName]] = {}
    for name in sorted(names):
        groups.setdefault(name.group, []).append(name)
    return [pair for views in groups.values() for pair in permutations(views, 2)]


def _no(name: str, exceptions: Sequence[ViewName] | Sequence[Pair] | Sequence[str]) -> Fact:
    """Return that there should be none of these, with the first of them as an example."""
    first = exceptions[0] if exceptions else ""
    if isinstance(first, ViewName):
        first = first.nested
    elif isinstance(first, tuple):
        first = f"{first[0].nested} -> {first[1].nested}"
    return Fact(name, len(exceptions), 0, first)
