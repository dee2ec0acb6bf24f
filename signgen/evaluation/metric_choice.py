"""Which metrics an evaluation has, by protocol or by flags, and how each is shown frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

from signgen.config.evaluation import EvalConfig, ScoredFrames
from signgen.evaluation.given_poses import GivenPoses
from signgen.evaluation.metric_factories import FACTORIES, FullBatches, NotComputed, Wanted
from signgen.evaluation.metrics import Metric
from signgen.evaluation.protocols import PROTOCOLS, Choice, Protocol, View, with_size

__all__ = ["Slot", "build_slots", "chosen_protocol"]

HANDS = ("hand_ssim", "hand_pe", "hand_pe_penalty")
FACES = ("face_ssim", "mouth_ssim")
KEYPOINTS = ("keypoint_error", "keypoint_dtw")
POINTS = frozenset({"hand_pe", "hand_pe_penalty"})
"""Metrics that take key points which are given, and given of the generated frames only."""
MOTION = ("flicker", "brightness_jitter", "second_difference", "tcd")
BATCHED_BY_ITSELF = frozenset({"lpips"})
"""Metrics that leave out incomplete batches themselves, so that clips are told apart."""


@dataclass
class Slot:
    """A metric of an evaluation.

    Args:
        name: Name of its score.
        view: How frames are brought to it.
        metric: The metric.
        generated_only: Whether it measures the generated frames and no other system.
    """

    name: str
    view: View
    metric: Metric
    generated_only: bool = False


def build_slots(
    config: EvalConfig,
    protocol: Protocol | None,
    *,
    frames: ScoredFrames,
    images: bool,
    given: GivenPoses | None = None,
) -> list[Slot]:
    """Return the metrics that a configuration asks for, which have seen nothing yet.

    Args:
        config: Protocol, flags and weights.
        protocol: The protocol, at its size; None for the metrics that flags ask for.
        frames: Where no protocol says it: `all` or `without-source`.
        images: Whether single images are scored, which do not move.
        given: Key points of the generated frames by clip, or None.
    """
    wanted = Wanted(config, given=given, real_set="" if protocol is None else protocol.real_set)

    def slot(choice: Choice, view: View, end: str = "") -> Slot:
        name = choice.metric
        alone = given is not None and name in POINTS
        return Slot(name + end, view, _made(choice, view, wanted), generated_only=alone)

    extras = _extras(config, moves=not images)
    if protocol is None:
        view = View(size=config.size, frames=frames)
        names = ["ssim", "psnr", *_networks(config), *extras]
        return [slot(Choice(name), view) for name in names]
    asked = {choice.metric for choice in protocol.metrics}
    slots = [
        slot(choice, view, end)
        for choice in protocol.metrics
        for end, view in protocol.views(choice).items()
    ]
    more = [Choice(name) for name in extras if name not in asked]
    slots += [slot(choice, protocol.views(choice)[""]) for choice in more]
    return slots


def chosen_protocol(config: EvalConfig) -> Protocol | None:
    """Return the protocol that a configuration names, at the size that it asks for.

    Raises:
        UserError: With exit code 2 if the protocol has no such size.
    """
    if config.protocol is None or config.protocol == "list":
        return None
    return with_size(PROTOCOLS[config.protocol], config.size)


def _networks(config: EvalConfig) -> list[str]:
    """Return the metrics whose weights are given."""
    first = "fid_star" if config.fid_reference is None else "fid"
    weights = {
        "lpips": config.lpips_weights,
        first: config.inception_weights,
        "fid_standard": config.fid_weights,
        "kid": config.fid_weights,
        "fvd": config.i3d_weights,
    }
    return [name for name, path in weights.items() if path is not None]


def _extras(config: EvalConfig, *, moves: bool) -> list[str]:
    """Return the metrics that flags add to a protocol's."""
    return [
        *(HANDS if config.hand_metrics else ()),
        *(FACES if config.faces else ()),
        *(KEYPOINTS if config.keypoints else ()),
        *(MOTION if config.motion and moves else ()),
        *(("warping_error",) if config.warping and moves else ()),
    ]


def _made(choice: Choice, view: View, wanted: Wanted) -> Metric:
    name, options = choice.metric, dict(choice.options or {})
    if name in HANDS and not wanted.config.hand_metrics:
        return NotComputed(name, "needs --hand-metrics, and with paths the poses (--poses)")
    batched = choice.full_batches and name not in BATCHED_BY_ITSELF
    if choice.full_batches and not batched:
        options["full_batches"] = choice.full_batches
    metric = FACTORIES[name](replace(wanted, options=options, view=view))
    # What cannot be measured says so itself, and needs no frames.
    if not batched or isinstance(metric, NotComputed):
        return metric
    return FullBatches(metric, choice.full_batches)
