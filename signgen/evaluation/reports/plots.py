"""Where the marks of a report's plots stand: values with intervals, and all clips, sorted.

The template `plots.svg` draws them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from signgen.evaluation.reports.report import Report
from signgen.evaluation.reports.values import number

__all__ = ["STYLES", "WIDTH", "Mark", "Plot", "interval_plot", "sorted_plot"]

STYLES = 6
"""Styles of systems: the page has a colour for each of the classes `series-0` and so on."""
WIDTH = 760
_LEFT, _RIGHT = 230.0, 560.0
"""Where the plotting area of an interval plot begins and ends; names stand left, values right."""
_ROW = 26
_LEGEND = 22
_DOTTED = 120
"""Up to so many clips each has a dot on its curve."""


@dataclass(frozen=True)
class Mark:
    """One system in a plot.

    Args:
        name: Name of the system.
        style: Number of its style, below `STYLES`.
        y: Height of its row, or of its line in the legend.
        points: (x, y) of its values.
        text: Its value in figures.
        ends: The two x of its interval, or none.
    """

    name: str
    style: int
    y: float
    points: list[tuple[float, float]]
    text: str = ""
    ends: tuple[float, ...] = ()

    @property
    def dotted(self) -> bool:
        """Whether each value has a dot."""
        return len(self.points) <= _DOTTED


@dataclass(frozen=True)
class Plot:
    """A plot.

    Args:
        title: What it shows.
        description: Its numbers in words.
        bottom: Where the plotting area ends.
        left: Where it begins, as `right`, in pixels of `WIDTH`.
        right: Where it ends.
        ticks: Places and labels of the axis of values.
        marks: The systems.
    """

    title: str
    description: str
    bottom: float
    left: float
    right: float
    ticks: list[tuple[float, str]]
    marks: list[Mark]


def interval_plot(report: Report, metric: str) -> Plot | None:
    """Place one dot per system with its interval as a bar, and the value in figures."""
    results = [
        (one, one.value) for one in report.by_system(metric).values() if one.value is not None
    ]
    if not results:
        return None
    bounds = [bound for one, value in results for bound in (value, *(one.ci95 or ()))]
    axis = _Axis(bounds, _LEFT, _RIGHT)
    marks = []
    for row, (one, value) in enumerate(results):
        y, style = _ROW * (row + 0.5) + 4, report.system_names.index(one.system) % STYLES
        ends = tuple(map(axis.place, one.ci95 or ()))
        text = number(metric, value)
        marks.append(Mark(one.system, style, y, [(axis.place(value), y)], text, ends))
    title = f"{metric}: value and 95 % interval of each system"
    description = "; ".join(f"{mark.name} {mark.text}" for mark in marks)
    return Plot(title, description, _ROW * len(marks) + 8, _LEFT, _RIGHT, axis.ticks(), marks)


def sorted_plot(report: Report, metric: str) -> Plot | None:
    """Place the values of all clips of each system from smallest to largest, one curve each.

    Curves of clips show what a mean hides: a tail of failures, or a few clips that carry the score.
    One clip alone has no curve.
    """
    values = {}
    for name in report.by_system(metric):
        scores = [clip.scores.get(name, {}).get(metric) for clip in report.per_clip]
        if own := sorted(value for value in scores if value is not None):
            values[name] = own
    if not any(len(own) > 1 for own in values.values()):
        return None
    left, right, top = 60.0, WIDTH - 20.0, _LEGEND * len(values) + 12.0
    axis = _Axis([value for own in values.values() for value in own], top + 200, top)
    marks = []
    for row, (name, own) in enumerate(values.items()):
        last = len(own) - 1
        points = [
            # A single clip stands in the middle.
            (left + (right - left) * (i / last if last else 0.5), axis.place(value))
            for i, value in enumerate(own)
        ]
        style = report.system_names.index(name) % STYLES
        marks.append(Mark(name, style, _LEGEND * row + 12, points))
    description = "; ".join(
        f"{name} from {number(metric, own[0])} to {number(metric, own[-1])}"
        for name, own in values.items()
    )
    title = f"{metric}: values of all clips, sorted"
    return Plot(title, description, top + 200, left, right, axis.ticks(), marks)


class _Axis:
    """A straight axis between two places, a little longer than the range of the values."""

    def __init__(self, values: list[float], start: float, stop: float) -> None:
        low, high = min(values), max(values)
        margin = (high - low) * 0.06 or max(abs(high), 1.0) * 0.05
        self.low, self.high = low - margin, high + margin
        self.start, self.stop = start, stop

    def place(self, value: float) -> float:
        """Return where a value stands."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return places and labels of three to seven round values."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        rounded = [round(i * step, digits) + 0.0 for i in range(first, last + 1)]
        return [(self.place(value), f"{value:.{digits}f}") for value in rounded]
