"""The report of an evaluation: as JSON, and as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from signgen.metrics import Score

SCHEMA_VERSION = 1
GENERATED = "generated"
"""The frames under test."""
COPY = "copy of the source"
"""The trivial baseline: the first true frame, repeated."""
NOTE = "Automatic scores do not show that signing is understood."


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
    """Scores of the generated frames, and of the trivial baseline beside them.

    Args:
        scores: Scores by system, `generated` first, then `copy of the source` if it was measured;
            the same metrics in the same order.
        clips: The clips.
        inputs: What was compared, for the record.
    """

    scores: Mapping[str, Sequence[Score]]
    clips: Sequence[ClipResult]
    inputs: Mapping[str, object] = field(default_factory=dict)

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

    def beats_copy(self, metric: str) -> bool | None:
        """Say whether the frames are better than the copy with 95 % intervals that do not touch.

        Args:
            metric: Name of the metric.

        Returns:
            None where the copy was not measured or an interval is missing (below two clips).
        """
        if COPY not in self.scores:
            return None
        ours, copy = self.score(metric), self.score(metric, COPY)
        if ours.ci95 is None or copy.ci95 is None:
            return None
        if ours.higher_is_better:
            return ours.ci95[0] > copy.ci95[1]
        return ours.ci95[1] < copy.ci95[0]

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object, `schema_version` 1."""
        metrics = [
            {
                "system": system,
                "name": score.name,
                "value": score.value,
                "ci95": None if score.ci95 is None else list(score.ci95),
                "n": score.n,
                "clips": len(score.per_clip),
                "higher_is_better": score.higher_is_better,
                "signature": score.signature,
                "details": dict(score.details),
                "beats_copy": self.beats_copy(score.name) if system == GENERATED else None,
            }
            for system, scores in self.scores.items()
            for score in scores
        ]
        return {
            "schema_version": SCHEMA_VERSION,
            "metrics": metrics,
            "per_clip": [self._clip_json(clip) for clip in self.clips],
            "inputs": dict(self.inputs),
            "note": NOTE,
        }

    def table(self) -> str:
        """Return the report as text to read."""
        return table(self.to_json())

    def _clip_json(self, clip: ClipResult) -> dict[str, Any]:
        scores = {
            system: {score.name: score.per_clip.get(clip.id) for score in scores}
            for system, scores in self.scores.items()
        }
        return {
            "id": clip.id,
            "signer": clip.signer,
            "frames": clip.frames,
            "scores": scores,
            "generated_sha256": clip.generated_sha256,
            "reference_sha256": clip.reference_sha256,
        }


def table(report: Mapping[str, Any]) -> str:
    """Lay a report out as text: one line per metric, one column per system, then the signatures.

    Args:
        report: What `Report.to_json` returned.
    """
    metrics = report["metrics"]
    systems = list(dict.fromkeys(entry["system"] for entry in metrics))
    ours = [entry for entry in metrics if entry["system"] == systems[0]]
    rows = [["metric", *(f"{system} [95 % interval]" for system in systems), "n", ""]]
    for entry in ours:
        row = [f"{entry['name']} ({'higher' if entry['higher_is_better'] else 'lower'} is better)"]
        for system in systems:
            row += [cell(m) for m in metrics if (m["system"], m["name"]) == (system, entry["name"])]
        rows.append([*row, str(entry["n"]), _verdict(entry, len(systems))])
    lines = columns(rows)
    frames = sum(clip["frames"] for clip in report["per_clip"])
    signers = {clip["signer"] for clip in report["per_clip"]} - {""}
    counted = f"{len(report['per_clip'])} clips, {frames} frames"
    lines += ["", counted + (f", {len(signers)} signers" if signers else "")]
    lines += [
        f"{entry['name']}: hands measured {entry['details']['coverage']:.1%}"
        for entry in ours
        if entry["details"].get("coverage") is not None
    ]
    return "\n".join([*lines, "", *(entry["signature"] for entry in ours), "", report["note"]])


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of as many cells each as lines whose columns begin at the same place."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def cell(entry: Mapping[str, Any]) -> str:
    """Return value and interval of a metric in a report's JSON, as text."""
    if entry["value"] is None:
        return "not measured"
    digits = 2 if entry["name"] == "psnr" else 4
    text = f"{entry['value']:.{digits}f}"
    if entry["ci95"] is None:
        return f"{text} [one clip]"
    low, high = entry["ci95"]
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def _verdict(entry: Mapping[str, Any], systems: int) -> str:
    if systems < 2 or entry["beats_copy"] is None:
        return ""
    return "better than copying" if entry["beats_copy"] else "not shown to beat copying"
