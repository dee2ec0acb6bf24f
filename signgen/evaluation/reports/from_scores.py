"""The report of the scores of frames: per signer, per clip, and what a reader should know first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from signgen.evaluation.clips import Failure
from signgen.evaluation.comparison import Comparison
from signgen.evaluation.metrics.score import Score
from signgen.evaluation.reports.report import (
    COPY,
    GENERATED,
    PREVIOUS,
    WARPED,
    ClipResult,
    Report,
    Result,
    SignerResult,
    System,
)
from signgen.evaluation.reports.values import caveat
from signgen.evaluation.reports.worst_frames import WorstFrame

__all__ = ["frames_report"]

FEW_REGIONS = 20
"""Hands, faces or mouths below which a mean over them says little."""
LITTLE_COVERAGE, LITTLE_DETECTED = 0.25, 0.5
"""Shares of regions measured, and of true hands found in generated frames, that are warned of."""


def frames_report(
    scores: Mapping[str, Sequence[Score]],
    clips: Sequence[ClipResult],
    *,
    systems: Sequence[System],
    failed: Sequence[Failure] = (),
    protocol: str | None = None,
    comparisons: Sequence[Comparison] = (),
    worst: Sequence[WorstFrame] = (),
) -> Report:
    """Return the report of the scores of frames, its inputs still empty.

    Args:
        scores: Scores by system, `generated` first; the same metrics in the same order.
        clips: The clips that were scored, still without scores.
        systems: The systems, in the same order.
        failed: See `Report`, as the rest.
        protocol: Name of the protocol, or None.
        comparisons: Paired comparisons.
        worst: The worst generated frames.
    """
    copies = {score.name: score for score in scores.get(COPY, ())}
    metrics = tuple(
        Result.of(score, system, beats_copy=_beats(score, system, copies.get(score.name)))
        for system, own in scores.items()
        for score in own
    )
    signers = sorted({clip.signer for clip in clips} - {""})
    return Report(
        protocol=protocol,
        systems=tuple(systems),
        metrics=metrics,
        comparisons=tuple(comparisons),
        per_signer=tuple(_signer(signer, scores, clips) for signer in signers),
        per_clip=tuple(_with_scores(clip, scores) for clip in clips),
        failed=tuple(failed),
        warnings=(
            *_over_smoothed(metrics),
            *_few_items(metrics),
            *_little_found(metrics),
            *filter(None, [caveat(len(clips))]),
        ),
        worst=tuple(worst),
    )


def _beats(score: Score, system: str, copy: Score | None) -> bool | None:
    # A copy stands still or is the truth, so that its distance from an ideal says nothing.
    if copy is None or system in {COPY, PREVIOUS} or score.ideal is not None:
        return None
    if score.ci95 is None or copy.ci95 is None:
        return None
    if score.higher_is_better:
        return score.ci95[0] > copy.ci95[1]
    return score.ci95[1] < copy.ci95[0]


def _signer(
    signer: str, scores: Mapping[str, Sequence[Score]], clips: Sequence[ClipResult]
) -> SignerResult:
    own = {clip.id: clip.frames for clip in clips if clip.signer == signer}
    means = {
        system: {score.name: _mean_over(score, own) for score in entries}
        for system, entries in scores.items()
    }
    return SignerResult(signer, len(own), sum(own.values()), means)


def _mean_over(score: Score, clips: Mapping[str, int]) -> float | None:
    """Return the mean over the items of some clips, or None where none was measured."""
    counts = {clip: count for clip, count in score.counts.items() if clip in clips}
    total = sum(counts.values())
    return sum(score.per_clip[clip] * n for clip, n in counts.items()) / total if total else None


def _with_scores(clip: ClipResult, scores: Mapping[str, Sequence[Score]]) -> ClipResult:
    return replace(
        clip,
        scores={
            system: {score.name: score.per_clip.get(clip.id) for score in own}
            for system, own in scores.items()
        },
        counts={
            system: {score.name: score.counts.get(clip.id, 0) for score in own}
            for system, own in scores.items()
        },
    )


def _over_smoothed(metrics: Sequence[Result]) -> list[str]:
    return [
        f"{one.system} is over-smoothed: {one.name} is {one.value:.2f} of the truth's."
        for one in metrics
        if one.system not in {COPY, PREVIOUS, WARPED}
        and one.details.get("over_smoothed")
        and one.value is not None
    ]


def _little_found(metrics: Sequence[Result]) -> list[str]:
    """Warn of scores of hands and other regions of which hardly any was measured."""
    warnings = []
    for one in metrics:
        coverage, detected = (one.details.get(name) for name in ("coverage", "detected_rate"))
        if one.system != GENERATED or one.value is None or coverage is None:
            continue
        if one.n < FEW_REGIONS or coverage < LITTLE_COVERAGE:
            warnings.append(
                f"{one.name} is of {one.n} regions, {coverage:.1%} of those looked at: too few to "
                "say much. Check the poses of the reference with `signgen pose view`."
            )
        if detected is not None and detected < LITTLE_DETECTED:
            warnings.append(
                f"{one.name}: only {detected:.1%} of the true hands were found in the generated "
                "frames. Compare hand_pe_penalty, which charges those that were not."
            )
    return warnings


def _few_items(metrics: Sequence[Result]) -> list[str]:
    """Warn of distances of sets that depend on the number of items more than usual."""
    return [
        f"{one.name} is of {one.n} generated and {one.details['real']:.0f} real items, not more "
        f"than the {one.details['dimensions']:.0f} numbers of a feature. Compare it with scores of "
        "as many items only."
        for one in metrics
        if one.system == GENERATED and one.value is not None and one.details.get("rank_deficient")
    ]
