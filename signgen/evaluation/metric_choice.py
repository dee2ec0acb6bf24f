"""Which metrics an evaluation has, by protocol or by flags, how they are made and shown frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from signgen.config.evaluation import EvalConfig, ScoredFrames
from signgen.config.pose import Device
from signgen.device import choose_device
from signgen.errors import ExitCode, UserError
from signgen.evaluation.images import pictures_below
from signgen.evaluation.metrics.base import MeanMetric
from signgen.evaluation.metrics.features.accumulation import FeatureStatistics
from signgen.evaluation.metrics.features.distribution import (
    SetMetric,
    fid,
    fvd,
    gather_statistics,
    kid,
)
from signgen.evaluation.metrics.features.statistics import load_statistics, save_statistics
from signgen.evaluation.metrics.keypoints.hand_points import EstimatedHands, GivenHands
from signgen.evaluation.metrics.keypoints.keypoint_error import keypoint_metrics
from signgen.evaluation.metrics.keypoints.pose_error import hand_pe
from signgen.evaluation.metrics.motion import (
    BRIGHTNESS_JITTER,
    FLICKER,
    SECOND_DIFFERENCE,
    tcd_metric,
)
from signgen.evaluation.metrics.networks import (
    ALEXNET_WEIGHTS,
    FIDELITY_WEIGHTS,
    INCEPTION_PACKAGES,
    TORCHVISION_WEIGHTS,
    FeatureExtractor,
    Unavailable,
    published_file,
)
from signgen.evaluation.metrics.perceptual.lpips import lpips_metric, open_lpips
from signgen.evaluation.metrics.pixels.image import L1, MAE, PSNR
from signgen.evaluation.metrics.pixels.parsed_regions import PARSED_METRICS
from signgen.evaluation.metrics.pixels.ssim import (
    GAUSSIAN,
    SSIM_256,
    SSIM_256_PIDM,
    WINDOW_7,
    WINDOW_51,
    ssim_metric,
)
from signgen.evaluation.metrics.regions import FACE, HAND, MOUTH, region_ssim
from signgen.evaluation.metrics.warping import WARPING_ERROR
from signgen.evaluation.protocols import PROTOCOLS, Choice, Protocol, View, with_size
from signgen.files.published_weights import Published
from signgen.media import read_image
from signgen.media.resizing import filter_version, resize_image
from signgen.pose.estimators import open_estimator
from signgen.pose.estimators.hand_patches import open_hand_estimator

if TYPE_CHECKING:
    from signgen.evaluation.metrics.features.inception import Inception

__all__ = [
    "FRAME_METRICS",
    "METRICS",
    "Measurement",
    "choose_metrics",
    "chosen_protocol",
    "named_metrics",
]

T = TypeVar("T")
Metric = MeanMetric | SetMetric

FRAME_METRICS: Mapping[str, MeanMetric] = {
    metric.name: metric
    for metric in (
        *map(ssim_metric, (GAUSSIAN, WINDOW_7, WINDOW_51, SSIM_256, SSIM_256_PIDM)),
        *(PSNR, L1, MAE),
        *map(region_ssim, (HAND, FACE, MOUTH)),
        *(FLICKER, BRIGHTNESS_JITTER, SECOND_DIFFERENCE, tcd_metric(), WARPING_ERROR),
    )
}
"""Metrics that need neither weights nor an estimator."""
HANDS = ("hand_ssim", "hand_pe", "hand_pe_penalty")
FACES = ("face_ssim", "mouth_ssim")
KEYPOINTS = ("keypoint_error", "keypoint_dtw")
MOTION = ("flicker", "brightness_jitter", "second_difference", "tcd")
NETWORKS = ("lpips", "fid", "fid_star", "fid_standard", "kid", "fvd", "identity")
METRICS = (*FRAME_METRICS, *PARSED_METRICS, *NETWORKS, *HANDS[1:], *KEYPOINTS)
"""Names of all metrics."""


@dataclass(frozen=True)
class Measurement:
    """A metric of an evaluation."""

    name: str
    metric: Metric
    view: View


def chosen_protocol(config: EvalConfig) -> Protocol | None:
    """Return the protocol that a configuration names, at the size that it asks for."""
    if config.protocol is None or config.protocol == "list":
        return None
    return with_size(PROTOCOLS[config.protocol], config.size)


def choose_metrics(
    config: EvalConfig, *, frames: ScoredFrames = "all", images: bool = False
) -> list[Measurement]:
    """Return what a configuration asks to measure."""
    protocol = chosen_protocol(config)
    factory = MetricFactory(config, "" if protocol is None else protocol.real_set)
    extras = _extras(config, moves=not images)
    if protocol is None:
        view = View(size=config.size, frames=config.frames or frames)
        names = ["ssim", "psnr", *_networks(config), *extras]
        return [Measurement(name, factory.make(Choice(name), view), view) for name in names]
    measurements = []
    for choice in protocol.metrics:
        views = protocol.views(choice)
        metric = factory.make(choice, views[""])
        measurements += [
            Measurement(choice.metric + end, metric, view) for end, view in views.items()
        ]
    for name in extras:
        if name not in {choice.metric for choice in protocol.metrics}:
            view = protocol.views(Choice(name))[""]
            measurements.append(Measurement(name, factory.make(Choice(name), view), view))
    return measurements


def named_metrics(names: Sequence[str], view: View) -> list[Measurement]:
    """Return metrics by their names; weights are those in the caches of this machine."""
    for name in names:
        if name not in METRICS:
            known = ", ".join(METRICS)
            raise UserError(f"{name!r} is no metric; expected some of {known}.", ExitCode.USAGE)
    factory = MetricFactory(EvalConfig(hand_metrics=True))
    return [Measurement(name, factory.make(Choice(name), view), view) for name in names]


def _networks(config: EvalConfig) -> list[str]:
    """Return the metrics whose weights are given."""
    first = "fid_star" if config.fid_reference is None else "fid"
    weights = {
        "lpips": config.lpips_weights,
        first: config.inception_weights,
        "fid_standard": config.fid_weights,
        "kid": config.fid_weights,
        "fvd": config.i3d_weights,
        "identity": config.identity_weights,
    }
    return [name for name, path in weights.items() if path is not None]


def _extras(config: EvalConfig, *, moves: bool) -> list[str]:
    """Return the metrics that flags add to a protocol's."""
    return [
        *(HANDS if config.hand_metrics else ()),
        *(FACES if config.faces else ()),
        *(PARSED_METRICS if config.regions else ()),
        *(KEYPOINTS if config.keypoints else ()),
        *(MOTION if config.motion and moves else ()),
        *(("warping_error",) if config.warping and moves else ()),
    ]


# ----- making -------------------------------------------------------------------------------------


class MetricFactory:
    """Makes metrics; networks and estimators are opened once.

    Args:
        real_set: What the real set of FID has to be, in words.
    """

    def __init__(self, config: EvalConfig, real_set: str = "") -> None:
        self._config, self._real_set = config, real_set
        self._inceptions: dict[Inception, FeatureExtractor | Unavailable] = {}

    def make(self, choice: Choice, view: View) -> Metric:
        """Return a metric."""
        name, options = choice.metric, dict(choice.options or {})
        if name in HANDS and not self._config.hand_metrics:
            reason = "needs --hand-metrics, and with paths the poses (--poses)"
            return MeanMetric(name=name, higher_is_better=True, unavailable=reason)
        if name in FRAME_METRICS:
            return FRAME_METRICS[name]
        if name in PARSED_METRICS:
            return PARSED_METRICS[name]
        return self._makers[name](options, view, choice.full_batches)

    @property
    def _makers(self) -> dict[str, Callable[[dict[str, Any], View, int], Metric]]:
        """What makes each of the other metrics, from options, view and size of full batches."""
        return {
            "lpips": self._lpips,
            "fid": partial(self._fid, "fid", "cfld"),
            "fid_star": lambda *_: fid(self._inception("cfld"), "unique-reference"),
            "fid_standard": partial(self._fid, "fid_standard", "standard"),
            "kid": lambda options, *_: kid(self._inception(options.get("kind", "standard"))),
            "fvd": lambda *_: self._fvd(),
            "identity": lambda *_: self._identity(),
            "hand_pe": lambda *_: self._hands[0],
            "hand_pe_penalty": lambda *_: self._hands[1],
            "keypoint_error": lambda *_: self._keypoints[0],
            "keypoint_dtw": lambda *_: self._keypoints[1],
        }

    @property
    def _device(self) -> str:
        return str(choose_device(self._config.device))

    def _network(
        self,
        weights: str | None,
        published: Published,
        open_: Callable[[Path, str], FeatureExtractor | Unavailable],
        packages: Sequence[str] = (),
    ) -> FeatureExtractor | Unavailable:
        """Open a network once its file is found, which needs no torch."""
        path = published_file(_path(weights), published, packages)
        return path if isinstance(path, Unavailable) else open_(path, self._device)

    def _lpips(self, options: dict[str, Any], view: View, full_batches: int) -> Metric:
        open_ = partial(open_lpips, **options)
        network = self._network(self._config.lpips_weights, ALEXNET_WEIGHTS, open_)
        return lpips_metric(network, full_batches)

    def _fvd(self) -> Metric:
        from signgen.evaluation.metrics.features.i3d import open_i3d

        return fvd(open_i3d(_path(self._config.i3d_weights), self._device))

    def _identity(self) -> Metric:
        from signgen.evaluation.metrics.perceptual.identity import identity_metric, open_embedder

        return identity_metric(open_embedder(_path(self._config.identity_weights), self._device))

    def _inception(self, kind: Inception) -> FeatureExtractor | Unavailable:
        def open_(path: Path, device: str) -> FeatureExtractor | Unavailable:
            from signgen.evaluation.metrics.features.inception import open_inception

            return open_inception(kind, path, device)

        if kind not in self._inceptions:
            weights, published = self._config.fid_weights, FIDELITY_WEIGHTS
            packages: Sequence[str] = INCEPTION_PACKAGES
            if kind == "cfld":
                weights, published = self._config.inception_weights, TORCHVISION_WEIGHTS
                packages = INCEPTION_PACKAGES[:1]
            self._inceptions[kind] = self._network(weights, published, open_, packages)
        return self._inceptions[kind]

    def _fid(
        self, name: str, kind: Inception, options: dict[str, Any], view: View, full_batches: int
    ) -> Metric:
        """Return FID to the real set that is given, or to the true frames for `cleanfid`."""
        kind = options.get("kind", kind)
        network = self._inception(kind)
        if self._config.fid_reference is not None and isinstance(network, FeatureExtractor):
            real = self._statistics(network, view)
            return fid(network, real, name=name, full_batches=full_batches)
        if self._real_set and self._config.fid_reference is None and kind != "cleanfid":
            needed = f"needs the real set ({self._real_set}), give it with --fid-reference"
            reasons = [network.reason, needed] if network.reason else [needed]
            return MeanMetric(name=name, unavailable="; and it ".join(reasons))
        return fid(network, name=name, full_batches=full_batches)

    def _statistics(self, network: FeatureExtractor, view: View) -> FeatureStatistics:
        """Return the statistics of the real set, read or gathered, and write them if asked to."""
        path, size = Path(str(self._config.fid_reference)), view.size
        frames = "resize:none"
        if size is not None:
            frames = f"resize:{filter_version(view.resize)}-{size[0]}x{size[1]}"
        if not path.is_dir():
            return load_statistics(path, f"{network.signature}|{frames}")
        pictures = (read_image(picture) for picture in pictures_below(path))
        if size is not None:
            pictures = (resize_image(picture, size, view.resize) for picture in pictures)
        statistics = gather_statistics((picture[None] for picture in pictures), network, frames)
        if self._config.save_statistics is not None:
            save_statistics(self._config.save_statistics, statistics)
        return statistics

    @cached_property
    def _hands(self) -> tuple[MeanMetric, MeanMetric]:
        if self._config.generated_poses is not None:
            return hand_pe(GivenHands())
        name = self._config.estimator if self._config.estimator != "mmpose" else "auto"
        weights = _path(self._config.estimator_weights)
        estimator = _estimator(partial(open_hand_estimator, name), weights, self._config.device)
        return hand_pe(
            estimator if isinstance(estimator, Unavailable) else EstimatedHands(estimator)
        )

    @cached_property
    def _keypoints(self) -> tuple[MeanMetric, MeanMetric]:
        weights = _path(self._config.estimator_weights)
        open_ = partial(open_estimator, self._config.estimator)
        return keypoint_metrics(_estimator(open_, weights, self._config.device))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _estimator(
    open_: Callable[[Path | None, Device], T], weights: Path | None, device: Device
) -> T | Unavailable:
    """Return an estimator, or why it is not there; a file that is named must be good."""
    try:
        return open_(weights, device)
    except UserError as error:
        absent = error.code in {ExitCode.NO_INPUT, ExitCode.UNAVAILABLE}
        if weights is not None or not absent:
            raise
        return Unavailable(f"needs an estimator of key points: {error}")
