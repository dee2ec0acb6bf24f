"""How the values of a report are written: digits, intervals, directions, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from signgen.evaluation.comparison import FEW_CLIPS

if TYPE_CHECKING:
    from signgen.evaluation.reports.report import Report, Result

__all__ = [
    "absent_metrics",
    "caveat",
    "details",
    "direction",
    "found",
    "interval",
    "number",
    "one_line",
    "unit",
    "verdicts",
]

_TWO_DIGITS = ("psnr", "fid", "fvd", "bleu", "chrf", "rouge")
"""Beginnings of the names of metrics that papers report with two digits."""

_UNITS = {
    "psnr": "dB",
    "l1": "share of the range",
    "hand_pe": "pixels of a 256-pixel patch",
    "keypoint": "shoulder widths",
    "flicker": "ratio to the truth",
    "brightness_jitter": "ratio to the truth",
    "second_difference": "ratio to the truth",
    "tcd": "share of pixels",
    "warping_error": "squared, range 0 to 1",
}
"""Units by beginnings of the names of metrics; similarities and distances of features have none."""

_FOUND = {"coverage": "measured", "detected_rate": "detected", "noise_floor": "noise floor"}
"""Details that say how much a value of regions is worth, and what they are called."""


def number(metric: str, value: float | None) -> str:
    """Write a value of a metric: two digits after the point for PSNR, FID and the like, else four.

    Args:
        metric: Name of the metric.
        value: Its value, or None where nothing was measured.
    """
    if value is None:
        return "not measured"
    return f"{value:.{2 if metric.startswith(_TWO_DIGITS) else 4}f}"


def interval(metric: str, ci95: Sequence[float] | None) -> str:
    """Write an interval of a metric as `[low, high]`; empty where there is none."""
    return "" if ci95 is None else f"[{', '.join(number(metric, bound) for bound in ci95)}]"


def unit(metric: str) -> str:
    """Return the unit of a metric in words, empty where it has none."""
    return next((text for start, text in _UNITS.items() if metric.startswith(start)), "")


def direction(result: Result) -> str:
    """Say which values of a metric are the better ones: those at one end, or near its ideal."""
    if result.ideal is not None:
        return f"best at {result.ideal:g}"
    return "higher is better" if result.higher_is_better else "lower is better"


def verdicts(result: Result) -> str:
    """Say in words what a metric shows: against the copy of the source, and on over-smoothing."""
    beats = {
        True: ["better than copying the source"],
        False: ["not shown to be better than copying the source"],
        None: [],
    }
    smoothed = result.details.get("over_smoothed")
    return "; ".join(
        beats[result.beats_copy] + ["over-smoothed: moves less than the truth"] * bool(smoothed)
    )


def details(result: Result) -> str:
    """Write the further numbers of a metric on one line: `coverage 0.9800, left 0.6100`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {'not measured' if value is None else format(value, '.4g')}"
        for name, value in result.details.items()
    )


def found(results: Sequence[Result]) -> str:
    """Say how much of what a metric looks at was found: to be read before its value.

    Args:
        results: Results of one metric, one a system. What differs between systems is written once
            for each, in their order.
    """
    said = []
    for name, words in _FOUND.items():
        values = [result.details.get(name) for result in results]
        if any(value is not None for value in values):
            shown = [
                "-" if one is None else f"{one:.2f}" if name == "noise_floor" else f"{one:.1%}"
                for one in values
            ]
            said.append(f"{words} {' / '.join(shown if len({*shown}) > 1 else shown[:1])}")
    return ", ".join(said)


def caveat(clips: int) -> str:
    """Return a warning where so many clips are too few for intervals; else nothing."""
    if not 2 <= clips < FEW_CLIPS:
        return ""
    return f"With only {clips} clips, intervals are too narrow and p-values too small."


def absent_metrics(report: Report) -> dict[str, list[str]]:
    """Return the metrics that all systems lack for one and the same reason, by the reason."""
    absent: dict[str, list[str]] = {}
    for metric in report.metric_names:
        reasons = {result.unavailable for result in report.by_system(metric).values()}
        if len(reasons) == 1 and "" not in reasons:
            absent.setdefault(reasons.pop(), []).append(metric)
    return absent


def one_line(text: object) -> str:
    """Return text that comes from files and paths as one line that can be shown and encoded.

    Control characters, line ends, characters that turn the direction of writing and halves of
    surrogate pairs, all of which names of files may hold, are written as escapes.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )
