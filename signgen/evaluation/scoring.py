"""Score clips, one after another: a bad one is left out of all scores and listed with its error.

What a clip gathers lies in objects of its own, and joins the results of the others once the clip is
whole.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import signgen
from signgen.errors import ExitCode, UserError
from signgen.evaluation.clips import Clip, Failure
from signgen.evaluation.comparison import compare_with_others
from signgen.evaluation.kinds import UNKNOWN
from signgen.evaluation.measuring import Key, MeasuredClip, key_of, measure_clip
from signgen.evaluation.metric_choice import Measurement
from signgen.evaluation.metrics.base import MeanMetric, Size
from signgen.evaluation.metrics.score import Score
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.from_scores import frames_report
from signgen.evaluation.reports.report import COPY, GENERATED, PREVIOUS, ClipResult, Report, System
from signgen.evaluation.reports.worst_frames import WorstFrames
from signgen.media.resizing import filter_version
from signgen.structures import Progress

__all__ = ["BASELINES", "evaluate_clips"]

log = logging.getLogger(__name__)
BASELINES = (COPY, PREVIOUS)
"""The copies, which need nothing but the truth."""
CHUNK = 16
"""Frames given to the metrics at a time; the result does not depend on it."""
CLIP_FAULTS = frozenset({ExitCode.DATA, ExitCode.NO_INPUT, ExitCode.IO})
"""Exit codes of errors that are a clip's own; others would come with every clip."""


def evaluate_clips(
    clips: Mapping[str, Callable[[], Clip]],
    measurements: Sequence[Measurement],
    *,
    baselines: Sequence[str] = BASELINES,
    compared: Mapping[str, str | None] | None = None,
    protocol: str | None = None,
    failed: Sequence[Failure] = (),
    watched: Measurement | None = None,
    progress: Progress | None = None,
    chunk: int = CHUNK,
) -> Report:
    """Score clips in one pass; memory does not grow with the length of a clip.

    A clip that cannot be read, or whose frames, sizes or poses do not fit together, is left out of
    all scores of all systems and listed, if others could be scored.

    Args:
        clips: What opens each clip when its turn comes, by its name.
        measurements: What is measured.
        baselines: Baselines that are scored as well: `COPY`, `PREVIOUS`, and `WARPED` where clips
            have poses, and key points of the source if it is given.
        compared: Where the frames of other systems are, by name; None where they are in no files.
        protocol: Name of the protocol, for the report.
        failed: Clips that are known to be missing somewhere.
        watched: The measurement whose worst frames are kept, for the page.
        progress: Wraps the clips as they are measured, with their number.
        chunk: Frames given to the metrics at a time.

    Raises:
        UserError: If nothing could be scored: the error of the one clip, or of the first of many.
    """
    compared = compared or {}
    names = (GENERATED, *compared, *baselines)
    systems = {name: [_for_system(one, name) for one in measurements] for name in names}
    whole = _WholeClips(list(failed), worst=WorstFrames(watched.name) if watched else None)
    source_scored = any(one.view.frames == "all" for one in measurements)

    # Measure clip by clip
    items = clips.items()
    for name, open_clip in items if progress is None else progress(items, len(clips)):
        try:
            clip = open_clip()
            measured = measure_clip(
                clip,
                systems,
                whole.results,
                compared=tuple(compared),
                baselines=baselines,
                watched=watched,
                chunk=chunk,
            )
        except UserError as error:
            if error.code not in CLIP_FAULTS:
                raise
            whole.errors.append(error)
            whole.failed.append(Failure(name, str(error)))
            continue
        hidden = 0 if source_scored or clip.source is not None else 1
        whole.join(measured, measured.clip.frames - hidden)
        whole.kinds.add(clip.kind)
    whole.check()

    # Score
    scores = {
        system: tuple(whole.score(system, one, protocol) for one in own)
        for system, own in systems.items()
    }
    return frames_report(
        scores,
        whole.clips,
        systems=[
            System(GENERATED, "generated"),
            *(System(name, "compared", path) for name, path in compared.items()),
            *(System(name, "baseline") for name in baselines),
        ],
        failed=whole.failed,
        protocol=protocol,
        comparisons=compare_with_others(
            {name: scores[name] for name in (GENERATED, *compared)}, GENERATED
        ),
        worst=() if whole.worst is None else tuple(whole.worst.frames),
    )


@dataclass
class _WholeClips:
    """What was measured of the clips that are whole, and what became of the others.

    Args:
        errors: Why clips failed when their turn came.
        frames: Their frames that were scored.
        sizes: Sizes of the frames that each view showed.
        kinds: Kinds of files that true frames came from.
        cut: What was cut at the ends of clips, a line each.
    """

    failed: list[Failure]
    worst: WorstFrames | None
    errors: list[UserError] = field(default_factory=list)
    clips: list[ClipResult] = field(default_factory=list)
    frames: int = 0
    results: dict[Key, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    sizes: dict[View, dict[Size, None]] = field(default_factory=lambda: defaultdict(dict))
    kinds: set[str] = field(default_factory=set)
    cut: list[str] = field(default_factory=list)

    def join(self, measured: MeasuredClip, frames: int) -> None:
        """Let a clip join the others."""
        self.clips.append(measured.clip)
        self.frames += frames
        self.cut += [measured.cut] if measured.cut else []
        for key, results in measured.results.items():
            self.results[key].update(results)
        for view, size in measured.sizes.items():
            self.sizes[view][size] = None
        if self.worst is not None and measured.worst is not None:
            self.worst.join(measured.worst.frames)

    def check(self) -> None:
        """Check that something was scored, and say what was not."""
        if self.cut:
            log.warning(
                "%d of %d clips were cut at the end: %s",
                len(self.cut),
                len(self.clips),
                self.cut[0],
            )
        if self.failed and not self.clips:
            unpaired = UserError(self.failed[0].error, ExitCode.NO_INPUT)
            first = self.errors[0] if self.errors else unpaired
            if len(self.failed) == 1:
                raise first
            raise UserError(
                f"none of {len(self.failed)} clips could be scored. The first: {first}", first.code
            )
        if self.frames < 1:
            raise UserError(
                f"nothing to score in {len(self.clips)} clips; expected frames besides the "
                "source, which is the first."
            )

    def score(self, system: str, one: Measurement, protocol: str | None) -> Score:
        """Return a score with all that its number depends on in its signature."""
        score = one.metric.score(self.results[key_of(system, one)], list(self.sizes[one.view]))
        resized = "none" if one.view.size is None else filter_version(one.view.resize)
        listed = "\n".join(sorted(clip.id for clip in self.clips))
        parts = (
            score.signature,
            f"reference:{'+'.join(sorted(self.kinds)) or UNKNOWN}",
            f"frames:{one.view.frames}",
            f"resize:{resized}",
            f"protocol:{protocol or 'none'}",
            f"n:{score.n}",
            f"clips:{len(self.clips)}",
            f"list:{hashlib.sha256(listed.encode()).hexdigest()[:12]}",
            f"signgen:{signgen.__version__}",
        )
        return replace(score, name=one.name, signature="|".join(parts))


def _for_system(one: Measurement, system: str) -> Measurement:
    """Return the measurement, or what says that a system cannot be measured by it."""
    if system == GENERATED or not one.metric.generated_only:
        return one
    reason = "needs key points of these frames; those given are of the generated ones"
    higher = one.metric.higher_is_better
    metric = MeanMetric(name=one.metric.name, higher_is_better=higher, unavailable=reason)
    return replace(one, metric=metric)
