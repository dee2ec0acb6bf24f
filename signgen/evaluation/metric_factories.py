"""How the metrics are made that protocols and flags name, with weights and estimators shared."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from signgen.config.evaluation import EvalConfig
from signgen.device import choose_device
from signgen.evaluation.given_poses import GivenPoses
from signgen.evaluation.images import pictures_below
from signgen.evaluation.metrics import (
    FID,
    FVD,
    KID,
    PSNR,
    SSIM,
    TCD,
    AbsoluteError,
    BrightnessJitter,
    FaceSSIM,
    FeatureExtractor,
    Flicker,
    HandPE,
    HandSSIM,
    Metric,
    Missing,
    MouthSSIM,
    Score,
    SecondDifference,
    WarpingError,
    hand_pose_metrics,
    keypoint_metrics,
    open_lpips,
)
from signgen.evaluation.metrics.base import join_signature
from signgen.evaluation.metrics.features.distribution import gather_statistics
from signgen.evaluation.metrics.features.set_distances import FeatureStatistics
from signgen.evaluation.metrics.features.statistics import load_statistics, save_statistics
from signgen.evaluation.metrics.keypoints.hand_points import GivenHands
from signgen.evaluation.metrics.keypoints.pose_error import MISSED
from signgen.evaluation.metrics.pixels.ssim import SSIM_256, SSIM_256_PIDM, WINDOW_7, WINDOW_51
from signgen.evaluation.protocols import View
from signgen.media import read_image
from signgen.media.resizing import filter_version, resize_image
from signgen.structures import PoseSequence

if TYPE_CHECKING:
    from signgen.evaluation.metrics.features.inception import Inception

__all__ = ["FACTORIES", "FullBatches", "NotComputed", "Wanted"]

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """What a factory makes a metric from.

    Args:
        config: Weights, estimators and device.
        options: Options of the protocol.
        view: How frames will be brought to the metric.
        given: Key points of the generated frames by clip, or None.
        real_set: What the real set of FID has to be, in words.
        shared: What was opened for other metrics, by name.
    """

    config: EvalConfig = field(default_factory=EvalConfig)
    options: Mapping[str, Any] = field(default_factory=dict)
    view: View = field(default_factory=View)
    given: GivenPoses | None = None
    real_set: str = ""
    shared: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what was made under a name before, or make it."""
        if name not in self.shared:
            self.shared[name] = make()
        made: T = self.shared[name]
        return made

    @property
    def device(self) -> str:
        """Torch device of networks."""
        return str(choose_device(self.config.device))


class NotComputed:
    """A metric that measures nothing and says why.

    Args:
        name: Name of the metric.
        reason: `needs FILE, get it with COMMAND`.
        higher_is_better: Direction of the metric.
    """

    latest: NDArray[np.float64] | None = None

    def __init__(self, name: str, reason: str, higher_is_better: bool = True) -> None:
        self.name, self.reason, self.higher_is_better = name, reason, higher_is_better

    def update(
        self,
        generated: NDArray[np.uint8],
        reference: NDArray[np.uint8],
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take nothing."""

    def compute(self) -> Score:
        """Return a score without a value."""
        return Score(
            name=self.name,
            value=None,
            ci95=None,
            n=0,
            higher_is_better=self.higher_is_better,
            signature=self.name,
            per_clip={},
            unavailable=self.reason,
        )


class FullBatches:
    """Gives frames to a metric in batches, and leaves the last one out where it is not full.

    So do programs whose data loader drops it. The clips of a batch are not told apart, which suits
    metrics of whole sets.

    Args:
        metric: The metric.
        size: Frames in a batch.
    """

    def __init__(self, metric: Metric, size: int) -> None:
        self.metric, self.size = metric, size
        self._waiting: deque[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = deque()

    def __deepcopy__(self, memo: dict[int, object]) -> FullBatches:
        """Return an independent copy; frames that wait are never changed, so they are shared."""
        other = FullBatches(copy.deepcopy(self.metric, memo), self.size)
        other._waiting = self._waiting.copy()
        return other

    @property
    def name(self) -> str:
        """Name of the metric."""
        return self.metric.name

    @property
    def latest(self) -> NDArray[np.float64] | None:
        """None: frames are not measured when they come."""
        return None

    def update(
        self,
        generated: NDArray[np.uint8],
        reference: NDArray[np.uint8],
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used."""
        for pair in zip(generated, reference, strict=True):
            self._waiting.append((pair[0].copy(), pair[1].copy()))
            if len(self._waiting) == self.size:
                ours, truth = (np.stack(frames) for frames in zip(*self._waiting, strict=True))
                self.metric.update(ours, truth)
                self._waiting.clear()

    def compute(self) -> Score:
        """Return the metric's score; details: `left_out` frames."""
        score = self.metric.compute()
        details = {**score.details, "left_out": float(len(self._waiting))}
        signature = f"{score.signature}|batches:full-{self.size}"
        return replace(score, details=details, signature=signature)


# ----- networks -----------------------------------------------------------------------------------


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _lpips(wanted: Wanted) -> Metric:
    path, options = _path(wanted.config.lpips_weights), dict(wanted.options)
    made = wanted.once(
        f"lpips {sorted(options.items())}", lambda: open_lpips(path, wanted.device, **options)
    )
    return copy.deepcopy(made)


def _extractor(wanted: Wanted, kind: Inception) -> FeatureExtractor | Missing:
    from signgen.evaluation.metrics.features.inception import open_inception

    weights = wanted.config.inception_weights if kind == "cfld" else wanted.config.fid_weights
    return wanted.once(
        f"inception {kind}", lambda: open_inception(kind, _path(weights), wanted.device)
    )


def _fid(wanted: Wanted, *, kind: Inception = "cfld", name: str = "fid") -> Metric:
    """Return FID against the real set that is given, or against the true frames of `cleanfid`."""
    kind = wanted.options.get("kind", kind)
    extractor = _extractor(wanted, kind)
    if isinstance(extractor, Missing):
        return FID(extractor, name=name)
    if wanted.config.fid_reference is None:
        if wanted.real_set and kind != "cleanfid":
            reason = f"needs the real set ({wanted.real_set}), give it with --fid-reference"
            return NotComputed(name, reason, higher_is_better=False)
        return FID(extractor, "reference", name=name)
    return FID(extractor, _statistics(wanted, extractor), name=name)


def _statistics(wanted: Wanted, extractor: FeatureExtractor) -> FeatureStatistics:
    """Return the statistics of the real set, read or gathered, and write them where asked to."""
    path, view = Path(str(wanted.config.fid_reference)), wanted.view
    frames = "resize:none"
    if view.size is not None:
        frames = f"resize:{filter_version(view.resize)}-{view.size[0]}x{view.size[1]}"
    if not path.is_dir():
        return load_statistics(path, join_signature(extractor.signature, frames))

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for picture in pictures_below(path):
            pixels = read_image(picture)
            if view.size is not None:
                pixels = resize_image(pixels, view.size, view.resize)
            yield pixels[None]

    statistics = gather_statistics(pictures(), extractor, frames)
    if wanted.config.save_statistics is not None:
        save_statistics(wanted.config.save_statistics, statistics)
    return statistics


def _fvd(wanted: Wanted) -> Metric:
    from signgen.evaluation.metrics.features.i3d import open_i3d

    return FVD(open_i3d(_path(wanted.config.i3d_weights), wanted.device))


def _kid(wanted: Wanted) -> Metric:
    return KID(_extractor(wanted, wanted.options.get("kind", "standard")))


# ----- poses --------------------------------------------------------------------------------------


def _hand_pe(wanted: Wanted, place: int) -> Metric:
    if wanted.given is not None:
        hidden = wanted.view.frames == "without-source"
        source = GivenHands(replace(wanted.given, skip_source=hidden))
        return HandPE(source, penalty=(None, MISSED)[place])
    config = wanted.config
    name = config.estimator if config.estimator != "mmpose" else "auto"
    weights = _path(config.estimator_weights)
    made = wanted.once("hands", lambda: hand_pose_metrics(name, weights, config.device))
    return copy.deepcopy(made[place])


def _keypoints(wanted: Wanted, place: int) -> Metric:
    config = wanted.config
    weights = _path(config.estimator_weights)
    made = wanted.once("points", lambda: keypoint_metrics(config.estimator, weights, config.device))
    return copy.deepcopy(made[place])


# ----- all ----------------------------------------------------------------------------------------

FACTORIES: dict[str, Callable[[Wanted], Metric]] = {
    "ssim": lambda _: SSIM(),
    "ssim_win7": lambda _: SSIM(WINDOW_7),
    "ssim_w51": lambda _: SSIM(WINDOW_51),
    "ssim_256": lambda _: SSIM(SSIM_256),
    "ssim_256_pidm": lambda _: SSIM(SSIM_256_PIDM),
    "psnr": lambda _: PSNR(),
    "l1": lambda _: AbsoluteError(),
    "mae": lambda _: AbsoluteError(relative=True),
    "lpips": _lpips,
    "fid": _fid,
    "fid_star": lambda wanted: FID(_extractor(wanted, "cfld"), "unique-reference"),
    "fid_standard": lambda wanted: _fid(wanted, kind="standard", name="fid_standard"),
    "kid": _kid,
    "fvd": _fvd,
    "hand_ssim": lambda _: HandSSIM(),
    "hand_pe": lambda wanted: _hand_pe(wanted, 0),
    "hand_pe_penalty": lambda wanted: _hand_pe(wanted, 1),
    "face_ssim": lambda _: FaceSSIM(),
    "mouth_ssim": lambda _: MouthSSIM(),
    "keypoint_error": lambda wanted: _keypoints(wanted, 0),
    "keypoint_dtw": lambda wanted: _keypoints(wanted, 1),
    "flicker": lambda _: Flicker(),
    "brightness_jitter": lambda _: BrightnessJitter(),
    "second_difference": lambda _: SecondDifference(),
    "tcd": lambda _: TCD(),
    "warping_error": lambda _: WarpingError(),
}
"""What makes each metric; a new one is a line here, and its name in a protocol or behind a flag."""
