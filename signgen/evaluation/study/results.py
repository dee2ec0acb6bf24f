"""What raters said, together: means by system, preferences, and how sure they are.

Raters and clips are both samples: of those who could have been asked, and of what could have been
shown. So each mean has two intervals, one over raters and one over clips (percentile bootstrap, as
all scores have).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from signgen.config.evaluation import EvalConfig
from signgen.errors import ExitCode, UserError
from signgen.evaluation.comparison import FEW_CLIPS
from signgen.evaluation.metrics.score import Mean, bootstrap_interval
from signgen.evaluation.reports.text_table import text_table
from signgen.evaluation.study.answers import Answers, Choice, Key, read_answers, read_key
from signgen.evaluation.study.design import SCALES
from signgen.files.paths import check_input, check_output
from signgen.files.writing import save_text

__all__ = ["Estimate", "Preference", "StudyResults", "SystemRating", "study_results"]

NOTE = (
    "A few raters are not the deaf community. A preference does not say that either system is "
    "understood: score the free answers against a true translation."
)
Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Estimate:
    """A mean and how sure it is.

    Args:
        value: Mean over all answers; None of no answers.
        ci95_raters: 95 % bootstrap interval over raters; None with fewer than two.
        ci95_clips: The same over clips.
        n: Answers.
    """

    value: float | None
    ci95_raters: Interval
    ci95_clips: Interval
    n: int

    @classmethod
    def of(cls, answers: Iterable[tuple[str, str, float]]) -> Estimate:
        """Return that of (rater, clip, value)."""
        rows = list(answers)
        mean = Mean.of([value for *_, value in rows])
        raters = _interval([(rater, value) for rater, _, value in rows])
        clips = _interval([(clip, value) for _, clip, value in rows])
        return cls(mean.value, raters, clips, mean.count)

    def cells(self, digits: int = 2) -> list[str]:
        """Return value and both intervals as text."""
        value = "-" if self.value is None else f"{self.value:.{digits}f}"
        both = (self.ci95_raters, self.ci95_clips)
        return [value, *(f"[{c[0]:.{digits}f}, {c[1]:.{digits}f}]" if c else "-" for c in both)]


@dataclass(frozen=True)
class SystemRating:
    """Ratings of a system: an estimate by scale, and the videos that raters could not judge."""

    system: str
    scales: Mapping[str, Estimate]
    could_not_judge: int


@dataclass(frozen=True)
class Preference:
    """How often a system was preferred to another one.

    Args:
        share: Of answers that prefer it, where no difference counts half.
    """

    system: str
    other: str
    preferred: int
    not_preferred: int
    no_difference: int
    could_not_judge: int
    share: Estimate


@dataclass(frozen=True)
class StudyResults:
    """All that came back of a study.

    Args:
        raters: Their number by what they say of themselves.
        left: Answers that prefer the video on the left, and on the right: half each is expected.
        refused: Files that were left out, with the reason.
        words: What raters wrote that a video signs, by its name on the page, which does not tell
            the system: score it before looking into the key.
    """

    study: str
    raters: Mapping[str, int]
    ratings: Sequence[SystemRating]
    preferences: Sequence[Preference]
    left: tuple[int, int]
    refused: Mapping[str, str]
    words: Sequence[Mapping[str, str]]
    comments: Sequence[str]
    note: str = NOTE

    def to_json(self) -> dict[str, object]:
        """Return it as what JSON can hold."""
        return {"schema_version": 1, **asdict(self)}

    def table(self) -> str:
        """Lay it out as text."""
        count = sum(self.raters.values())
        said = ", ".join(f"{number} {name}" for name, number in self.raters.items())
        intervals = ["over raters", "over clips"]
        rows = [["system", "scale, 1 to 5", "mean", *intervals, "ratings", "could not judge"]]
        for one in self.ratings:
            for name, estimate in one.scales.items():
                last = [str(estimate.n), str(one.could_not_judge)]
                rows.append([one.system, name, *estimate.cells(), *last])
        lines = [f"{count} rater{'' if count == 1 else 's'}: {said}", "", *text_table(rows)]
        if self.preferences:
            heads = ["better", "worse", "no difference", "could not judge"]
            rows = [["system", "against", "share that prefers it", *intervals, *heads]]
            for pair in self.preferences:
                counts = (pair.preferred, pair.not_preferred, pair.no_difference)
                cells = [*pair.share.cells(), *map(str, (*counts, pair.could_not_judge))]
                rows.append([pair.system, pair.other, *cells])
            sides = f"left was preferred {self.left[0]} times, right {self.left[1]} times"
            lines += ["", *text_table(rows), sides]
        if count < FEW_CLIPS:
            lines.append(f"warning: intervals over fewer than {FEW_CLIPS} raters are too narrow")
        return "\n".join([*lines, "", self.note])


def study_results(config: EvalConfig) -> StudyResults:
    """Read the answers that raters sent back, and put them together; write them where asked.

    Args:
        config: `study`, the folder with the key; `study_results`, a file or a folder of answers;
            `out`.

    Raises:
        UserError: If there is no key, or no file of answers that can be used.
    """
    if config.study is None:
        raise UserError(
            "--study-results needs the study that was answered; expected its folder, which has "
            "key.json, as --study.",
            ExitCode.USAGE,
        )
    if config.report is not None or config.latex is not None:
        raise UserError(
            "--report and --latex are of scores; expected --out FILE.json with --study-results.",
            ExitCode.USAGE,
        )
    out = None if config.out is None else check_output(config.out, ".json")
    key = read_key(Path(config.study) / "key.json")
    answers, refused = _read_all(Path(str(config.study_results)), key)
    results = _together(key, answers, refused)
    if out is not None:
        save_text(out, json.dumps(results.to_json(), indent=1, ensure_ascii=False) + "\n")
    return results


def _read_all(place: Path, key: Key) -> tuple[list[Answers], dict[str, str]]:
    """Return the answers of every rater, and why which files are left out."""
    files = [place]
    if place.is_dir():
        files = [path for path in sorted(place.glob("*.json")) if path.name != "key.json"]
    if not files:
        raise UserError(
            f"{place} holds no answers; expected the .json files that raters saved.",
            ExitCode.NO_INPUT,
        )
    by_rater: dict[str, tuple[Answers, Path]] = {}
    refused: dict[str, str] = {}
    for path in files:
        try:
            check_input(path, "file of answers")
            answers = read_answers(path, key)
            if answers.rater in by_rater:
                raise UserError(
                    f"{path} is of rater {answers.rater!r:.40}, as {by_rater[answers.rater][1]} "
                    "is; expected one file of each. Remove one of them."
                )
        except UserError as error:
            if not place.is_dir():
                raise
            refused[str(path)] = str(error)
        else:
            by_rater[answers.rater] = (answers, path)
    if not by_rater:
        raise UserError(next(iter(refused.values())))
    return [answers for answers, _ in by_rater.values()], refused


def _together(key: Key, answers: Sequence[Answers], refused: Mapping[str, str]) -> StudyResults:
    systems = list(dict.fromkeys(item.system for item in key.items.values()))
    choices = [choice for one in answers for choice in one.choices]
    return StudyResults(
        study=key.study,
        raters=dict(Counter(one.hearing or "not said" for one in answers)),
        ratings=[_rating(system, answers) for system in systems],
        preferences=[
            _preference(system, other, answers)
            for system, other in combinations(systems, 2)
            if any(_between(choice, system, other) for choice in choices)
        ],
        left=(
            sum(choice.choice == "left" for choice in choices),
            sum(choice.choice == "right" for choice in choices),
        ),
        refused=refused,
        words=[
            {"rater": one.rater, "item": rating.item.id, "clip": rating.item.clip, "signed": text}
            for one in answers
            for rating in one.ratings
            if (text := rating.signed.strip())
        ],
        comments=[one.comment for one in answers if one.comment.strip()],
    )


def _rating(system: str, answers: Sequence[Answers]) -> SystemRating:
    rated = [
        (one.rater, rating.item.clip, rating.values)
        for one in answers
        for rating in one.ratings
        if rating.item.system == system
    ]
    scales = {
        scale.name: Estimate.of(
            (rater, clip, values[scale.name]) for rater, clip, values in rated if values
        )
        for scale in SCALES
    }
    return SystemRating(system, scales, sum(not values for *_, values in rated))


def _preference(system: str, other: str, answers: Sequence[Answers]) -> Preference:
    shares = {"better": 1.0, "worse": 0.0, "same": 0.5}
    rows: list[tuple[str, str, str]] = []
    for one in answers:
        for choice in one.choices:
            if not _between(choice, system, other):
                continue
            said = choice.choice
            if said in {"left", "right"}:
                chosen = choice.left if said == "left" else choice.right
                said = "better" if chosen.system == system else "worse"
            rows.append((one.rater, choice.left.clip, said))
    counts = Counter(said for *_, said in rows)
    return Preference(
        system=system,
        other=other,
        preferred=counts["better"],
        not_preferred=counts["worse"],
        no_difference=counts["same"],
        could_not_judge=counts["cannot"],
        share=Estimate.of(
            (rater, clip, shares[said]) for rater, clip, said in rows if said in shares
        ),
    )


def _between(choice: Choice, system: str, other: str) -> bool:
    return {choice.left.system, choice.right.system} == {system, other}


def _interval(rows: Sequence[tuple[str, float]]) -> Interval:
    """Return the bootstrap interval of a mean over groups: raters, or clips."""
    groups: dict[str, list[float]] = defaultdict(list)
    for name, value in rows:
        groups[name].append(value)
    means = [Mean.of(groups[name]) for name in sorted(groups)]
    return bootstrap_interval(
        np.array([mean.total for mean in means]),
        np.array([mean.count for mean in means], np.float64),
    )
