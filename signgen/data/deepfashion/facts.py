"""What is known of the complete DeepFashion In-shop pose-transfer split, and how a copy compares.

The numbers were counted in published lists. The test pairs are closed: within the pictures they
use, they are all ordered pairs of the same person in the same garment, so the list can be rebuilt
from the pictures alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from signgen.data.deepfashion.keypoints import RawKeyPoints, has_torso
from signgen.data.deepfashion.layouts import SPLITS, Listing
from signgen.data.deepfashion.lists import ListedPair
from signgen.data.deepfashion.names import ViewName

__all__ = [
    "Fact",
    "by_group",
    "keypoint_facts",
    "list_facts",
    "ordered_pairs",
    "pairs_digest",
    "rebuild_pairs",
    "rebuilt_fact",
]

IMAGES = {"train": 48_674, "test": 4_038}
PAIRS = {"train": 101_966, "test": 8_570}
USED = {"train": 37_016, "test": 3_144}
"""Pictures in the lists, ordered pairs, and pictures that these use."""


@dataclass(frozen=True)
class Fact:
    """One number of a copy beside that of the complete corpus.

    Args:
        name: What is counted.
        found: Its number here; None where the file that tells it is absent.
        expected: Its number in the complete corpus.
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


def by_group(names: Iterable[ViewName]) -> dict[str, list[ViewName]]:
    """Sort views into records, both in order."""
    groups: dict[str, list[ViewName]] = {}
    for name in sorted(set(names)):
        groups.setdefault(name.group, []).append(name)
    return groups


def ordered_pairs(names: Iterable[ViewName]) -> list[tuple[ViewName, ViewName]]:
    """Return all ordered pairs of different views within records."""
    groups = by_group(names).values()
    return [pair for views in groups for pair in permutations(views, 2)]


def pairs_digest(pairs: Iterable[tuple[ViewName, ViewName]]) -> str:
    """Return the SHA-256 of the sorted pairs, whatever the spelling of their names was."""
    lines = sorted(f"{source.nested},{target.nested}\n" for source, target in pairs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _views(pairs: Iterable[ListedPair]) -> set[ViewName]:
    return {name for pair in pairs for name in (pair.source, pair.target)}


def _shown(pairs: Collection[tuple[ViewName, ViewName]]) -> str:
    return "; ".join(f"{a.nested} -> {b.nested}" for a, b in sorted(pairs)[:1])


def list_facts(listing: Listing) -> list[Fact]:
    """Compare the lists, from names alone.

    Args:
        listing: Lists of pairs and pictures.
    """
    images = listing.images
    facts = [
        Fact(f"pictures in {split}.lst", _size(images.get(split)), IMAGES[split])
        for split in SPLITS
    ]
    if len(images) == len(SPLITS):
        listed = [name for names in images.values() for name in names]
        twice = [name for name, count in Counter(listed).items() if count > 1]
        facts.append(
            Fact("pictures in train.lst and test.lst", len(set(listed)), sum(IMAGES.values()))
        )
        facts.append(Fact("pictures listed twice", len(twice), 0, _first(twice)))
    for split, pairs in listing.pairs.items():
        used = _views(pairs)
        different = {(pair.source, pair.target) for pair in pairs}
        counts = Counter((pair.source, pair.target) for pair in pairs)
        twice_listed = [pair for pair, count in counts.items() if count > 1]
        facts += [
            Fact(f"{split} pairs", len(different), PAIRS[split]),
            Fact(f"pictures in {split} pairs", len(used), USED[split]),
            Fact(f"{split} pairs listed twice", len(twice_listed), 0, _shown(twice_listed)),
        ]
        if split in images:
            strange = sorted(used - set(images[split]))
            facts.append(
                Fact(
                    f"pictures of {split} pairs not in {split}.lst",
                    len(strange),
                    0,
                    _first(strange),
                )
            )
    return facts + _closure_facts(listing.pairs)


def _closure_facts(listed: Mapping[str, Sequence[ListedPair]]) -> list[Fact]:
    """Compare what follows from the law of the pairs."""
    facts = []
    if "test" in listed:
        pairs = {(pair.source, pair.target) for pair in listed["test"]}
        one_way = {pair for pair in pairs if pair[::-1] not in pairs}
        lacking = set(ordered_pairs(_views(listed["test"]))) - pairs
        facts = [
            Fact("test pairs without their reverse", len(one_way), 0, _shown(one_way)),
            Fact("test pairs lacking between their pictures", len(lacking), 0, _shown(lacking)),
        ]
    groups = [{name.group for name in _views(pairs)} for pairs in listed.values()]
    if len(groups) == len(SPLITS):
        shared = sorted(groups[0] & groups[1])
        facts.append(Fact("records in both splits", len(shared), 0, "".join(shared[:1])))
    return facts


def keypoint_facts(
    names: Collection[ViewName], pictures: Collection[ViewName], points: RawKeyPoints
) -> list[Fact]:
    """Compare pictures and key points with the names in pairs.

    Args:
        names: Pictures that pairs name.
        pictures: Pictures that are there.
        points: Their key points.
    """
    absent = sorted(name for name in names if name not in pictures)
    bare = sorted(name for name in names if name not in points.rows)
    torsoless = sorted(
        name for name in names if name in points.rows and not has_torso(points.rows[name])
    )
    return [
        Fact("missing pictures of pairs", len(absent), 0, _first(absent)),
        Fact("pictures of pairs without key points", len(bare), 0, _first(bare)),
        Fact("pictures of pairs without shoulders and hips", len(torsoless), 0, _first(torsoless)),
    ]


def rebuild_pairs(images: Sequence[ViewName], points: RawKeyPoints, place: str) -> list[ListedPair]:
    """Make the pairs of a split by PATN's rule (its `create_pairs_dataset.py`).

    A picture is kept where both shoulders and both hips are detected; the pairs are all ordered
    pairs of kept pictures of the same person in the same garment.

    Args:
        images: Pictures of the split.
        points: Key points of those that have any.
        place: What to call the origin of the pairs.
    """
    kept = [name for name in images if name in points.rows and has_torso(points.rows[name])]
    return [ListedPair(source, target, place) for source, target in ordered_pairs(kept)]


def rebuilt_fact(split: str, rebuilt: Sequence[ListedPair], listed: Sequence[ListedPair]) -> Fact:
    """Compare rebuilt pairs with the listed ones: the number in one of both only."""
    one = {(pair.source, pair.target) for pair in rebuilt}
    other = {(pair.source, pair.target) for pair in listed}
    return Fact(
        f"{split} pairs rebuilt or listed, not both", len(one ^ other), 0, _shown(one ^ other)
    )


def _size(names: Sequence[ViewName] | None) -> int | None:
    return None if names is None else len(names)


def _first(names: Sequence[ViewName]) -> str:
    return names[0].nested if names else ""
