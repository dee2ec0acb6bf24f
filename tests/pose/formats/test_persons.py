"""Who the signer is: the same person throughout, and nobody where that person is not seen."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.pose.formats.checks import checked_sequence
from signgen.pose.formats.persons import Person, follow_signer, identity_of

SHOULDERS = 86.0


def person(x: float, *, identity: int | None = None, scale: float = 1.0) -> Person:
    """A person around (x, 200): shoulders 86 pixels apart, hands far below them."""
    rng = np.random.default_rng(1)
    points = rng.uniform((-60, -80), (60, 160), (133, 2))
    points[[5, 6]] = (SHOULDERS / 2, -40), (-SHOULDERS / 2, -40)
    return Person(points * scale + (x, 200), np.ones(133), identity)


def centres(frames: list[list[Person]]) -> list[float]:
    """Middle of the shoulders in every frame; -1 where the signer is not seen."""
    return [
        float(chosen.points[[5, 6], 0].mean()) if chosen.confidence.any() else -1.0
        for chosen in follow_signer(frames)
    ]


def test_a_missed_frame_does_not_make_the_neighbour_the_signer() -> None:
    signer, other = person(400, scale=1.1), person(760)
    frames = [[signer, other]] * 20 + [[other]] + [[other, signer]] * 20
    assert centres(frames) == pytest.approx([400] * 20 + [-1] + [400] * 20)


def test_a_ghost_of_another_size_is_nobody() -> None:
    signer, other, ghost = person(400, scale=1.1), person(760), person(430, scale=2.5)
    ghost = ghost._replace(confidence=ghost.confidence * 0.1)
    frames = [[signer, other]] * 5 + [[ghost]] + [[signer, other]] * 5
    assert centres(frames) == pytest.approx([400] * 5 + [-1] + [400] * 5)


def test_numbers_of_a_tracker_decide() -> None:
    frames = [
        [person(400 + 200 * t, identity=7, scale=1.1), person(700, identity=2)] for t in range(4)
    ]
    assert centres(frames) == pytest.approx([400, 600, 800, 1000]), "however far it goes"
    # The tracker lost the signer and took up a new number
    later = [[person(1010, identity=9, scale=1.1)], [person(980, identity=2, scale=1.1)]]
    assert centres(frames + later) == pytest.approx([400, 600, 800, 1000, 1010, -1])


def test_numbers_that_two_people_share_say_nothing() -> None:
    frames = [[person(400, identity=0, scale=1.1), person(760, identity=0)]] * 3
    assert centres([*frames, [person(760, identity=0)]]) == pytest.approx([400, 400, 400, -1])


def test_who_is_alone_may_jump() -> None:
    assert centres([[person(400)], [person(560)], [], [person(500)]]) == [400, 560, -1, 500]


@pytest.mark.parametrize(
    ("entry", "identity"),
    [
        ({"person_id": [-1]}, None),
        ({"person_id": [3]}, 3),
        ({"idx": 2.0}, 2),
        ({"idx": [[4]]}, 4),
        ({"track_id": 0, "idx": 5}, 0),
        ({"track_id": True}, None),
        ({"idx": "1"}, None),
        ({}, None),
    ],
)
def test_numbers_as_trackers_write_them(entry: dict[str, object], identity: int | None) -> None:
    assert identity_of(entry) == identity


@pytest.mark.parametrize(
    ("point", "confidence"), [((np.nan, 3), 1.0), ((2, np.nan), 0.0), ((2, 3), np.nan)]
)
def test_what_is_no_number_is_missing(point: tuple[float, float], confidence: float) -> None:
    points, scores = np.full((2, 133, 2), 5.0), np.ones((2, 133))
    points[1, 9], scores[1, 9] = point, confidence
    scores[0, 4] = -1.3e-5  # as some detectors round
    poses = checked_sequence(points, scores, "x", size=(10, 10), fps=25.0)
    assert np.argwhere(~poses.visible).tolist() == [[0, 4], [1, 9]]
    assert (poses.keypoints[~poses.visible] == 0).all()
