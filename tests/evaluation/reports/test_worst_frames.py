"""The worst frames: which are kept, and what their sheets show."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from signgen.data.synthetic.clip import render_clip
from signgen.evaluation.reports.worst_frames import WorstFrame, WorstFrames, sheet, sheet_alt
from signgen.pose.drawing.draw import draw_pose
from signgen.structures import PoseSequence

SIZE = (65, 52)
KNUCKLES = (100, 121)


def poses(count: int) -> PoseSequence:
    keypoints = np.zeros((count, 133, 2), np.float32)
    keypoints[:, KNUCKLES[0]], keypoints[:, KNUCKLES[1]] = (15, 30), (38, 40)
    keypoints[:, 0, 0] = np.arange(count)
    confidence = np.ones((count, 133), np.float32)
    return PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25)


def numbered(count: int, offset: int) -> np.ndarray:
    """Frames whose grey level is their number plus an offset."""
    return np.stack([np.full((*SIZE, 3), t + offset, np.uint8) for t in range(count)])


def feed(worst: WorstFrames, clips: dict[str, np.ndarray], chunk: int) -> None:
    for name, values in clips.items():
        truth, generated = numbered(len(values), 0), numbered(len(values), 100)
        sequence = poses(len(values))
        for start in range(0, len(values), chunk):
            part = slice(start, start + chunk)
            worst.update(
                name,
                start,
                values[part],
                truth[0],
                sequence.frames(part),
                truth[part],
                generated[part],
            )


def found(worst: WorstFrames) -> list[tuple[str, int, float]]:
    return [(frame.clip, frame.index, frame.value) for frame in worst.frames()]


def test_the_worst_are_kept_in_order_with_their_own_pictures() -> None:
    worst = WorstFrames("ssim", count=3)
    feed(worst, {"a": np.array([0.9, 0.1, 0.5, np.nan]), "b": np.array([0.4, 0.3])}, chunk=2)
    assert found(worst) == [("a", 1, 0.1), ("b", 1, 0.3), ("b", 0, 0.4)]
    frame = worst.frames()[0]
    assert frame.reference.max() == 1
    assert frame.generated.max() == 101
    assert frame.source.max() == 0
    assert frame.poses.keypoints[:, 0, 0].tolist() == [1]


def test_of_an_error_the_largest_values_are_the_worst() -> None:
    worst = WorstFrames("l1", higher_is_better=False, count=2)
    feed(worst, {"a": np.array([3.0, 1.0, 7.0])}, chunk=3)
    assert found(worst) == [("a", 2, 7.0), ("a", 0, 3.0)]


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_neither_chunks_nor_the_order_of_clips_change_anything(chunk: int) -> None:
    rng = np.random.default_rng(0)
    # Two decimals give many ties.
    clips = {name: rng.uniform(0, 0.1, 40).round(2) for name in ("b", "a", "c")}
    expected = sorted(
        (value, name, t) for name, values in clips.items() for t, value in enumerate(values)
    )[:10]
    worst = WorstFrames("ssim")
    feed(worst, clips, chunk)
    assert [(v, c, t) for c, t, v in found(worst)] == expected


def test_memory_does_not_hold_on_to_what_was_given() -> None:
    worst = WorstFrames("ssim", count=1)
    truth, generated = numbered(2, 0), numbered(2, 100)
    worst.update("a", 0, np.array([0.5, 0.6]), truth[0], None, truth, generated)
    truth[:], generated[:] = 9, 9
    (frame,) = worst.frames()
    assert (frame.reference.max(), frame.generated.min()) == (0, 100)
    assert not any(np.shares_memory(frame.reference, array) for array in (truth, generated))


def test_metrics_without_values_per_frame_find_nothing() -> None:
    worst = WorstFrames("fid")
    worst.update("a", 0, None, numbered(1, 0)[0], None, numbered(2, 0), numbered(2, 0))
    worst.update("a", 2, np.full(2, np.nan), numbered(1, 0)[0], None, *[numbered(2, 0)] * 2)
    assert worst.frames() == ()


def test_unequal_numbers_are_refused() -> None:
    frames = numbered(2, 0)
    with pytest.raises(ValueError, match=r"are \[3, 2, 2, 2\] frames"):
        WorstFrames("ssim").update("a", 0, np.zeros(3), frames[0], poses(2), frames, frames)
    with pytest.raises(ValueError, match=r"the source \(1, 65, 52, 3\)"):
        WorstFrames("ssim").update("a", 0, np.zeros(2), frames[:1], None, frames, frames)


# ----- sheets -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn() -> WorstFrame:
    """A drawn signer; what was "generated" is the frame before."""
    clip = render_clip(3, 1, 12)
    return WorstFrame(
        metric="hand_ssim",
        value=0.25,
        clip="a",
        index=11,
        source=clip.frames[0],
        poses=clip.poses.frames([11]),
        reference=clip.frames[11],
        generated=clip.frames[6],
    )


def test_a_sheet_shows_source_pose_truth_and_generated_and_the_hands(drawn: WorstFrame) -> None:
    picture = sheet(drawn, gap=6)
    height, width = drawn.reference.shape[:2]
    columns = [
        picture[:height, left : left + width] for left in range(0, 4 * (width + 6), width + 6)
    ]
    skeleton = drawn.poses.skeleton
    pose = draw_pose(drawn.poses.keypoints[0], drawn.poses.confidence[0], skeleton, (height, width))
    for column, expected in zip(
        columns, (drawn.source, pose, drawn.reference, drawn.generated), strict=True
    ):
        np.testing.assert_array_equal(column, expected)
    assert picture.shape == (height + 6 + width, 4 * width + 3 * 6, 3)
    assert sheet_alt(drawn) == (
        "Left to right: source, pose, truth, generated. Below, enlarged: left hand, true and "
        "generated; right hand, true and generated."
    )


def test_crops_are_centred_on_the_knuckles() -> None:
    truth = np.zeros((260, 208, 3), np.uint8)
    truth[100, 80] = 255
    sequence = PoseSequence(
        np.zeros((1, 133, 2), np.float32),
        np.zeros((1, 133), np.float32),
        "coco-wholebody-133",
        (520, 416),  # twice the frame: poses are scaled to it
        25,
    )
    sequence.keypoints[0, 100], sequence.confidence[0, 100] = (160, 200), 1
    frame = WorstFrame("hand_ssim", 0.1, "a", 0, truth, sequence, truth, np.zeros_like(truth))
    below = sheet(frame, gap=0)[260:]
    assert below.shape == (208, 4 * 208, 3)
    row, column = np.unravel_index(below[:, :208, 0].argmax(), (208, 208))
    assert abs(row - 104) <= 3
    assert abs(column - 104) <= 3
    assert below[:, 208:416].max() == 0, "the generated crop is black"
    assert below[:, 416:].min() == 255, "the right hand is unknown, so nothing is shown"
    assert "left hand" in sheet_alt(frame)
    assert "right hand" not in sheet_alt(frame)
    sequence.confidence[0, 100] = 0
    assert sheet_alt(frame).endswith("generated. No hand is known here.")


def test_without_poses_there_is_neither_pose_nor_hand(drawn: WorstFrame) -> None:
    bare = dataclasses.replace(drawn, poses=None)
    height, width = bare.reference.shape[:2]
    assert sheet(bare, gap=0).shape == (height, 3 * width, 3)
    assert sheet_alt(bare) == (
        "Left to right: source, truth, generated. Without poses no hand is shown."
    )


def test_frames_of_a_few_pixels_have_no_crops() -> None:
    tiny = np.zeros((2, 8, 3), np.uint8)
    frame = WorstFrame("psnr", 10.0, "a", 0, tiny, poses(1), tiny, tiny)
    assert sheet(frame, gap=0).shape == (2, 4 * 8, 3)
