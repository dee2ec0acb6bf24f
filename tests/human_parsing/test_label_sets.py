"""Label sets: their tables against published listings, mirrors and regions."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.human_parsing.label_sets import LABEL_SETS, label_set_of_names
from signgen.structures import UserError

# Written out by number, as the labels of the sets are published
REGIONS = {
    "lip-20": {
        "face": {13, 4, 2, 1},
        "cloth": {5, 6, 7, 9, 10, 11, 12, 8, 18, 19, 3},
        "body": {14, 15, 16, 17},
    },
    "cihp-20": {
        "face": {13, 4, 2, 1},
        "cloth": {5, 6, 7, 9, 11, 12, 8, 18, 19, 3},
        "body": {10, 14, 15, 16, 17},
    },
    "atr-18": {
        "face": {11, 3, 2, 1},
        "cloth": {4, 5, 6, 7, 8, 9, 10, 17},
        "body": {12, 13, 14, 15},
    },
    "deepfashion-24": {
        "face": {14, 8, 13, 7, 22},
        "cloth": {1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 18, 19, 21, 23},
        "body": {15, 16, 17, 20},
    },
    "fashn-18": {
        "face": {1, 2, 9, 11},
        "cloth": {3, 4, 5, 6, 7, 10, 15},
        "body": {12, 14, 16, 17},
        "hands": {13},
    },
    "signgen-10": {"face": {1, 2}, "cloth": {4, 9}, "body": {3, 5, 6}, "hands": {7, 8}},
}


@pytest.mark.parametrize("name", LABEL_SETS)
def test_regions_are_those_of_the_published_numbers(name: str) -> None:
    labelled = LABEL_SETS[name]
    assert len(labelled.labels) == int(name.rpartition("-")[2])
    names = tuple(labelled.regions)
    numbers = np.arange(len(labelled.labels), dtype=np.uint8)[None]
    regions = labelled.in_regions(numbers, names)[0]
    assert {
        region: set(np.flatnonzero(regions == place).tolist())
        for place, region in enumerate(names, 1)
    } == REGIONS[name]


def test_hands_are_body_where_no_region_is_theirs() -> None:
    hand = np.array([[7, 5, 1]], np.uint8)
    ours = LABEL_SETS["signgen-10"]
    assert ours.in_regions(hand, ("face", "body", "hands")).tolist() == [[3, 2, 1]]
    assert ours.in_regions(hand, ("face", "body")).tolist() == [[2, 2, 1]]
    assert ours.in_regions(hand, ("face",)).tolist() == [[0, 0, 1]]
    with pytest.raises(UserError, match="lip-20 has no region hands; it has face, cloth, body"):
        LABEL_SETS["lip-20"].in_regions(hand, ("face", "hands"))


def test_a_mirror_swaps_left_and_right() -> None:
    lip = LABEL_SETS["lip-20"]
    labels = np.array([[14, 16, 18, 13], [0, 15, 17, 19]], np.uint8)
    assert lip.mirrored(labels).tolist() == [[13, 19, 17, 15], [18, 16, 14, 0]]
    for labelled in LABEL_SETS.values():
        every = np.arange(len(labelled.labels), dtype=np.uint8)[None]
        np.testing.assert_array_equal(labelled.mirrored(labelled.mirrored(every)), every)
    assert LABEL_SETS["signgen-10"].mirrored(np.array([[7]], np.uint8)).item() == 8


def test_a_network_is_known_by_the_names_of_its_labels() -> None:
    atr = [
        *("Background", "Hat", "Hair", "Sunglasses", "Upper-clothes", "Skirt", "Pants", "Dress"),
        *("Belt", "Left-shoe", "Right-shoe", "Face", "Left-leg", "Right-leg", "Left-arm"),
        *("Right-arm", "Bag", "Scarf"),
    ]
    assert label_set_of_names(atr, "net").name == "atr-18"
    # CIHP and LIP differ in one name
    lip = list(LABEL_SETS["lip-20"].labels)
    assert label_set_of_names(lip, "net").name == "lip-20"
    lip[10] = "Torso-skin"
    assert label_set_of_names(lip, "net").name == "cihp-20"
    for names in (atr[::-1], [f"LABEL_{number}" for number in range(20)]):
        with pytest.raises(UserError, match=r"net has \d+ labels .* expected those of one of lip-"):
            label_set_of_names(names, "net")
