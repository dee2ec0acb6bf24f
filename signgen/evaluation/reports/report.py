"""The report of an evaluation: one value for every kind of it, laid out as its JSON is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import signgen
from signgen.evaluation.back_translation import BackTranslation
from signgen.evaluation.clips import Failure
from signgen.evaluation.comparison import Comparison
from signgen.evaluation.metrics.score import Score
from signgen.evaluation.reports.schema import from_json, to_json
from signgen.evaluation.reports.text import frames_table, retrieval_table
from signgen.evaluation.reports.worst_frames import WorstFrame

__all__ = [
    "COPY",
    "FRAMES",
    "GENERATED",
    "NOTE",
    "PREVIOUS",
    "RETRIEVAL",
    "WARPED",
    "ClipResult",
    "Report",
    "Result",
    "SignerResult",
    "System",
]

RETRIEVAL, FRAMES = 1, 2
"""Versions of the schema: scores of stage 1's retrieval, and scores of frames."""
GENERATED = "generated"
"""The frames under test."""
COPY = "copy of the source"
"""A trivial baseline: the source, repeated, which is the first true frame unless one is given."""
PREVIOUS = "copy of the previous frame"
"""A trivial baseline: the true frame before; the first frame is itself."""
WARPED = "warp of the source"
"""A baseline that learns nothing: the source's own pixels moved to the true poses."""
NOTE = "Automatic scores do not show that signing is understood."

_RETRIEVAL, _FRAMES = {"version": RETRIEVAL}, {"version": FRAMES}
_OPTIONAL = {"version": FRAMES, "optional": True}
"""Metadata of fields, see `schema`."""

Scores = Mapping[str, Mapping[str, float | None]]
"""Values by system and metric; None where nothing was measured."""


@dataclass(frozen=True)
class System:
    """Whose frames were scored.

    Args:
        name: Name, unique in a report.
        path: Where the frames are; None where they are made on the way.
    """

    name: str
    kind: Literal["generated", "compared", "baseline"]
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """One metric of one system; see `Score` for what is not said here.

    Args:
        system: Name of the system, or the kind of query.
        own_source: The query's own source was in the gallery.
        clips: Clips with a value.
        beats_copy: The system is better than the copy of the source, with 95 % intervals that do
            not touch; None where the copy was not measured, an interval is missing (below two
            clips), or neither high nor low is better.
    """

    system: str
    own_source: bool | None = field(default=None, metadata=_RETRIEVAL)
    name: str
    value: float | None
    ci95: tuple[float, float] | None
    n: int
    clips: int
    higher_is_better: bool
    ideal: float | None = field(default=None, metadata=_FRAMES)
    signature: str
    details: Mapping[str, float | None]
    unavailable: str = field(default="", metadata=_FRAMES)
    beats_copy: bool | None = field(default=None, metadata=_FRAMES)

    @classmethod
    def of(cls, score: Score, system: str, **more: bool | None) -> Result:
        """Return the entry of a score."""
        return cls(
            system=system,
            name=score.name,
            value=score.value,
            ci95=score.ci95,
            n=score.n,
            clips=len(score.per_clip),
            higher_is_better=score.higher_is_better,
            ideal=score.ideal,
            signature=score.signature,
            details=score.details,
            unavailable=score.unavailable,
            **more,
        )


@dataclass(frozen=True)
class SignerResult:
    """What was measured on the clips of one signer.

    Args:
        scores: Means of the clips' means, weighted by what was measured.
    """

    signer: str
    clips: int
    frames: int
    scores: Scores


@dataclass(frozen=True, kw_only=True)
class ClipResult:
    """What was measured on one clip.

    Args:
        signer: Name of the signer, empty where unknown.
        frames: Frames of the clip, the source frame included.
        scores: Its means.
        generated_sha256: Hash of the pixels of all generated frames.
        reference_sha256: Hash of the pixels of all reference frames.
    """

    id: str
    signer: str
    frames: int
    scores: Scores = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    generated_sha256: str
    reference_sha256: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that an evaluation found.

    Args:
        schema_version: `FRAMES` or `RETRIEVAL`.
        systems: Whose frames were scored, `generated` first.
        metrics: One entry for each metric of each system, or of each kind of query.
        comparisons: Paired comparisons of `generated` with the compared systems.
        per_signer: Means of the signers that are known.
        failed: The clips that could not be scored, with the reason.
        warnings: What a reader should know before the numbers.
        inputs: What was compared, for the record.
        back_translation: What a translator read in the videos.
        note: What no score says.
        worst: The worst generated frames, the worst first; not part of the JSON.
    """

    schema_version: int = FRAMES
    signgen: str = field(default=signgen.__version__, metadata=_FRAMES)
    protocol: str | None = field(default=None, metadata=_FRAMES)
    systems: tuple[System, ...] = field(default=(), metadata=_FRAMES)
    metrics: tuple[Result, ...] = ()
    comparisons: tuple[Comparison, ...] = field(default=(), metadata=_FRAMES)
    per_signer: tuple[SignerResult, ...] = field(default=(), metadata=_FRAMES)
    per_clip: tuple[ClipResult, ...] = field(default=(), metadata=_FRAMES)
    failed: tuple[Failure, ...] = field(default=(), metadata=_FRAMES)
    warnings: tuple[str, ...] = field(default=(), metadata=_FRAMES)
    queries: int = field(default=0, metadata=_RETRIEVAL)
    gallery: int = field(default=0, metadata=_RETRIEVAL)
    inputs: Mapping[str, object] = field(default_factory=dict)
    back_translation: BackTranslation | None = field(default=None, metadata=_OPTIONAL)
    note: str = NOTE
    worst: tuple[WorstFrame, ...] = field(default=(), metadata={"version": None})

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        return cast("dict[str, Any]", to_json(self, self.schema_version))

    @classmethod
    def from_json(cls, value: object) -> Report:
        """Read what `to_json` returned.

        Raises:
            ValueError: If it is of another version, or a key or type is not as the version has it.
        """
        version = value.get("schema_version") if isinstance(value, dict) else None
        if type(version) is not int or version not in {RETRIEVAL, FRAMES}:
            raise ValueError(f"schema_version is {version}; expected {FRAMES} or {RETRIEVAL}")
        return from_json(cls, value, version, "report")

    def table(self, *, per_hand: bool = False, per_signer: bool = False) -> str:
        """Return the report as text to read."""
        if self.schema_version == RETRIEVAL:
            return retrieval_table(self)
        return frames_table(self, per_hand=per_hand, per_signer=per_signer)

    def score(self, metric: str, system: str = GENERATED) -> Result:
        """Return the entry of one metric of one system.

        Raises:
            KeyError: If there is none.
        """
        return self.by_system(metric)[system]

    def by_system(self, metric: str) -> dict[str, Result]:
        """Return the entries of one metric by the name of their system."""
        return {entry.system: entry for entry in self.metrics if entry.name == metric}

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics, in order."""
        return tuple(dict.fromkeys(entry.name for entry in self.metrics))

    @property
    def system_names(self) -> tuple[str, ...]:
        """Names of the systems, in order."""
        return tuple(system.name for system in self.systems)
