"""The report of an evaluation: as JSON, and as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import signgen
from signgen.clip_pairs import Failure
from signgen.metrics import Score

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
            "warnings": [*self.warnings, *self._over_smoothed()],
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


# ----- text ---------------------------------------------------------------------------------------


def table(report: Mapping[str, Any], *, per_hand: bool = False, per_signer: bool = False) -> str:
    """Lay a report out as text: one line per metric, one column per system, then the signatures.

    Args:
        report: What `Report.to_json` returned.
        per_hand: Also lay out the scores of each hand.
        per_signer: Also lay out the scores of each signer.
    """
    metrics = report["metrics"]
    systems = list(dict.fromkeys(entry["system"] for entry in metrics))
    ours = [entry for entry in metrics if entry["system"] == systems[0]]
    measured = [entry for entry in ours if not entry["unavailable"]]
    rows = [["metric [95 % interval]", *systems, "n", ""]]
    for entry in measured:
        row = [f"{entry['name']} ({_direction(entry)})"]
        for system in systems:
            row += [cell(m) for m in metrics if (m["system"], m["name"]) == (system, entry["name"])]
        rows.append([*row, str(entry["n"]), _verdict(entry)])
    lines = [*columns(rows), *_absent(ours), "", _counted(report)]
    lines += [
        f"{entry['name']}: hands measured {entry['details']['coverage']:.1%}"
        for entry in ours
        if entry["details"].get("coverage") is not None
    ]
    lines += [f"warning: {text}" for text in report["warnings"]]
    lines += _compared(report["comparisons"])
    lines += _hands(metrics) if per_hand else []
    lines += _signers(report, systems) if per_signer else []
    lines += _translated(report)
    return "\n".join([*lines, "", *(entry["signature"] for entry in measured), "", report["note"]])


def _absent(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say once for each reason which metrics were not computed."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        if entry["unavailable"]:
            names.setdefault(entry["unavailable"], []).append(entry["name"])
    return [f"{', '.join(found)}: not computed: {reason}" for reason, found in names.items()]


def _direction(entry: Mapping[str, Any]) -> str:
    if entry.get("ideal") is not None:
        return f"{entry['ideal']:g} is best"
    return "higher is better" if entry["higher_is_better"] else "lower is better"


def _counted(report: Mapping[str, Any]) -> str:
    """Say how much was scored."""
    clips = report["per_clip"]
    frames = sum(clip["frames"] for clip in clips)
    signers = len(report["per_signer"])
    text = f"{len(clips)} clips, {frames} frames"
    text += f", {signers} signers" if signers else ""
    text += f", {len(report['failed'])} not scored" if report["failed"] else ""
    return text + (f", protocol {report['protocol']}" if report["protocol"] else "")


def _compared(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    if not comparisons:
        return []
    rows = [["difference", "generated minus", "value [95 % interval]", "p", "clips"]]
    for entry in comparisons:
        p = "" if entry["p"] is None else f"{entry['p']:.3f}"
        value = cell({**entry, "name": entry["metric"], "value": entry["difference"]})
        rows.append([entry["metric"], entry["other"], value, p, str(entry["clips"])])
    return ["", *columns(rows)]


def _hands(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [["metric", "system", "left hand", "right hand"]]
    for entry in metrics:
        hands = [entry["details"].get(hand) for hand in ("left", "right")]
        if any(value is not None for value in hands):
            shown = ["not measured" if value is None else f"{value:.4f}" for value in hands]
            rows.append([entry["name"], entry["system"], *shown])
    return ["", *columns(rows)] if len(rows) > 1 else []


def _signers(report: Mapping[str, Any], systems: Sequence[str]) -> list[str]:
    if not report["per_signer"]:
        return ["", "signers are not known"]
    names = list(report["per_signer"][0]["scores"][systems[0]])
    rows = [["signer", "clips", "frames", *names]]
    for entry in report["per_signer"]:
        values = [entry["scores"][systems[0]][name] for name in names]
        shown = ["-" if value is None else f"{value:.4f}" for value in values]
        rows.append([entry["signer"], str(entry["clips"]), str(entry["frames"]), *shown])
    return ["", *columns(rows)]


def _translated(report: Mapping[str, Any]) -> list[str]:
    found = report.get("back_translation")
    if found is None:
        return []
    rows = [["back-translation", "generated", "truth", "ratio"]]
    for entry in found["scores"]:
        ratio = "-" if entry["ratio"] is None else f"{entry['ratio']:.3f}"
        rows.append([entry["name"], f"{entry['generated']:.2f}", f"{entry['truth']:.2f}", ratio])
    return ["", *columns(rows), *(entry["signature"] for entry in found["scores"])]


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
    digits = 2 if entry["name"].startswith("psnr") else 4
    text = f"{entry['value']:.{digits}f}"
    if entry["ci95"] is None:
        return f"{text} [one clip]"
    low, high = entry["ci95"]
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def _verdict(entry: Mapping[str, Any]) -> str:
    if entry["beats_copy"] is None:
        return ""
    return "better than copying" if entry["beats_copy"] else "not shown to beat copying"
