"""Hands and face painted in windows: where they are, and what they may never change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from signgen.config.autoencoder import DecoderConfig
from signgen.models.guided.decoder import GuidedDecoder
from signgen.models.guided.windows import FACE, HANDS, WindowPainter, find_windows
from signgen.pose.skeleton import HAND_POINTS, HAND_ROOT
from signgen.pose.transforms import flip
from signgen.structures import Guide, PoseSequence, UserError, Windows

SIZE = (120, 100)
PLACES = {"left": (70.0, 60.0), "right": (25.0, 40.0)}


def poses(**sizes: float) -> PoseSequence:
    """Return one pose with nothing but hands, as large as given."""
    points, confidence = np.zeros((1, 133, 2), np.float32), np.zeros((1, 133), np.float32)
    rng = np.random.default_rng(0)
    for side, size in sizes.items():
        hand = slice(HAND_ROOT[side], HAND_ROOT[side] + HAND_POINTS)
        points[0, hand] = np.array(PLACES[side]) + size * rng.uniform(-0.5, 0.5, (21, 2))
        confidence[0, hand] = 1
    return PoseSequence(points, confidence, "coco-wholebody-133", SIZE, 25.0)


def found(sequence: PoseSequence) -> Windows:
    windows = find_windows(sequence)
    assert windows is not None
    return windows


def guide_of(sequence: PoseSequence, seed: int = 0) -> Guide:
    generator = torch.Generator().manual_seed(seed)
    source, warped = (torch.rand(1, 3, *SIZE, generator=generator) * 2 - 1 for _ in range(2))
    masks = torch.rand(1, 3, *SIZE, generator=generator)
    return Guide(warped, source, torch.ones(1, 1, *SIZE), masks, found(sequence))


@pytest.fixture
def painter() -> WindowPainter:
    torch.manual_seed(0)
    made = WindowPainter((8, 8, 8), HANDS)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return made.eval()


def test_a_window_holds_its_hand_with_room_around_it() -> None:
    sequence = poses(left=20, right=30)
    for hand, side in enumerate(PLACES):
        left, top, length = found(sequence).squares[0, hand].tolist()
        root = HAND_ROOT[side]
        points = sequence.keypoints[0, root : root + HAND_POINTS]
        assert (points > (left + 2, top + 2)).all()
        assert (points < (left + length - 3, top + length - 3)).all()
        assert length < 2 * np.ptp(points, axis=0).max()


def test_a_hand_that_is_missing_or_outside_has_no_window() -> None:
    assert found(poses(right=20)).squares[0, :, 2].tolist()[0] == 0
    outside = poses(right=20)
    far = replace(outside, keypoints=outside.keypoints + np.float32(500))
    assert not found(far).squares.any()
    body = PoseSequence(np.zeros((1, 17, 2)), np.zeros((1, 17)), "coco-17", SIZE, 25.0)
    assert find_windows(body) is None


def test_a_fist_seen_from_the_front_still_has_a_window_of_some_size() -> None:
    assert int(found(poses(right=1)).squares[0, 1, 2]) == round(24 / 208 * 100)


def test_left_hands_are_drawn_as_right_hands_in_the_mirror() -> None:
    sequence = poses(left=20, right=30)
    straight, mirrored = found(sequence), found(flip(sequence))
    assert torch.equal(straight.drawn[:, 0], mirrored.drawn[:, 1])
    assert torch.equal(straight.drawn[:, 1], mirrored.drawn[:, 0])
    assert float(straight.drawn.amax()) > 0.5


def test_a_mirrored_picture_gets_mirrored_hands(painter: WindowPainter) -> None:
    sequence = poses(left=20, right=30)
    guide = guide_of(sequence)
    other = replace(guide.mapped(lambda plane: plane.flip(-1)), windows=found(flip(sequence)))
    with torch.no_grad():
        made, again = painter(guide.source, guide), painter(other.source, other)
    assert not torch.allclose(made, guide.source)
    assert torch.allclose(made, again.flip(-1), atol=1e-5)


def test_nothing_changes_outside_of_windows_or_where_nothing_moved(painter: WindowPainter) -> None:
    guide = guide_of(poses(right=30))
    moved = guide.moved.clone()
    moved[..., 45:, :] = 0
    guide = replace(guide, moved=moved)
    with torch.no_grad():
        made = painter(guide.source, guide)
    left, top, side = guide.windows.squares[0, 1].tolist()  # type: ignore[union-attr]
    inside = torch.zeros(SIZE, dtype=torch.bool)
    inside[max(0, top) : top + side, max(0, left) : left + side] = True
    changed = (made != guide.source).any(dim=1)[0]
    assert changed[max(0, top) + 8 : 40, max(0, left) + 8 : left + side - 8].all()
    assert not changed[~inside].any()
    assert not changed[45:].any()


def test_a_window_beyond_the_edge_is_cut(painter: WindowPainter) -> None:
    sequence = poses(left=20, right=30)
    corner = replace(sequence, keypoints=sequence.keypoints - np.float32((25, 40)))
    guide = guide_of(corner)
    with torch.no_grad():
        made = painter(guide.source, guide)
    assert made.shape == guide.source.shape
    assert bool((made != guide.source).any())


def test_frames_do_not_see_each_other(painter: WindowPainter) -> None:
    guides = [guide_of(poses(left=20, right=30)), guide_of(poses(right=24), seed=1)]
    both = Guide.cat(guides)
    with torch.no_grad():
        together = painter(both.source, both)
        alone = torch.cat([painter(guide.source, guide) for guide in guides])
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_face_has_a_window_too() -> None:
    sequence = poses(right=20)
    points, confidence = sequence.keypoints.copy(), sequence.confidence.copy()
    points[0, 23:91] = np.random.default_rng(1).uniform((40, 10), (60, 35), (68, 2))
    confidence[0, 23:91] = 1
    seen = replace(sequence, keypoints=points, confidence=confidence)
    left, top, side = found(seen).squares[0, FACE].tolist()
    assert left < 40
    assert top < 10
    assert left + side > 60
    guide = guide_of(seen)
    torch.manual_seed(0)
    painter = WindowPainter((8, 8, 8), (FACE,))
    with torch.no_grad():
        made = painter(guide.source, guide)
    changed = (made != guide.source).any(dim=1)[0]
    assert changed[15:30, 45:55].all()
    assert not changed[50:].any()


def test_windows_are_needed(painter: WindowPainter) -> None:
    guide = replace(guide_of(poses(right=20)), windows=None)
    with pytest.raises(ValueError, match="no windows"):
        painter(guide.source, guide)


@pytest.mark.parametrize("channels", [(8, 8), (8,) * 7])
def test_windows_are_halved_a_fitting_number_of_times(channels: tuple[int, ...]) -> None:
    config = DecoderConfig(kind="guided", channels=(8, 8, 8), hand_channels=channels)
    with pytest.raises(UserError, match="expected 3 to 6"):
        GuidedDecoder(config, 4, 8)
