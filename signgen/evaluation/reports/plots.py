"""What the plots of a report show, and their axes; the template `plots.svg` draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from signgen.evaluation.reports.report import Report, Result

__all__ = ["STYLES", "Axis", "interval_plot", "sorted_plot"]

STYLES = 6
"""Styles of systems: the page has a colour for each of the classes `series-0` and so on."""


class Axis:
    """A straight axis between two places, a little longer than the range of its values.

    Args:
        values: What it must hold, at least one.
        start: Place of its lower end, in pixels.
        stop: Place of its upper end.
    """

    def __init__(self, values: Sequence[float], start: float, stop: float) -> None:
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


def interval_plot(report: Report, metric: str) -> tuple[dict[str, Result], Axis] | None:
    """Return the results of the systems that have a value, and their horizontal axis.

    One dot is drawn for each with its interval as a bar, and the value in figures.
    """
    results = {name: one for name, one in report.by_system(metric).items() if one.value is not None}
    bounds = [bound for one in results.values() for bound in (one.value, *(one.ci95 or ()))]
    known = [bound for bound in bounds if bound is not None]
    return (results, Axis(known, 230, 560)) if known else None


def sorted_plot(report: Report, metric: str) -> tuple[dict[str, list[float]], Axis] | None:
    """Return the sorted values of all clips of each system, and their vertical axis.

    Curves of clips show what a mean hides: a tail of failures, or a few clips that carry the score.
    One clip alone has no curve.
    """
    values = {}
    for name in report.by_system(metric):
        scores = [clip.scores.get(name, {}).get(metric) for clip in report.per_clip]
        if own := sorted(score for score in scores if score is not None):
            values[name] = own
    if not any(len(own) > 1 for own in values.values()):
        return None
    top = 22 * len(values) + 12  # below the legend
    return values, Axis([value for own in values.values() for value in own], top + 200, top)
