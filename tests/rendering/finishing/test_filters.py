"""The filter over time: still pixels get calm, hands, face and motion stay as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from signgen.rendering.finishing.filters import signing_area, steady
from tests.material.sample_clips import sample_clip


def flickering(frames: np.ndarray) -> list[np.ndarray]:
    """Add grain, and a brightness that changes from frame to frame."""
    random = np.random.default_rng(0)
    grain = random.normal(0, 3, frames.shape) + random.normal(0, 3, (len(frames), 1, 1, 1))
    return list((frames + grain).round().clip(0, 255).astype(np.uint8))


def test_still_pixels_are_calm_and_signing_is_untouched() -> None:
    clip = sample_clip(0, 8)
    frames = flickering(clip.frames)
    calm = list(steady(iter(frames), clip.poses))
    still = np.abs(np.diff(clip.frames.astype(int), axis=0)).max(axis=-1) == 0
    before, after = (
        np.abs(np.diff(np.stack(x).astype(int), axis=0))[still] for x in (frames, calm)
    )
    assert after.mean() < 0.35 * before.mean()
    for index in range(1, 8):
        area = signing_area(clip.poses, index, clip.poses.size)
        assert 0.02 < area.mean() < 0.6
        for points in (slice(91, 112), slice(112, 133)):
            for x, y in clip.poses.keypoints[index, points][clip.poses.visible[index, points]]:
                inside = 0 <= x < area.shape[1] and 0 <= y < area.shape[0]
                assert not inside or area[int(y), int(x)]
        assert np.array_equal(calm[index][area], frames[index][area])


def test_what_moves_much_is_untouched() -> None:
    poses = sample_clip(0, 2).poses
    poses = replace(poses, confidence=np.zeros_like(poses.confidence))
    dark = np.full((*poses.size, 3), 60, np.uint8)
    light = dark.copy()
    light[50:100, 50:100] = 160
    _, second = steady([dark, light], poses)
    assert np.array_equal(second[55:95, 55:95], light[55:95, 55:95])


def test_going_on_is_the_same() -> None:
    clip = sample_clip(0, 6)
    frames = flickering(clip.frames)
    whole = list(steady(iter(frames), clip.poses))
    rest = list(steady(iter(frames[3:]), clip.poses, start=3, previous=whole[2]))
    assert np.array_equal(whole[3:], rest)
