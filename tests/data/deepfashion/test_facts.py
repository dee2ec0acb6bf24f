"""The known numbers of the corpus, on generated lists of its true size."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from signgen.data.deepfashion.facts import list_facts, rebuild_pairs, rebuilt_fact
from signgen.data.deepfashion.keypoints import RawKeyPoints
from signgen.data.deepfashion.layouts import LAYOUTS, Listing, Tree, read_listing
from signgen.data.deepfashion.lists import CATEGORIES, ViewName

TAGS = (("1", "front"), ("2", "side"), ("3", "back"), ("4", "full"), ("7", "additional"))
# Sizes of groups: the counted ones for test; for train the smallest mix of 2, 3 and 4 that gives
# both the number of pictures and that of pairs.
SIZES = {"train": {2: 1, 3: 3026, 4: 6984}, "test": {4: 502, 3: 265, 2: 68, 5: 41}}
UNUSED = {"train": 48_674 - 37_016, "test": 894}


def group(number: int, count: int, split: str) -> list[ViewName]:
    gender = ("MEN", "WOMEN")[number % 2]
    variant = {"train": "01", "test": "02"}[split]
    category = CATEGORIES[number % 17]
    return [ViewName(gender, category, f"{number:08d}", variant, *tag) for tag in TAGS[:count]]


def used(split: str) -> list[list[ViewName]]:
    counts = [size for size, groups in SIZES[split].items() for _ in range(groups)]
    return [group(number, count, split) for number, count in enumerate(counts)]


def unused(split: str) -> list[ViewName]:
    """Pictures alone in their group: they make no pair."""
    return [group(50_000 + number, 1, split)[0] for number in range(UNUSED[split])]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lists as NTED has them, with the true numbers, and no picture."""
    folder = tmp_path_factory.mktemp("lists")
    for split in SIZES:
        groups = used(split)
        names = [name for names in groups for name in names] + unused(split)
        (folder / f"{split}.lst").write_text("".join(f"{name.flat()}.jpg\n" for name in names))
        lines = []
        for names in groups:
            for target in names:
                sources = [f"{name.nested}.jpg" for name in names if name != target]
                together = [sources] if split == "train" else [[source] for source in sources]
                lines += [",".join([f"{target.nested}.jpg", *part]) for part in together]
        (folder / f"{split}_pairs.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def listing(root: Path) -> Listing:
    return read_listing(Tree(root, LAYOUTS["nted"]))


def odd(listing: Listing) -> dict[str, tuple[int | None, str]]:
    return {f.name: (f.found, f.example) for f in list_facts(listing) if not f.fits}


def changed(listing: Listing, change: slice | list[int]) -> Listing:
    pairs = listing.pairs["test"]
    test = [pairs[i] for i in change] if isinstance(change, list) else pairs[change]
    return Listing({**listing.pairs, "test": test}, listing.images, listing.files, [])


def test_complete_lists_fit_every_known_number(root: Path, listing: Listing) -> None:
    assert len((root / "test_pairs.txt").read_text().splitlines()) == 8_570
    assert len((root / "train_pairs.txt").read_text().splitlines()) == 37_016
    assert not listing.problems
    assert odd(listing) == {}
    facts = {fact.name: fact.found for fact in list_facts(listing)}
    assert facts["pictures in train.lst and test.lst"] == 52_712
    assert (facts["train pairs"], facts["test pairs"]) == (101_966, 8_570)
    assert (facts["pictures in train pairs"], facts["pictures in test pairs"]) == (37_016, 3_144)


def test_removed_pair_is_noticed_and_named(listing: Listing) -> None:
    gone = listing.pairs["test"][4321]
    found = odd(changed(listing, [i for i in range(8_570) if i != 4321]))
    assert found["test pairs"][0] == 8_569
    assert found["test pairs without their reverse"] == (
        1,
        f"{gone.target.nested} -> {gone.source.nested}",
    )
    assert found["test pairs lacking between their pictures"] == (
        1,
        f"{gone.source.nested} -> {gone.target.nested}",
    )


def test_repeated_pair_is_noticed_and_named(listing: Listing) -> None:
    again = listing.pairs["test"][77]
    found = odd(changed(listing, [*range(8_570), 77]))
    assert found == {
        "test pairs listed twice": (1, f"{again.source.nested} -> {again.target.nested}")
    }


def test_record_in_both_splits_is_noticed(listing: Listing) -> None:
    moved = Listing(
        {**listing.pairs, "train": [*listing.pairs["train"], listing.pairs["test"][0]]},
        {**listing.images, "train": [*listing.images["train"], listing.images["test"][0]]},
        listing.files,
        [],
    )
    found = odd(moved)
    assert found["records in both splits"] == (1, listing.pairs["test"][0].source.group)
    assert found["pictures listed twice"] == (1, listing.images["test"][0].nested)


def test_pairs_rebuilt_from_the_lists_are_the_listed_ones(listing: Listing) -> None:
    rows = np.ones((18, 2))
    points = RawKeyPoints((), {n: rows for names in listing.images.values() for n in names}, {})
    for split, count in (("train", 101_966), ("test", 8_570)):
        rebuilt = rebuild_pairs(listing.images[split], points, split)
        assert len(rebuilt) == count
        assert rebuilt_fact(split, rebuilt, listing.pairs[split]).found == 0


def test_picture_without_hips_makes_no_pair() -> None:
    names = group(1, 4, "test")
    whole, hipless = np.ones((18, 2)), np.ones((18, 2))
    hipless[[8, 11]] = -1
    rows = dict.fromkeys(names, whole) | {names[2]: hipless}
    rebuilt = rebuild_pairs(names, RawKeyPoints((), rows, {}), "x")
    expected = set(permutations([names[0], names[1], names[3]], 2))
    assert {(pair.source, pair.target) for pair in rebuilt} == expected
