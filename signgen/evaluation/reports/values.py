"""How the values of a report are written: digits, intervals, directions, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from signgen.evaluation.comparison import FEW_CLIPS

__all__ = [
    "caveat",
    "details",
    "direction",
    "entries_of",
    "interval",
    "metric_names",
    "number",
    "one_line",
    "system_names",
    "unit",
    "verdicts",
]

Entry = Mapping[str, Any]
"""One entry of `metrics` in a report."""

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
    if ci95 is None:
        return ""
    low, high = (number(metric, bound) for bound in ci95)
    return f"[{low}, {high}]"


def unit(metric: str) -> str:
    """Return the unit of a metric in words, empty where it has none."""
    return next((text for start, text in _UNITS.items() if metric.startswith(start)), "")


def direction(entry: Entry) -> str:
    """Say which values of a metric are the better ones: those at one end, or near its ideal."""
    if entry.get("ideal") is not None:
        return f"best at {entry['ideal']:g}"
    return "higher is better" if entry["higher_is_better"] else "lower is better"


def verdicts(entry: Entry) -> tuple[str, ...]:
    """Say in words what a metric shows: against the copy of the source, and on over-smoothing."""
    found = []
    if entry["beats_copy"] is not None:
        found.append(
            "better than copying the source"
            if entry["beats_copy"]
            else "not shown to be better than copying the source"
        )
    if entry["details"].get("over_smoothed"):
        found.append("over-smoothed: moves less than the truth")
    return tuple(found)


def caveat(report: Mapping[str, Any]) -> str:
    """Return a warning where a report has too few clips for its intervals; else nothing."""
    clips = len(report["per_clip"])
    if not 2 <= clips < FEW_CLIPS:
        return ""
    return f"With only {clips} clips, intervals are too narrow and p-values too small."


def details(entry: Entry) -> str:
    """Write the further numbers of a metric on one line: `coverage 0.9800, left 0.6100`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {'not measured' if value is None else format(value, '.4g')}"
        for name, value in entry["details"].items()
    )


def metric_names(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the metrics of a report, in order."""
    return tuple(dict.fromkeys(entry["name"] for entry in report["metrics"]))


def system_names(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the systems of a report, in order."""
    return tuple(system["name"] for system in report["systems"])


def entries_of(report: Mapping[str, Any], metric: str) -> dict[str, Entry]:
    """Return the entries of one metric by the name of their system."""
    return {entry["system"]: entry for entry in report["metrics"] if entry["name"] == metric}


def one_line(text: object) -> str:
    """Return text that comes from files and paths as one line that can be shown and encoded.

    Control characters, line ends, characters that turn the direction of writing and halves of
    surrogate pairs, all of which names of files may hold, are written as escapes.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )
