"""Score clips, one after another: a bad one is left out of all scores and listed with its error."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import signgen
from signgen.errors import ExitCode, UserError
from signgen.evaluation.clips import ClipPair, Failure
from signgen.evaluation.comparison import compare_with_others
from signgen.evaluation.metric_choice import Slot
from signgen.evaluation.metrics import Metric, Score
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.from_scores import frames_report
from signgen.evaluation.reports.report import COPY, GENERATED, PREVIOUS, ClipResult, Report, System
from signgen.evaluation.reports.worst_frames import WorstFrames
from signgen.evaluation.stream import CHUNK, Pass
from signgen.media.resizing import filter_version

__all__ = ["BASELINES", "Clip", "Setup", "evaluate_clips", "evaluate_pairs", "make_slots"]

BASELINES = (COPY, PREVIOUS)
CLIP_FAULTS = frozenset({ExitCode.DATA, ExitCode.NO_INPUT, ExitCode.IO})
"""Exit codes of errors that are a clip's own; others would come with every clip."""


class Clip(Protocol):
    """A clip that is opened when its turn comes: `ClipPair`, `ClipFiles` or `LazyClip`."""

    @property
    def id(self) -> str:
        """Name of the clip."""

    def open(self) -> ClipPair:
        """Open the clip."""


@dataclass(frozen=True)
class Setup:
    """What an evaluation measures.

    Args:
        slots: Metrics that have seen nothing yet.
        baselines: Trivial baselines that are scored as well.
        compared: Names of other systems.
        protocol: Name of the protocol, for the report.
        worst: Keeps the worst generated frames, for the page.
        chunk: Frames given to the metrics at a time.
    """

    slots: Sequence[Slot]
    baselines: Sequence[str] = BASELINES
    compared: Sequence[str] = ()
    protocol: str | None = None
    worst: WorstFrames | None = None
    chunk: int = CHUNK


def evaluate_pairs(
    pairs: Iterable[Clip],
    metrics: Sequence[Metric],
    *,
    skip_source: bool = False,
    baselines: Sequence[str] = BASELINES,
    chunk: int = CHUNK,
) -> Report:
    """Score pairs of clips by metrics of any kind, at the size that they have.

    Args:
        pairs: The clips, names unique.
        metrics: Metrics that have seen nothing yet.
        skip_source: Leave out the first frame of each clip, where it is the source.
        baselines: Trivial baselines that are scored as well.
        chunk: Frames given to the metrics at a time.

    Returns:
        The scores; see `evaluate_clips`.

    Raises:
        UserError: See `evaluate_clips`.
    """
    slots = make_slots(metrics, View(frames="without-source" if skip_source else "all"))
    return evaluate_clips(pairs, Setup(slots, baselines, chunk=chunk))


def evaluate_clips(
    clips: Iterable[Clip], setup: Setup, *, failed: Sequence[Failure] = ()
) -> Report:
    """Score clips in one pass; memory does not grow with the length of a clip.

    A clip that cannot be read, or whose frames, sizes or poses do not fit together, is left out of
    all scores of all systems and listed, if others could be scored.

    Args:
        clips: The clips, names unique.
        setup: What is measured.
        failed: Clips that are known to be missing somewhere.

    Returns:
        The scores, with protocol, filter, list of clips and version in their signatures.

    Raises:
        UserError: If nothing could be scored: the error of the one clip, or of the first of many.
    """
    running = Pass(
        setup.slots, setup.compared, setup.baselines, worst=setup.worst, chunk=setup.chunk
    )
    done = _Done(failures=list(failed))
    shows_source = any(slot.view.frames == "all" for slot in setup.slots)
    for clip in clips:
        if clip.id in done.seen:
            raise UserError(f"clip {clip.id} comes twice; expected unique names.")
        done.seen.add(clip.id)
        try:
            pair = clip.open()
            result = running.measure(pair)
        except UserError as error:
            if error.code not in CLIP_FAULTS:
                raise
            done.note(clip.id, error)
            continue
        done.results.append(result)
        hidden = 0 if shows_source or pair.source is not None else 1
        done.frames += result.frames - hidden
    done.check()
    scores = {
        system: tuple(_score(slot, setup, done.results) for slot in slots)
        for system, slots in running.systems.items()
    }
    systems = [System(GENERATED, "generated")]
    systems += [System(name, "compared", name) for name in setup.compared]
    systems += [System(name, "baseline") for name in setup.baselines]
    return frames_report(
        scores,
        done.results,
        systems=systems,
        failed=done.failures,
        protocol=setup.protocol,
        comparisons=compare_with_others(
            {name: scores[name] for name in (GENERATED, *setup.compared)}, GENERATED
        ),
        worst=() if running.worst is None else running.worst.frames(),
    )


@dataclass
class _Done:
    """What became of the clips so far.

    Args:
        failures: Clips that could not be scored.
        results: Clips that were.
        seen: Names of all.
        frames: Frames that were scored.
        first: The first error of a clip.
    """

    failures: list[Failure]
    results: list[ClipResult] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    frames: int = 0
    first: UserError | None = None

    def note(self, clip: str, error: UserError) -> None:
        """Note a clip that could not be scored."""
        self.first = self.first or error
        self.failures.append(Failure(clip, str(error)))

    def check(self) -> None:
        """Check that something was scored.

        Raises:
            UserError: If not.
        """
        if self.failures and not self.results:
            first = self.first or UserError(self.failures[0].error, ExitCode.NO_INPUT)
            if len(self.failures) == 1:
                raise first
            raise UserError(
                f"none of {len(self.failures)} clips could be scored. The first: {first}",
                first.code,
            )
        if self.frames < 1:
            raise UserError(
                f"nothing to score in {len(self.results)} clips; expected frames besides the "
                "source, which is the first."
            )


def make_slots(metrics: Sequence[Metric], view: View) -> list[Slot]:
    """Return metrics that are all shown the same frames.

    Args:
        metrics: Metrics that have seen nothing yet.
        view: How frames are brought to them.
    """
    return [Slot(metric.name, view, metric) for metric in metrics]


def _score(slot: Slot, setup: Setup, clips: Sequence[ClipResult]) -> Score:
    """Return the score of a slot, with all that its number depends on in its signature."""
    score = slot.metric.compute()
    resized = "none" if slot.view.size is None else filter_version(slot.view.resize)
    listed = hashlib.sha256("\n".join(sorted(clip.id for clip in clips)).encode()).hexdigest()
    parts = (
        score.signature,
        f"frames:{slot.view.frames}",
        f"resize:{resized}",
        f"protocol:{setup.protocol or 'none'}",
        f"n:{score.n}",
        f"clips:{len(clips)}",
        f"list:{listed[:12]}",
        f"signgen:{signgen.__version__}",
    )
    return replace(score, name=slot.name, signature="|".join(parts))
