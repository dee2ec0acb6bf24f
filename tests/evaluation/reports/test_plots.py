"""Plots: dots and curves stand where their values say."""

from __future__ import annotations

from itertools import pairwise
from xml.etree.ElementTree import Element

import pytest

from signgen.evaluation.reports.plots import SERIES, IntervalRow, Series, interval_plot, sorted_plot


def numbers(elements: list[Element], name: str) -> list[float]:
    return [float(element.attrib[name]) for element in elements]


def axis(svg: Element, name: str) -> list[tuple[float, float]]:
    """Return value and place of every tick."""
    texts = [element for element in svg.findall("text") if element.text.lstrip("-")[0].isdigit()]
    lines = [element for element in svg.findall("line") if element.get("class") == "grid"]
    return list(zip([float(t.text) for t in texts], numbers(lines, f"{name}1"), strict=True))


def place(ticks: list[tuple[float, float]], value: float) -> float:
    """Return where a value belongs, by the first and the last tick."""
    (low, start), (high, stop) = ticks[0], ticks[-1]
    return start + (value - low) / (high - low) * (stop - start)


def test_dots_and_bars_stand_at_their_values() -> None:
    rows = [
        IntervalRow("ours", 0.8, (0.75, 0.9), 0),
        IntervalRow("a/very/long/path/to/the/frames/of/others", 0.6, None, 1),
    ]
    svg = interval_plot("ssim", rows)
    ticks = axis(svg, "x")
    first, second = svg.findall("g")
    for group, row in ((first, rows[0]), (second, rows[1])):
        (dot,) = group.findall("circle")
        assert float(dot.attrib["cx"]) == pytest.approx(place(ticks, row.value), abs=0.2)
    bar = first.find("line")
    ends = [float(bar.attrib[name]) for name in ("x1", "x2")]
    assert ends == pytest.approx([place(ticks, 0.75), place(ticks, 0.9)], abs=0.2)
    assert second.findall("line") == []
    name = second.find("text")
    assert name.text == "…" + rows[1].name[-27:]
    assert name.find("title").text == rows[1].name
    assert svg.attrib["aria-label"].endswith(
        "ours 0.8000; a/very/long/path/to/the/frames/of/others 0.6000."
    )


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 25.36, 1e-9, 4e6])
def test_equal_values_still_have_an_axis(value: float) -> None:
    svg = interval_plot("psnr", [IntervalRow(name, value, (value, value), 0) for name in "ab"])
    ticks = axis(svg, "x")
    assert 2 <= len(ticks) <= 8
    dots = numbers(svg.findall("g/circle"), "cx")
    assert dots[0] == dots[1]
    assert 230 <= dots[0] <= 560


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.9), (-3, 100), (0.888, 0.8881), (12.3, 1234)])
def test_ticks_are_round_even_and_inside(low: float, high: float) -> None:
    rows = [IntervalRow("a", low, None, 0), IntervalRow("b", high, None, 1)]
    ticks = axis(interval_plot("ssim", rows), "x")
    steps = {round(b[0] - a[0], 9) for a, b in pairwise(ticks)}
    assert len(steps) == 1
    assert f"{steps.pop():.0e}"[0] in "125"
    assert 3 <= len(ticks) <= 7
    assert all(230 <= x <= 560 for _, x in ticks)


def test_curves_rise_from_the_smallest_to_the_largest_clip() -> None:
    svg = sorted_plot("ssim", [Series("ours", [0.9, 0.5, 0.7], 0), Series("copy", [0.2, 0.4], 7)])
    ticks = axis(svg, "y")
    ours, copy = svg.findall("g")
    points = [
        tuple(map(float, point.split(",")))
        for point in ours.find("polyline").attrib["points"].split()
    ]
    assert [y for _, y in points] == pytest.approx(
        [place(ticks, v) for v in (0.5, 0.7, 0.9)], abs=0.2
    )
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert len(ours.findall("circle")) == 3
    assert copy.attrib["class"] == f"series-{7 % SERIES}"
    assert copy.find("polyline").attrib["stroke-dasharray"]
    assert ours.find("polyline").get("stroke-dasharray") is None


def test_many_clips_are_a_curve_without_dots() -> None:
    svg = sorted_plot("ssim", [Series("ours", [i / 500 for i in range(500)], 0)])
    assert svg.findall("g/circle") == []
    assert len(svg.find("g/polyline").attrib["points"].split()) == 500
