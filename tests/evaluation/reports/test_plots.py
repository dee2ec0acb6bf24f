"""Plots: dots and curves stand where their values say."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree.ElementTree import Element, fromstring

import pytest

from signgen.evaluation.reports.page import html_report
from signgen.evaluation.reports.plots import STYLES, Axis
from signgen.evaluation.reports.report import Report, System

LONG = "a/very/long/path/to/the/frames/of/others"


def drawn(report: Report, values: dict[str, list[float]], **changes: object) -> list[Element]:
    """Draw the plots of a report whose systems have these values of `ssim`, clip by clip."""
    results = [
        replace(report.metrics[0], system=name, value=own[0], **changes)
        for name, own in values.items()
    ]
    scores = [
        {name: {"ssim": own[i] if i < len(own) else None} for name, own in values.items()}
        for i in range(max(map(len, values.values())))
    ]
    report = replace(
        report,
        metrics=tuple(results),
        comparisons=(),
        systems=tuple(System(name, "compared") for name in values),
        per_clip=tuple(replace(report.per_clip[0], scores=own) for own in scores),
    )
    plots = re.findall("<svg.*?</svg>", html_report(report), re.DOTALL)
    return [fromstring(plot) for plot in plots]


def numbers(elements: list[Element], name: str) -> list[float]:
    return [float(element.attrib[name]) for element in elements]


def places(svg: Element, name: str, values: list[float]) -> object:
    """Return where values belong, by the first and the last tick."""
    labels = [one.text for one in svg.findall("text") if one.text.lstrip("-")[0].isdigit()]
    lines = [one for one in svg.findall("line") if one.get("class") == "grid"]
    (start, *_, stop), (low, *_, high) = numbers(lines, f"{name}1"), map(float, labels)
    places = [start + (value - low) / (high - low) * (stop - start) for value in values]
    return pytest.approx(places, abs=0.2)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 25.36, 1e-9, 4e6])
def test_equal_values_still_have_an_axis(value: float) -> None:
    axis = Axis([value, value], 230, 560)
    assert 2 <= len(axis.ticks()) <= 8
    assert 230 <= axis.place(value) <= 560


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.9), (-3, 100), (0.888, 0.8881), (12.3, 1234)])
def test_ticks_are_round_even_and_inside(low: float, high: float) -> None:
    ticks = Axis([low, high], 230, 560).ticks()
    steps = {round(float(b[1]) - float(a[1]), 9) for a, b in pairwise(ticks)}
    assert len(steps) == 1
    assert f"{steps.pop():.0e}"[0] in "125"
    assert 3 <= len(ticks) <= 7
    assert all(230 <= x <= 560 for x, _ in ticks)


def test_dots_and_bars_stand_at_their_values(report: Report) -> None:
    (svg,) = drawn(report, {"ours": [0.8], LONG: [0.6]}, ci95=(0.55, 0.9))
    first, second = svg.findall("g")
    assert numbers(svg.findall("g/circle"), "cx") == places(svg, "x", [0.8, 0.6])
    for group in (first, second):
        bar = group.find("line")
        assert [float(bar.attrib[x]) for x in ("x1", "x2")] == places(svg, "x", [0.55, 0.9])
    assert second.find("text").text == "…" + LONG[-27:]
    assert second.find("text/title").text == LONG
    assert svg.attrib["aria-label"].endswith(f"ours 0.8000; {LONG} 0.6000.")
    (svg,) = drawn(report, {"ours": [0.8]}, ci95=None)
    assert svg.findall("g/line") == []


def test_curves_rise_from_the_smallest_to_the_largest_clip(report: Report) -> None:
    others = {f"s{i}": [0.2, 0.4] for i in range(STYLES)}
    _, svg = drawn(report, {"ours": [0.9, 0.5, 0.7], **others, "many": [0.3] * 500})
    ours, *rest, many = svg.findall("g")
    points = [point.split(",") for point in ours.find("polyline").attrib["points"].split()]
    assert [float(y) for _, y in points] == places(svg, "y", [0.5, 0.7, 0.9])
    assert float(points[0][1]) > float(points[-1][1]), "y grows downward"
    assert [float(x) for x, _ in points] == [60, 400, 740]
    assert len(ours.findall("circle")) == 3
    assert [group.attrib["class"][-1] for group in rest] == [*"12345", "0"]
    dashes = [group.find("polyline").get("stroke-dasharray") for group in (ours, *rest)]
    assert len(set(dashes)) == STYLES
    # Many clips are a curve without dots.
    assert many.findall("circle") == []
    assert len(many.find("polyline").attrib["points"].split()) == 500
