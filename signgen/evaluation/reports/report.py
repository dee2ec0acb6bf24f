"""The report of an evaluation: as JSON, and as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import signgen
from signgen.evaluation.clips import Failure
from signgen.evaluation.metrics import Score
from signgen.evaluation.reports.text import cell, columns, table
from signgen.evaluation.reports.worst_frames import WorstFrame

__all__ = [
    "COPY",
    "GENERATED",
    "NOTE",
    "PREVIOUS",
    "SCHEMA_VERSION",
    "ClipResult",
    "Report",
    "System",
    "cell",
    "columns",
    "table",
]

SCHEMA_VERSION = 2
GENERATED = "generated"
"""The frames under test."""
COPY = "copy of the source"
"""A trivial baseline: the source, repeated, which is the first true frame unless one is given."""
PREVIOUS = "copy of the previous frame"
"""A trivial baseline: the true frame before; the first frame is itself."""
NOTE = "Automatic scores do not show that signing is understood."


class ToJson(Protocol):
    """A part of a report that is made elsewhere."""

    def to_json(self) -> dict[str, Any]:
        """Return the part as one JSON object."""


@dataclass(frozen=True)
class System:
    """Whose frames were scored.

    Args:
        name: Name, unique in a report.
        kind: The frames under test, frames compared with them, or a trivial baseline.
        path: Where the frames are; empty where they are made on the way.
    """

    name: str
    kind: Literal["generated", "compared", "baseline"]
    path: str = ""


@dataclass(frozen=True)
class ClipResult:
    """What was measured on one clip.

    Args:
        id: Name of the clip.
        signer: Name of the signer, empty where unknown.
        frames: Frames of the clip, the source frame included.
        generated_sha256: Hash of the pixels of all generated frames.
        reference_sha256: Hash of the pixels of all reference frames.
    """

    id: str
    signer: str
    frames: int
    generated_sha256: str
    reference_sha256: str


@dataclass(frozen=True)
class Report:
    """Scores of the generated frames, and of other systems and trivial baselines beside them.

    Args:
        scores: Scores by system, `generated` first; the same metrics in the same order.
        clips: The clips that were scored.
        systems: The systems; where not given they are told by their names.
        failed: The clips that could not be scored, with the reason.
        protocol: Name of the protocol, or None.
        comparisons: Paired comparisons of `generated` with the compared systems.
        warnings: What a reader should know before the numbers.
        inputs: What was compared, for the record.
        extra: Further parts by name, such as `back_translation`.
        worst: The worst generated frames, the worst first; not part of the JSON.
    """

    scores: Mapping[str, Sequence[Score]]
    clips: Sequence[ClipResult]
    systems: Sequence[System] = ()
    failed: Sequence[Failure] = ()
    protocol: str | None = None
    comparisons: Sequence[ToJson] = ()
    warnings: Sequence[str] = ()
    inputs: Mapping[str, object] = field(default_factory=dict)
    extra: Mapping[str, ToJson] = field(default_factory=dict)
    worst: Sequence[WorstFrame] = ()

    def score(self, metric: str, system: str = GENERATED) -> Score:
        """Return one score.

        Args:
            metric: Name of the metric.
            system: Whose frames.

        Raises:
            KeyError: If there is none.
        """
        found = {score.name: score for score in self.scores[system]}
        return found[metric]

    def beats_copy(self, metric: str, system: str = GENERATED) -> bool | None:
        """Say whether frames are better than the copy, with 95 % intervals that do not touch.

        Args:
            metric: Name of the metric.
            system: Whose frames.

        Returns:
            None where the copy was not measured, an interval is missing (below two clips), or
            neither high nor low is better.
        """
        if COPY not in self.scores or system in {COPY, PREVIOUS}:
            return None
        ours, copy = self.score(metric, system), self.score(metric, COPY)
        # A copy stands still or is the truth, so that its distance from an ideal says nothing.
        if ours.ci95 is None or copy.ci95 is None or ours.ideal is not None:
            return None
        if ours.higher_is_better:
            return ours.ci95[0] > copy.ci95[1]
        return ours.ci95[1] < copy.ci95[0]

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object, `schema_version` 2."""
        systems = self.systems or [System(name, _kind(name)) for name in self.scores]
        metrics = [
            self._metric_json(system, score)
            for system, scores in self.scores.items()
            for score in scores
        ]
        return {
            "schema_version": SCHEMA_VERSION,
            "signgen": signgen.__version__,
            "protocol": self.protocol,
            "systems": [
                {"name": one.name, "kind": one.kind, "path": one.path or None} for one in systems
            ],
            "metrics": metrics,
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "per_signer": self._signers_json(),
            "per_clip": [self._clip_json(clip) for clip in self.clips],
            "failed": [{"id": one.id, "error": one.error} for one in self.failed],
            "warnings": [*self.warnings, *self._over_smoothed(), *self._few_items()],
            "inputs": dict(self.inputs),
            **{name: part.to_json() for name, part in self.extra.items()},
            "note": NOTE,
        }

    def table(self) -> str:
        """Return the report as text to read."""
        return table(self.to_json())

    def _over_smoothed(self) -> list[str]:
        return [
            f"{system} is over-smoothed: {score.name} is {score.value:.2f} of the truth's."
            for system, scores in self.scores.items()
            if system not in {COPY, PREVIOUS}
            for score in scores
            if score.details.get("over_smoothed") and score.value is not None
        ]

    def _few_items(self) -> list[str]:
        """Warn of distances of sets that depend on the number of items more than usual."""
        return [
            f"{score.name} is of {score.n} generated and {score.details['real']:.0f} real items, "
            f"not more than the {score.details['dimensions']:.0f} numbers of a feature. Compare it "
            "with scores of as many items only."
            for score in self.scores.get(GENERATED, ())
            if score.value is not None and score.details.get("rank_deficient")
        ]

    def _metric_json(self, system: str, score: Score) -> dict[str, Any]:
        return {
            "system": system,
            "name": score.name,
            "value": score.value,
            "ci95": None if score.ci95 is None else list(score.ci95),
            "n": score.n,
            "clips": len(score.per_clip),
            "higher_is_better": score.higher_is_better,
            "ideal": score.ideal,
            "signature": score.signature,
            "details": dict(score.details),
            "unavailable": score.unavailable,
            "beats_copy": self.beats_copy(score.name, system),
        }

    def _signers_json(self) -> list[dict[str, Any]]:
        """Return the means of each signer: of the clips' means, weighted by what was measured."""
        signers = sorted({clip.signer for clip in self.clips} - {""})
        return [self._signer_json(signer) for signer in signers]

    def _signer_json(self, signer: str) -> dict[str, Any]:
        clips = [clip for clip in self.clips if clip.signer == signer]
        names = {clip.id for clip in clips}
        return {
            "signer": signer,
            "clips": len(clips),
            "frames": sum(clip.frames for clip in clips),
            "scores": {
                system: {score.name: _mean_over(score, names) for score in scores}
                for system, scores in self.scores.items()
            },
        }

    def _clip_json(self, clip: ClipResult) -> dict[str, Any]:
        return {
            "id": clip.id,
            "signer": clip.signer,
            "frames": clip.frames,
            "scores": {
                system: {score.name: score.per_clip.get(clip.id) for score in scores}
                for system, scores in self.scores.items()
            },
            "counts": {
                system: {score.name: score.counts.get(clip.id, 0) for score in scores}
                for system, scores in self.scores.items()
            },
            "generated_sha256": clip.generated_sha256,
            "reference_sha256": clip.reference_sha256,
        }


def _kind(name: str) -> Literal["generated", "compared", "baseline"]:
    if name == GENERATED:
        return "generated"
    return "baseline" if name in {COPY, PREVIOUS} else "compared"


def _mean_over(score: Score, clips: set[str]) -> float | None:
    """Return the mean over the items of some clips, or None where none was measured."""
    counts = {clip: count for clip, count in score.counts.items() if clip in clips}
    total = sum(counts.values())
    return sum(score.per_clip[clip] * n for clip, n in counts.items()) / total if total else None
