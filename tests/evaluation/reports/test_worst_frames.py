"""The worst frames: which are kept, and what their sheets show."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from signgen.evaluation.reports.worst_frames import WorstFrame, WorstFrames, sheet, sheet_alt
from signgen.pose.drawing.draw import draw_pose
from signgen.structures import PoseSequence
from tests.material.sample_clips import sample_clip

SIZE = (65, 52)


def poses(count: int, size: tuple[int, int] = SIZE) -> PoseSequence:
    """Points that nobody sees, but the nose, whose x is the number of the frame."""
    keypoints = np.zeros((count, 133, 2), np.float32)
    keypoints[:, 0, 0] = np.arange(count)
    return PoseSequence(
        keypoints, np.zeros((count, 133), np.float32), "coco-wholebody-133", size, 5
    )


def numbered(count: int, offset: int) -> np.ndarray:
    """Frames whose grey level is their number plus an offset."""
    return np.stack([np.full((*SIZE, 3), t + offset, np.uint8) for t in range(count)])


def feed(worst: WorstFrames, clips: dict[str, np.ndarray], chunk: int) -> list[WorstFrame]:
    for name, values in clips.items():
        truth, generated = numbered(len(values), 0), numbered(len(values), 100)
        for start in range(0, len(values), chunk):
            part = slice(start, start + chunk)
            shown = poses(len(values)).frames(part)
            worst.update(name, start, values[part], truth[0], shown, truth[part], generated[part])
    return worst.frames


def test_the_worst_are_kept_in_order_with_their_own_pictures() -> None:
    clips = {"a": np.array([0.9, 0.1, 0.5, np.nan]), "b": np.array([0.4, 0.3])}
    frames = feed(WorstFrames("ssim", count=3), clips, chunk=2)
    assert [(one.clip, one.index, one.value) for one in frames] == [
        ("a", 1, 0.1),
        ("b", 1, 0.3),
        ("b", 0, 0.4),
    ]
    first = frames[0]
    assert (first.reference.max(), first.generated.max(), first.source.max()) == (1, 101, 0)
    assert first.poses.keypoints[:, 0, 0].tolist() == [1]


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_neither_chunks_nor_the_order_of_clips_change_anything(chunk: int) -> None:
    rng = np.random.default_rng(0)
    # Two decimals give many ties.
    clips = {name: rng.uniform(0, 0.1, 40).round(2) for name in ("b", "a", "c")}
    expected = sorted(
        (value, name, t) for name, values in clips.items() for t, value in enumerate(values)
    )
    frames = feed(WorstFrames("ssim"), clips, chunk)
    assert [(one.value, one.clip, one.index) for one in frames] == expected[:10]


def test_memory_does_not_hold_on_to_what_was_given() -> None:
    worst = WorstFrames("ssim", count=1)
    truth, generated = numbered(2, 0), numbered(2, 100)
    worst.update("a", 0, np.array([0.5, 0.6]), truth[0], None, truth, generated)
    truth[:], generated[:] = 9, 9
    (frame,) = worst.frames
    assert (frame.reference.max(), frame.generated.min()) == (0, 100)
    assert not any(np.shares_memory(frame.reference, array) for array in (truth, generated))


def test_no_values_find_nothing() -> None:
    worst, frames = WorstFrames("fid"), numbered(2, 0)
    worst.update("a", 0, np.full(2, np.nan), frames[0], None, frames, frames)
    assert worst.frames == []


def test_a_sheet_shows_source_pose_truth_and_generated_and_the_hands() -> None:
    clip = sample_clip(3)  # what was "generated" is an earlier frame
    shown, generated, pose = clip.frames[11], clip.frames[6], clip.poses.frames([11])
    frame = WorstFrame("hand_ssim", 0.25, "a", 11, clip.frames[0], pose, shown, generated)
    picture, (height, width) = sheet(frame, gap=6), shown.shape[:2]
    drawn = draw_pose(pose.keypoints[0], pose.confidence[0], pose.skeleton, (height, width))
    for place, expected in enumerate((clip.frames[0], drawn, shown, generated)):
        left = place * (width + 6)
        np.testing.assert_array_equal(picture[:height, left : left + width], expected)
    assert picture.shape == (height + 6 + width, 4 * width + 3 * 6, 3)
    assert sheet_alt(frame) == (
        "Left to right: source, pose, truth, generated. Below, enlarged: left hand, true and "
        "generated; right hand, true and generated."
    )
    bare = dataclasses.replace(frame, poses=None)
    assert sheet(bare, gap=0).shape == (height, 3 * width, 3)
    assert sheet_alt(bare) == (
        "Left to right: source, truth, generated. Without poses no hand is shown."
    )


def test_crops_are_centred_on_the_knuckles() -> None:
    truth = np.zeros((260, 208, 3), np.uint8)
    truth[100, 80] = 255
    sequence = poses(1, (520, 416))  # twice the frame: poses are scaled to it
    sequence.keypoints[0, 100], sequence.confidence[0, 100] = (160, 200), 1
    frame = WorstFrame("hand_ssim", 0.1, "a", 0, truth, sequence, truth, np.zeros_like(truth))
    below = sheet(frame, gap=0)[260:]
    assert below.shape == (208, 4 * 208, 3)
    row, column = np.unravel_index(below[:, :208, 0].argmax(), (208, 208))
    assert max(abs(row - 104), abs(column - 104)) <= 3
    assert below[:, 208:416].max() == 0, "the generated crop is black"
    assert below[:, 416:].min() == 255, "the right hand is unknown, so nothing is shown"
    assert "left hand" in sheet_alt(frame)
    assert "right hand" not in sheet_alt(frame)
    sequence.confidence[0, 100] = 0
    assert sheet_alt(frame).endswith("generated. No hand is known here.")
    # Frames of a few pixels have no crops.
    tiny, sequence.confidence[0, 100] = np.zeros((2, 8, 3), np.uint8), 1
    frame = WorstFrame("psnr", 10.0, "a", 0, tiny, sequence, tiny, tiny)
    assert sheet(frame, gap=0).shape == (2, 4 * 8, 3)
