"""Clips beside systems and baselines: what is shown of them, and what one that fails leaves."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.evaluation.clips import Clip, Failure
from signgen.evaluation.metric_choice import FRAME_METRICS, Measurement, named_metrics
from signgen.evaluation.metrics.features.distribution import fid, fvd, kid
from signgen.evaluation.metrics.keypoints.hand_points import EstimatedHands, GivenHands
from signgen.evaluation.metrics.keypoints.keypoint_error import keypoint_metrics
from signgen.evaluation.metrics.keypoints.pose_error import hand_pe
from signgen.evaluation.metrics.networks import FeatureExtractor
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.report import COPY, GENERATED, PREVIOUS, WARPED, Report
from signgen.evaluation.scoring import evaluate_clips
from signgen.pose.estimators import Box, Frame, Person
from signgen.rendering.warp import WarpRenderer
from signgen.structures import PoseSequence
from tests.material.paper_doll import REST, paper_doll
from tests.material.scoring import opened
from tests.material.tiny_estimators import BrightCells, WrittenPoints

SIZE = (80, 60)
MOTION = ("flicker", "brightness_jitter", "second_difference", "tcd")
NATIVE, SCORED = View(), View(frames="without-source")


def clip(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


def poses(count: int, skeleton: str = "coco-wholebody-133") -> PoseSequence:
    keypoints = np.full((count, 133, 2), 30, np.float32)
    return PoseSequence(keypoints, np.ones((count, 133), np.float32), skeleton, SIZE, 25)


def score(*clips: Clip, metrics: Sequence[str] = ("psnr",), view: View = NATIVE, **more) -> Report:
    return evaluate_clips(opened(*clips), named_metrics(metrics, view), **more)


# ----- what metrics are shown ---------------------------------------------------------------------


def test_the_baselines_are_the_source_and_the_frame_before() -> None:
    frames = clip(4)
    copies = {COPY: frames[[0, 0, 0, 0]], PREVIOUS: frames[[0, 0, 1, 2]]}
    for system, copied in copies.items():
        for chunk in (1, 3, 16):
            direct = score(Clip("a", "", copied, frames), metrics=("ssim", "psnr"), chunk=chunk)
            for metric in ("ssim", "psnr"):
                assert direct.score(metric).value == direct.score(metric, system).value
    assert direct.score("psnr", COPY).value != direct.score("psnr", PREVIOUS).value


@pytest.mark.parametrize("count", [1, 3])
def test_a_source_that_is_given_is_copied(count: int) -> None:
    frames, source = clip(3), clip(count, 9)
    copied = Clip("a", "", np.broadcast_to(source, frames.shape)[1:], frames[1:])
    for chunk in (1, 2, 16):
        report = score(Clip("a", "", frames, frames, source=source), view=SCORED, chunk=chunk)
        assert report.score("psnr").n == 2
        assert report.score("psnr", COPY).value == score(copied).score("psnr").value


@pytest.mark.parametrize("chunk", [1, 2, 7, 100])
def test_chunks_do_not_change_scores_or_hashes(chunk: int) -> None:
    """Of all frames and of those without the source, of which the first has none before it."""
    mean = FeatureExtractor(lambda items: items.reshape(len(items), -1, 3).mean(1), "net:mean")
    measurements = [
        *named_metrics(("ssim", *MOTION), NATIVE),
        *(Measurement(f"{name}_scored", FRAME_METRICS[name], SCORED) for name in ("ssim", *MOTION)),
        Measurement("fvd", fvd(mean), NATIVE),
        Measurement("fvd_scored", fvd(mean), SCORED),
    ]
    clips = opened(Clip("a", "", clip(40, 1), clip(40, 2)), Clip("b", "", clip(19, 3), clip(19, 4)))
    found, expected = (evaluate_clips(clips, measurements, chunk=n) for n in (chunk, 16))
    assert found.per_clip[0].generated_sha256 == expected.per_clip[0].generated_sha256
    for one, other in zip(found.metrics, expected.metrics, strict=True):
        assert (one.value, one.n) == (pytest.approx(other.value, abs=1e-12), other.n)
    shorter = opened(*(Clip(n, "", clip(c, s)[1:], clip(c, s + 1)[1:]) for n, c, s in CLIPS))
    without = evaluate_clips(shorter, measurements, baselines=())
    for name in ("ssim", "fvd", *MOTION):
        ours = found.score(f"{name}_scored")
        assert (ours.value, ours.n) == (
            pytest.approx(without.score(name).value, abs=1e-12),
            without.score(name).n,
        )


CLIPS = (("a", 40, 1), ("b", 19, 3))


def test_frames_are_resized_for_each_view() -> None:
    large, small = clip(3, 1), clip(3, 2)[:, :40, :30].copy()
    psnr = FRAME_METRICS["psnr"]
    measurements = [
        Measurement("large", psnr, View((90, 70), "opencv-cubic")),
        Measurement("small", psnr, View((40, 30), "pillow-bicubic", "without-source")),
    ]
    report = evaluate_clips(opened(Clip("a", "", large, small)), measurements, protocol="cfld")
    signature = report.score("large").signature
    assert "size:90x70" in signature
    assert "|resize:opencv-" in signature
    assert "|protocol:cfld|n:3|clips:1|list:ca978112ca1b|signgen:" in signature, "SHA-256 of a"
    assert report.score("small").n == 2
    assert "|frames:without-source|resize:pillow-" in report.score("small").signature


def test_a_single_picture_is_scored_where_first_frames_are_not() -> None:
    picture = Clip("a", "", clip(1, 1), clip(1, 2), source=clip(1, 3), still=True)
    assert score(picture, view=SCORED).score("psnr").n == 1
    with pytest.raises(UserError, match="nothing to score in 1 clips"):
        score(Clip("a", "", clip(1, 1), clip(1, 2)), view=SCORED)


def test_the_padding_of_odd_videos_is_cut() -> None:
    reference = clip(2)[:, :79]
    padded = np.pad(reference, ((0, 0), (0, 1), (0, 0), (0, 0)), mode="edge")
    assert score(Clip("a", "", padded, reference)).score("psnr").value == pytest.approx(100)


def test_every_frame_is_read_once() -> None:
    read = {"ours": 0, "truth": 0, "other": 0}

    def counted(name: str) -> Iterator[np.ndarray]:
        for frame in clip(37, 1):
            read[name] += 1
            yield frame

    frames = Clip("a", "", counted("ours"), counted("truth"), compared={"B": counted("other")})
    measurements = named_metrics(("ssim",), NATIVE) + named_metrics(("psnr",), View((40, 30)))
    evaluate_clips(opened(frames), measurements, compared={"B": "others/B"})
    assert read == {"ours": 37, "truth": 37, "other": 37}


def test_features_of_the_truth_are_computed_once_for_all_systems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from signgen.evaluation.metrics import warping

    calls: list[int] = []
    plain = warping.motion_back

    def counted(*frames: np.ndarray):
        calls.append(1)
        return plain(*frames)

    monkeypatch.setattr(warping, "motion_back", counted)
    report = score(Clip("a", "", clip(5, 1), clip(5, 2)), metrics=("warping_error",), chunk=2)
    assert len(calls) == 4
    assert report.score("warping_error", COPY).n == report.score("warping_error").n


def test_memory_does_not_grow_with_the_length_of_a_clip() -> None:
    def noise(count: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(1)
        for _ in range(count):
            yield rng.integers(0, 256, (*SIZE, 3), np.uint8)

    def peak(count: int) -> int:
        tracemalloc.start()
        score(Clip("a", "", noise(count), noise(count)), metrics=("psnr", *MOTION))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(20)  # what is imported late
    assert peak(400) < 1.2 * peak(40)


# ----- the source, warped -------------------------------------------------------------------------


def doll_clip(**changes: object) -> tuple[Clip, np.ndarray]:
    """A clip of dolls, and the first of them moved to the poses."""
    doll = paper_doll()
    raised = [doll.posed(REST + np.array([[0, angle, angle], [0, 0, 0]])) for angle in (0, 20, 40)]
    poses = replace(
        raised[0],
        keypoints=np.concatenate([one.keypoints for one in raised]),
        confidence=np.concatenate([one.confidence for one in raised]),
    )
    moved = np.stack(list(WarpRenderer().render(doll.picture, poses, signer=doll.poses)))
    truth = np.clip(moved, 8, 247)
    return replace(Clip("a", "", truth[::-1], truth, poses), **changes), moved


@pytest.mark.parametrize("chunk", [1, 2, 16])
def test_the_warp_is_the_first_true_frame_moved_to_the_true_poses(chunk: int) -> None:
    clip_, _ = doll_clip()
    truth = np.asarray(clip_.reference)
    signer = clip_.poses.frames([0])
    moved = np.stack(list(WarpRenderer().render(truth[0], clip_.poses, signer=signer)))
    expected = score(replace(clip_, generated=moved)).score("psnr").value
    found = score(clip_, baselines=(COPY, WARPED), chunk=chunk)
    assert found.score("psnr", WARPED).value == expected
    assert found.score("psnr", COPY).value < expected


def test_a_source_that_is_given_is_moved_by_its_own_key_points() -> None:
    doll, larger = paper_doll(), paper_doll(scale=2)
    clip_, moved = doll_clip(source=[doll.picture], source_poses=doll.poses)
    expected = score(replace(clip_, generated=moved)).score("psnr").value
    assert score(clip_, baselines=(WARPED,)).score("psnr", WARPED).value == expected
    of_another_size = replace(clip_, source=[larger.picture], source_poses=larger.poses)
    found = score(of_another_size, baselines=(COPY, WARPED))
    assert found.score("psnr", WARPED).value > found.score("psnr", COPY).value
    with pytest.raises(UserError, match="signer is not given"):
        score(replace(clip_, source_poses=None), baselines=(WARPED,))


def test_where_the_source_shows_no_key_points_the_warp_is_a_copy() -> None:
    clip_, _ = doll_clip()
    confidence = clip_.poses.confidence.copy()
    confidence[0] = 0
    blind = replace(clip_, poses=replace(clip_.poses, confidence=confidence))
    found = score(blind, baselines=(COPY, WARPED))
    assert found.score("psnr", WARPED).value == found.score("psnr", COPY).value


def test_too_few_poses_are_complained_about_with_the_warp_too() -> None:
    clip_, _ = doll_clip()
    for count in (1, 2):
        few = replace(clip_, poses=clip_.poses.frames(slice(0, count)))
        with pytest.raises(
            UserError, match=f"{count} poses, but 3 reference frames; expected as many.$"
        ):
            score(few, baselines=(WARPED,), chunk=2)


# ----- systems ------------------------------------------------------------------------------------


def test_systems_are_scored_on_the_same_clips_and_compared() -> None:
    truth = {name: clip(5, seed) for seed, name in enumerate("abc")}
    near = {name: np.clip(frames, 10, 245) for name, frames in truth.items()}
    lengths = {"a": 5, "b": 5, "c": 4}
    clips = [
        Clip(name, "", near[name], truth[name], compared={"B": clip(count, 9)})
        for name, count in lengths.items()
    ]
    report = score(*clips, compared={"B": "others/B"})
    assert report.system_names == (GENERATED, "B", COPY, PREVIOUS)
    assert [clip.id for clip in report.per_clip] == ["a", "b"]
    assert all(clip.scores[name]["psnr"] for clip in report.per_clip for name in clip.scores)
    assert "clip c: 4 frames of B, but 5" in report.failed[0].error
    (comparison,) = report.comparisons
    expected = report.score("psnr").value - report.score("psnr", "B").value
    assert comparison.difference == pytest.approx(expected)
    kinds = [one.kind for one in report.systems]
    assert kinds == ["generated", "compared", "baseline", "baseline"]


def test_points_that_are_given_measure_the_generated_frames_alone() -> None:
    metric, _ = hand_pe(GivenHands())
    clips = [Clip(name, "", clip(3, 1), clip(3, 2), poses(3), poses(3)) for name in "ab"]
    views = {"all": Measurement("all", metric, NATIVE), "rest": Measurement("rest", metric, SCORED)}
    report = evaluate_clips(opened(*clips), list(views.values()), chunk=2)
    assert [report.score(name).n for name in views] == [12, 8]
    assert report.score("all").value == 0
    copied = report.score("all", COPY)
    assert (copied.value, copied.higher_is_better) == (None, False)
    assert "of the generated ones" in copied.unavailable
    for count, message in ((4, "4 key points .* but 3 ref"), (2, "2 key points .* but 3 ref")):
        bad = replace(clips[0], generated_poses=poses(count))
        with pytest.raises(UserError, match=f"clip a: {message}.* frames; expected as many"):
            evaluate_clips(opened(bad), [views["rest"]])


def test_the_worst_frames_are_those_of_the_watched_metric() -> None:
    frames = clip(40, 1)
    generated = frames.copy()
    for index in (3, 17, 30):
        generated[index] = clip(1, index)[0]
    clips = [Clip("a", "", generated, frames, poses(40)), Clip("b", "", frames, frames, poses(40))]
    (watched,) = measurements = named_metrics(("ssim",), SCORED)
    for chunk in (2, 16):
        worst = evaluate_clips(opened(*clips), measurements, watched=watched, chunk=chunk).worst
        assert {(one.clip, one.index) for one in worst[:3]} == {("a", i) for i in (3, 17, 30)}
        assert len(worst) == 10
        np.testing.assert_array_equal(worst[0].source, frames[0])
        np.testing.assert_array_equal(worst[0].generated, generated[worst[0].index])
    assert evaluate_clips(opened(*clips), measurements).worst == ()


# ----- clips that fail ----------------------------------------------------------------------------


def broken_after(frames: np.ndarray, count: int) -> Iterator[np.ndarray]:
    yield from frames[:count]
    raise UserError("frame.png is damaged: truncated. Copy it again.")


def good(name: str, seed: int) -> Clip:
    return Clip(name, "S1", clip(7, seed), clip(7, seed + 1), poses(7))


GIVEN = Clip("bad", "", clip(9, 5), clip(9, 6), poses(9))
FAULTS = {
    "damaged": {"generated": lambda: broken_after(clip(9, 5), 6)},
    "truth is damaged": {"reference": lambda: broken_after(clip(9, 6), 6)},
    "9 generated frames, but 8": {"reference": lambda: clip(8, 6)},
    "7 generated frames, but 9": {"generated": lambda: clip(7)},
    "0 generated frames, but 9": {"generated": list},
    "60 x 70": {"generated": lambda: clip(9, 5)[:, :70]},
    "change their size": {"generated": lambda: [*clip(8), clip(1)[0, :40]]},
    "from (80, 60, 3) to (40, 60, 3)": {"generated": lambda: [*clip(7), clip(1)[0, :40], *clip(1)]},
    "NaN": {"generated": lambda: np.full((9, *SIZE, 3), np.nan)},
    "float32": {"generated": lambda: clip(9, 5) / np.float32(255)},
    "skeleton body-18": {"poses": lambda: poses(9, "body-18")},
    "5 poses, but 9 reference frames": {"poses": lambda: poses(5)},
    "10 poses, but 9": {"poses": lambda: poses(10)},
    "needs the poses": {"poses": lambda: None},
    "the source has 2 frames": {"source": lambda: clip(2)},
    "the source has no frames": {"source": list},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_clip_that_fails_leaves_nothing_in_any_score(fault: str) -> None:
    mean = FeatureExtractor(lambda items: items.reshape(len(items), -1, 3).mean(1), "net:mean")
    cells = EstimatedHands(BrightCells())
    sets = (fid(mean), fid(mean, "unique-reference", name="u"), kid(mean, size=4), fvd(mean))
    measurements = [
        *named_metrics(("ssim", "hand_ssim", *MOTION), NATIVE),
        *(Measurement(metric.name, metric, NATIVE) for metric in (*sets, *hand_pe(cells))),
    ]
    changes = {name: make() for name, make in FAULTS[fault].items()}
    bad = replace(GIVEN, **changes)
    watched = measurements[0]
    report, alone = (
        evaluate_clips(opened(*clips), measurements, watched=watched, chunk=2)
        for clips in ((good("a", 1), bad, good("c", 3)), (good("a", 1), good("c", 3)))
    )
    assert report.metrics == alone.metrics
    assert report.per_clip == alone.per_clip
    assert [(one.clip, one.index) for one in report.worst] == [
        (one.clip, one.index) for one in alone.worst
    ]
    (failed,) = report.failed
    assert failed.id == "bad"
    assert fault.removeprefix("truth is ") in failed.error
    assert "\n" not in failed.error


def test_the_error_of_the_only_clip_is_raised_itself() -> None:
    bad = [Clip(name, "", clip(2, 1), clip(3, 1)) for name in "xy"]
    with pytest.raises(UserError, match=r"^clip x: 2 generated frames"):
        score(bad[0])
    with pytest.raises(UserError, match=r"none of 2 clips could be scored\. The first: clip x: 2"):
        score(*bad)
    with pytest.raises(UserError, match="nothing to score") as caught:
        score(Clip("a", "", [], []))
    assert caught.value.code == ExitCode.DATA


def test_errors_that_are_no_clip_s_own_stop_the_evaluation() -> None:
    def opening() -> Clip:
        raise UserError("no memory", ExitCode.UNAVAILABLE)

    clips = opened(good("a", 1)) | {"b": opening}
    with pytest.raises(UserError, match="no memory"):
        evaluate_clips(clips, named_metrics(("psnr",), NATIVE))


def test_what_is_missing_from_the_start_is_listed_with_what_fails() -> None:
    bad = replace(GIVEN, generated=clip(8))
    report = score(good("a", 1), bad, failed=[Failure("z", "has no clip z")])
    assert [one.id for one in report.failed] == ["z", "bad"]
    assert ", 2 not scored" in report.table()


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
    metrics = [FRAME_METRICS["ssim"], *keypoint_metrics(FailingOnce())]
    apart = poses(7)
    apart.keypoints[:, 5] += 9  # a shoulder: the distance of both is the unit
    clips = [replace(good(name, seed), poses=apart) for seed, name in enumerate("abc")]
    measurements = [Measurement(metric.name, metric, NATIVE) for metric in metrics]
    report = evaluate_clips(opened(*clips), measurements, baselines=())
    (failed,) = report.failed
    assert (failed.id, failed.error) == ("b", "the estimator found nobody")
    assert [clip.id for clip in report.per_clip] == ["a", "c"]
    for one in report.per_clip:
        assert None not in {one.scores[GENERATED][name] for name in ("ssim", "keypoint_dtw")}


def test_distances_of_few_frames_are_reported_with_a_warning() -> None:
    extractor = FeatureExtractor(lambda frames: frames[:, 0, :8, 0].astype(np.float64), "net:test")
    measurements = [Measurement("fid_star", fid(extractor), NATIVE)]
    (warning,) = evaluate_clips(opened(good("a", 1)), measurements).warnings
    assert warning.startswith(
        "fid_star is of 7 generated and 7 real items, not more than the 8 numbers"
    )


def test_what_cannot_be_measured_is_not_a_number_but_said() -> None:
    hidden = poses(7)
    hidden.confidence[:] = 0
    report = score(replace(good("a", 1), poses=hidden), metrics=("ssim", "hand_ssim"))
    assert report.score("hand_ssim").value is None
    assert "not measured" in report.table()
    assert "[one clip]" in report.table()
    assert report.score("ssim").beats_copy is None
