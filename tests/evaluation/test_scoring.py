"""Clips that fail: nothing of them is in any score, the others are scored, and it is said."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.evaluation.clips import ClipPair, Failure, LazyClip
from signgen.evaluation.metric_choice import Slot
from signgen.evaluation.metrics import (
    FID,
    KID,
    PSNR,
    SSIM,
    FeatureExtractor,
    HandSSIM,
    KeypointDTW,
    KeypointError,
    Metric,
    motion_metrics,
)
from signgen.evaluation.metrics.keypoints.redetection import RememberingEstimator
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.report import COPY, GENERATED, PREVIOUS
from signgen.evaluation.scoring import Setup, evaluate_clips, evaluate_pairs
from signgen.pose.estimators import Box, Frame, Person
from signgen.structures import PoseSequence
from tests.material.tiny_estimators import WrittenPoints

SIZE = (80, 60)


def clip(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


def poses(count: int, skeleton: str = "coco-wholebody-133") -> PoseSequence:
    keypoints = np.full((count, 133, 2), 30, np.float32)
    return PoseSequence(keypoints, np.ones((count, 133), np.float32), skeleton, SIZE, 25)


def metrics() -> list[Metric]:
    mean = FeatureExtractor(lambda items: items.reshape(len(items), -1, 3).mean(1), "net:mean")
    return [SSIM(), HandSSIM(), FID(mean), KID(mean, size=4), *motion_metrics()]


def good(name: str, seed: int) -> ClipPair:
    return ClipPair(name, "S1", clip(7, seed), clip(7, seed + 1), poses(7))


def broken_after(frames: np.ndarray, count: int) -> Iterator[np.ndarray]:
    yield from frames[:count]
    raise UserError("frame.png is damaged: truncated. Copy it again.")


FAULTS = {
    "damaged": ClipPair("bad", "", broken_after(clip(9, 5), 6), clip(9, 6), poses(9)),
    "truth is damaged": ClipPair("bad", "", clip(9, 5), broken_after(clip(9, 6), 6), poses(9)),
    "9 generated frames, but 8": ClipPair("bad", "", clip(9, 5), clip(8, 6), poses(9)),
    "60 x 70": ClipPair("bad", "", clip(9, 5)[:, :70], clip(9, 6), poses(9)),
    "NaN": ClipPair("bad", "", np.full((9, *SIZE, 3), np.nan), clip(9, 6), poses(9)),
    "float32": ClipPair("bad", "", clip(9, 5) / np.float32(255), clip(9, 6), poses(9)),
    "skeleton body-18": ClipPair("bad", "", clip(9, 5), clip(9, 6), poses(9, "body-18")),
    "5 poses": ClipPair("bad", "", clip(9, 5), clip(9, 6), poses(5)),
    "needs the poses": ClipPair("bad", "", clip(9, 5), clip(9, 6)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_clip_that_fails_leaves_nothing_in_any_score(fault: str) -> None:
    bad = FAULTS[fault]
    if fault in {"damaged", "truth is damaged"}:  # an iterator is used up by one test
        streams = [broken_after(clip(9, 5), 6), clip(9, 6)]
        bad = ClipPair("bad", "", *(streams if fault == "damaged" else streams[::-1]), poses(9))
    report = evaluate_pairs([good("a", 1), bad, good("c", 3)], metrics(), chunk=2)
    alone = evaluate_pairs([good("a", 1), good("c", 3)], metrics(), chunk=2)
    assert report.metrics == alone.metrics
    assert report.per_clip == alone.per_clip
    (failed,) = report.failed
    assert failed.id == "bad"
    assert fault.removeprefix("truth is ") in failed.error
    assert "\n" not in failed.error


def test_the_error_of_the_only_clip_is_raised_itself() -> None:
    with pytest.raises(UserError, match=r"^clip bad: 9 generated frames"):
        evaluate_pairs([FAULTS["9 generated frames, but 8"]], metrics())
    bad = [ClipPair(name, "", clip(2, 1), clip(3, 1), poses(3)) for name in "xy"]
    with pytest.raises(UserError, match=r"none of 2 clips could be scored\. The first: clip x: 2"):
        evaluate_pairs(bad, metrics())


def test_errors_that_are_no_clip_s_own_stop_the_evaluation() -> None:
    def opening() -> ClipPair:
        raise UserError("no memory", ExitCode.UNAVAILABLE)

    with pytest.raises(UserError, match="no memory"):
        evaluate_pairs([good("a", 1), LazyClip("b", opening)], metrics())


def test_what_is_missing_from_the_start_is_listed_with_what_fails() -> None:
    setup = Setup([Slot("ssim", View(), SSIM())])
    bad = FAULTS["9 generated frames, but 8"]
    report = evaluate_clips([good("a", 1), bad], setup, failed=[Failure("z", "has no clip z")])
    assert [one.id for one in report.failed] == ["z", "bad"]
    assert ", 2 not scored" in report.table()


def test_systems_are_scored_on_the_same_clips_and_compared() -> None:
    truth = {name: clip(5, seed) for seed, name in enumerate("abc")}
    near = {name: np.clip(frames, 10, 245) for name, frames in truth.items()}
    clips = [
        ClipPair(name, "", near[name], truth[name], compared={"B": clip(5, 9)}) for name in "ab"
    ]
    clips.append(ClipPair("c", "", near["c"], truth["c"], compared={"B": clip(4, 9)}))
    slots = [Slot("psnr", View(), PSNR())]
    report = evaluate_clips(clips, Setup(slots, compared=("B",)))
    assert report.system_names == (GENERATED, "B", COPY, PREVIOUS)
    assert [clip.id for clip in report.per_clip] == ["a", "b"]
    assert all(clip.scores[name]["psnr"] for clip in report.per_clip for name in clip.scores)
    assert "clip c: 4 frames of B, but 5" in report.failed[0].error
    (comparison,) = report.comparisons
    expected = report.score("psnr").value - report.score("psnr", "B").value
    assert comparison.difference == pytest.approx(expected)
    assert [one.kind for one in report.systems] == [
        *("generated", "compared", "baseline", "baseline")
    ]


def test_frames_are_resized_for_each_view() -> None:
    large, small = clip(3, 1), clip(3, 2)[:, :40, :30].copy()
    slots = [
        Slot("large", View((90, 70), "opencv-cubic"), PSNR()),
        Slot("small", View((40, 30), "pillow-bicubic", "without-source"), PSNR()),
    ]
    report = evaluate_clips([ClipPair("a", "", large, small)], Setup(slots, protocol="cfld"))
    signature = report.score("large").signature
    assert "size:90x70" in signature
    assert "|resize:opencv-" in signature
    assert "|protocol:cfld|n:3|clips:1|list:ca978112ca1b|signgen:" in signature, "SHA-256 of a"
    assert report.score("small").n == 2
    assert "|frames:without-source|resize:pillow-" in report.score("small").signature


def test_a_single_picture_is_scored_where_first_frames_are_not() -> None:
    slots = [Slot("psnr", View(frames="without-source"), PSNR())]
    pair = ClipPair("a", "", clip(1, 1), clip(1, 2), source=clip(1, 3), still=True)
    assert evaluate_clips([pair], Setup(slots)).score("psnr").n == 1
    with pytest.raises(UserError, match="nothing to score in 1 clips"):
        evaluate_clips([ClipPair("a", "", clip(1, 1), clip(1, 2))], Setup(slots))


def test_every_frame_is_read_once() -> None:
    read = {"ours": 0, "truth": 0, "other": 0}

    def counted(name: str) -> Iterator[np.ndarray]:
        for frame in clip(37, 1):
            read[name] += 1
            yield frame

    pair = ClipPair("a", "", counted("ours"), counted("truth"), compared={"B": counted("other")})
    slots = [Slot("ssim", View(), SSIM()), Slot("psnr", View((40, 30)), PSNR())]
    evaluate_clips([pair], Setup(slots, compared=("B",)))
    assert read == {"ours": 37, "truth": 37, "other": 37}


def test_memory_does_not_grow_with_the_length_of_a_clip() -> None:
    def noise(count: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(1)
        for _ in range(count):
            yield rng.integers(0, 256, (*SIZE, 3), np.uint8)

    def peak(count: int) -> int:
        tracemalloc.start()
        evaluate_pairs([ClipPair("a", "", noise(count), noise(count))], [PSNR(), *motion_metrics()])
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(20)  # what is imported late
    assert peak(400) < 1.2 * peak(40)


class FailingOnce(WrittenPoints):
    """An estimator that cannot work on the second clip that it sees."""

    def estimate(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> Iterator[Person]:
        if self.clips == 1:
            self.clips += 1
            raise UserError("the estimator found nobody")
        return super().estimate(frames, boxes)


def test_an_estimator_that_fails_on_a_clip_fails_no_other_clip() -> None:
    estimator = RememberingEstimator(FailingOnce())
    metrics: list[Metric] = [SSIM(), KeypointError(estimator), KeypointDTW(estimator)]
    apart = poses(7)
    apart.keypoints[:, 5] += 9  # a shoulder: the distance of both is the unit
    clips = [replace(good(name, seed), poses=apart) for seed, name in enumerate("abc")]
    report = evaluate_pairs(clips, metrics, baselines=())
    (failed,) = report.failed
    assert (failed.id, failed.error) == ("b", "the estimator found nobody")
    assert [clip.id for clip in report.per_clip] == ["a", "c"]
    for clip in report.per_clip:
        assert None not in {clip.scores[GENERATED][name] for name in ("ssim", "keypoint_dtw")}


def test_distances_of_few_frames_are_reported_with_a_warning() -> None:
    extractor = FeatureExtractor(lambda frames: frames[:, 0, :8, 0].astype(np.float64), "net:test")
    (warning,) = evaluate_pairs([good("a", 1)], [FID(extractor)]).warnings
    assert warning.startswith(
        "fid_star is of 7 generated and 7 real items, not more than the 8 numbers"
    )
