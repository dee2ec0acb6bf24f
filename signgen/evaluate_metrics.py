"""Which metrics an evaluation has, by protocol or by flags, and how each is shown frames."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.config import EvalConfig
from signgen.eval_config import ScoredFrames
from signgen.metrics import PSNR, SSIM, HandSSIM, Metric, Score
from signgen.protocols import PROTOCOLS, Choice, Protocol, View, with_size
from signgen.structures import PoseSequence

__all__ = [
    "FACTORIES",
    "FullBatches",
    "NotComputed",
    "Slot",
    "Wanted",
    "build_slots",
    "chosen_protocol",
]

POSE_METRICS = frozenset({"hand_ssim", "hand_pe", "hand_pe_penalty"})
"""Metrics that need poses and are measured with --hand-metrics only."""


@dataclass
class Slot:
    """A metric of an evaluation.

    Args:
        name: Name of its score.
        view: How frames are brought to it.
        metric: The metric.
    """

    name: str
    view: View
    metric: Metric


@dataclass(frozen=True)
class Wanted:
    """What a factory makes a metric from.

    Args:
        config: Weights, estimators and device.
        options: Options of the protocol.
        view: How frames will be brought to the metric.
    """

    config: EvalConfig = field(default_factory=EvalConfig)
    options: Mapping[str, Any] = field(default_factory=dict)
    view: View = field(default_factory=View)


Factory = Callable[[Wanted], Metric]

FACTORIES: dict[str, Factory] = {
    "ssim": lambda wanted: SSIM(),
    "psnr": lambda wanted: PSNR(),
    "hand_ssim": lambda wanted: HandSSIM(),
}
"""How the metrics are made that protocols and flags name."""


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


def build_slots(
    config: EvalConfig, protocol: Protocol | None, *, frames: ScoredFrames, images: bool
) -> list[Slot]:
    """Return the metrics that a configuration asks for, which have seen nothing yet.

    Args:
        config: Protocol, flags and weights.
        protocol: The protocol, at its size; None for the metrics that flags ask for.
        frames: Where no protocol says it: `all` or `without-source`.
        images: Whether single images are scored, which do not move.
    """
    slots: list[Slot] = []
    if protocol is None:
        view = View(size=config.size, frames=frames)
        slots = [Slot(name, view, _made(Choice(name), view, config)) for name in _flagged(config)]
        return slots
    asked = {choice.metric for choice in protocol.metrics}
    choices = [*protocol.metrics, *(Choice(name) for name in _extras(config) if name not in asked)]
    for choice in choices:
        views = protocol.views(choice)
        first = _made(choice, views[""], config)
        slots += [
            Slot(choice.metric + end, view, copy.deepcopy(first)) for end, view in views.items()
        ]
    return slots


def chosen_protocol(config: EvalConfig) -> Protocol | None:
    """Return the protocol that a configuration names, at the size that it asks for.

    Raises:
        UserError: With exit code 2 if the protocol has no such size.
    """
    if config.protocol is None or config.protocol == "list":
        return None
    return with_size(PROTOCOLS[config.protocol], config.size)


def _flagged(config: EvalConfig) -> list[str]:
    return ["ssim", "psnr", *_extras(config)]


def _extras(config: EvalConfig) -> list[str]:
    """Return the metrics that flags add."""
    return ["hand_ssim"] if config.hand_metrics else []


def _made(choice: Choice, view: View, config: EvalConfig) -> Metric:
    name = choice.metric
    if name in POSE_METRICS and not config.hand_metrics:
        return NotComputed(name, "needs poses, give them with --hand-metrics and --poses")
    metric = FACTORIES[name](Wanted(config, choice.options or {}, view))
    return FullBatches(metric, choice.full_batches) if choice.full_batches else metric
