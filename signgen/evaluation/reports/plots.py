"""Plots of a report as plain SVG: values with intervals, and the values of all clips, sorted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from signgen.evaluation.reports.values import number, one_line

__all__ = ["SERIES", "IntervalRow", "Series", "interval_plot", "sorted_plot"]

SERIES = 6
"""Styles of series: the page has a colour for each of the classes `series-0` and so on."""

_WIDTH = 760
_LEFT, _RIGHT = 230, 560
"""Where the plotting area of an interval plot begins and ends; names stand left, values right."""
_ROW = 26
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2")
_LONGEST_NAME = 28
_DOTTED = 120
"""Up to so many clips each has a dot on its curve."""


@dataclass(frozen=True)
class IntervalRow:
    """One line of an interval plot.

    Args:
        name: Name of the system.
        value: Its value.
        ci95: Its interval (low, high), or None.
        style: Number of the style, counted from 0.
    """

    name: str
    value: float
    ci95: tuple[float, float] | None
    style: int


@dataclass(frozen=True)
class Series:
    """One curve of a sorted plot.

    Args:
        name: Name of the system.
        values: One value per clip, in any order, at least one.
        style: Number of the style, counted from 0.
    """

    name: str
    values: Sequence[float]
    style: int


def interval_plot(metric: str, rows: Sequence[IntervalRow]) -> Element:
    """Draw one dot per system with its interval as a bar, and the value in figures.

    Args:
        metric: Name of the metric.
        rows: The systems, at least one.

    Returns:
        An `svg` element.
    """
    bounds = [bound for row in rows for bound in (row.value, *(row.ci95 or ()))]
    scale = _Scale(min(bounds), max(bounds), _LEFT, _RIGHT)
    bottom = _ROW * len(rows) + 8
    said = "; ".join(f"{row.name} {number(metric, row.value)}" for row in rows)
    svg = _svg(bottom + 26, f"{metric}: value and 95 % interval of each system", said)
    for tick, label in scale.ticks():
        _line(svg, (tick, 4), (tick, bottom), "grid")
        _text(svg, (tick, bottom + 17), label, "middle")
    for index, row in enumerate(rows):
        y = _ROW * index + _ROW / 2 + 4
        group = SubElement(svg, "g", {"class": _style(row.style)})
        _text(group, (_LEFT - 12, y + 4), _shortened(row.name), "end", full=row.name)
        if row.ci95 is not None:
            low, high = (scale.place(bound) for bound in row.ci95)
            _line(group, (low, y), (high, y), "bar")
            for end in (low, high):
                _line(group, (end, y - 5), (end, y + 5), "bar")
        place = {"cx": _f(scale.place(row.value)), "cy": _f(y), "r": "4.5"}
        SubElement(group, "circle", place | {"class": "dot"})
        _text(group, (_RIGHT + 14, y + 4), number(metric, row.value), "start")
    return svg


def sorted_plot(metric: str, series: Sequence[Series]) -> Element:
    """Draw the values of all clips of each system from smallest to largest, one curve each.

    Curves of clips show what a mean hides: a tail of failures, or a few clips that carry the score.

    Args:
        metric: Name of the metric.
        series: The systems, at least one.

    Returns:
        An `svg` element.
    """
    left, right = 60.0, _WIDTH - 20.0
    top = 22.0 * len(series) + 12
    bottom = top + 200
    values = [value for one in series for value in one.values]
    scale = _Scale(min(values), max(values), bottom, top)
    said = "; ".join(
        f"{one.name} from {number(metric, min(one.values))} to {number(metric, max(one.values))}"
        for one in series
    )
    svg = _svg(bottom + 40, f"{metric}: values of all clips, sorted", said)
    for tick, label in scale.ticks():
        _line(svg, (left, tick), (right, tick), "grid")
        _text(svg, (left - 8, tick + 4), label, "end")
    middle = ((left + right) / 2, bottom + 30)
    _text(svg, middle, "clips, each system sorted on its own (0 to 100 %)", "middle")
    for index, one in enumerate(series):
        group = SubElement(svg, "g", {"class": _style(one.style)})
        y = 22.0 * index + 12
        dashes = _DASHES[one.style % len(_DASHES)]
        _line(group, (left, y), (left + 44, y), "curve", dashes)
        _text(group, (left + 54, y + 4), _shortened(one.name, 80), "start", full=one.name)
        _curve(group, one, scale, (left, right), dashes)
    return svg


def _curve(
    group: Element, series: Series, scale: _Scale, span: tuple[float, float], dashes: str
) -> None:
    ordered = sorted(series.values)
    last = len(ordered) - 1
    places = [
        # A single clip stands in the middle.
        (span[0] + (span[1] - span[0]) * (i / last if last else 0.5), scale.place(value))
        for i, value in enumerate(ordered)
    ]
    points = " ".join(f"{_f(x)},{_f(y)}" for x, y in places)
    line = SubElement(group, "polyline", {"class": "curve", "points": points})
    if dashes:
        line.set("stroke-dasharray", dashes)
    for x, y in places if len(places) <= _DOTTED else ():
        SubElement(group, "circle", {"class": "dot", "cx": _f(x), "cy": _f(y), "r": "2.5"})


class _Scale:
    """A straight axis from `low` to `high`, a little wider than the values, between two places."""

    def __init__(self, low: float, high: float, start: float, stop: float) -> None:
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


# ----- elements -----------------------------------------------------------------------------------


def _svg(height: float, title: str, description: str) -> Element:
    box = f"0 0 {_WIDTH} {_f(height)}"
    svg = Element(
        "svg", {"viewBox": box, "role": "img", "aria-label": one_line(f"{title}. {description}.")}
    )
    SubElement(svg, "title").text = one_line(title)
    return svg


def _line(
    parent: Element,
    start: tuple[float, float],
    stop: tuple[float, float],
    style: str,
    dashes: str = "",
) -> None:
    ends = {"x1": _f(start[0]), "y1": _f(start[1]), "x2": _f(stop[0]), "y2": _f(stop[1])}
    line = SubElement(parent, "line", {"class": style} | ends)
    if dashes:
        line.set("stroke-dasharray", dashes)


def _text(
    parent: Element, place: tuple[float, float], text: str, anchor: str, *, full: str = ""
) -> None:
    where = {"x": _f(place[0]), "y": _f(place[1]), "text-anchor": anchor}
    element = SubElement(parent, "text", where)
    element.text = one_line(text)
    if full and full != text:
        SubElement(element, "title").text = one_line(full)


def _style(style: int) -> str:
    return f"series-{style % SERIES}"


def _shortened(name: str, longest: int = _LONGEST_NAME) -> str:
    """Shorten a name at its beginning: the ends of paths tell systems apart."""
    return name if len(name) <= longest else "…" + name[1 - longest :]


def _f(value: float) -> str:
    return f"{value:.1f}"
