"""Plots: dots and curves stand where their values say."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from signgen.evaluation.reports.plots import STYLES, Plot, interval_plot, sorted_plot
from signgen.evaluation.reports.report import Report, System


def reported(report: Report, values: dict[str, tuple[float, tuple[float, float] | None]]) -> Report:
    """Give a report systems with these values and intervals of `ssim`."""
    results = [
        replace(report.metrics[0], system=name, value=value, ci95=ci95)
        for name, (value, ci95) in values.items()
    ]
    systems = tuple(System(name, "compared") for name in values)
    return replace(report, metrics=tuple(results), systems=systems)


def clips(report: Report, values: dict[str, list[float | None]]) -> Report:
    """Give a report systems with these values of `ssim` in its clips."""
    report = reported(report, dict.fromkeys(values, (0.5, None)))
    count = max(map(len, values.values()))
    padded = {name: [*own, *[None] * (count - len(own))] for name, own in values.items()}
    own = [{name: {"ssim": found[i]} for name, found in padded.items()} for i in range(count)]
    return replace(report, per_clip=tuple(replace(report.per_clip[0], scores=s) for s in own))


def place(plot: Plot, value: float) -> float:
    """Return where a value belongs, by the first and the last tick."""
    (start, low), (stop, high) = plot.ticks[0], plot.ticks[-1]
    return start + (value - float(low)) / (float(high) - float(low)) * (stop - start)


def test_dots_and_bars_stand_at_their_values(report: Report) -> None:
    plot = interval_plot(reported(report, {"a": (0.8, (0.75, 0.9)), "b": (0.6, None)}), "ssim")
    first, second = plot.marks
    assert first.points[0][0] == pytest.approx(place(plot, 0.8), abs=0.2)
    assert first.ends == pytest.approx([place(plot, 0.75), place(plot, 0.9)], abs=0.2)
    assert second.points[0][0] == pytest.approx(place(plot, 0.6), abs=0.2)
    assert second.ends == ()
    assert plot.description == "a 0.8000; b 0.6000"
    assert interval_plot(reported(report, {"a": (None, None)}), "ssim") is None


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 25.36, 1e-9, 4e6])
def test_equal_values_still_have_an_axis(value: float, report: Report) -> None:
    same = (value, (value, value))
    plot = interval_plot(reported(report, {"a": same, "b": same}), "ssim")
    assert 2 <= len(plot.ticks) <= 8
    assert plot.left <= plot.marks[0].points[0][0] == plot.marks[1].points[0][0] <= plot.right


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.9), (-3, 100), (0.888, 0.8881), (12.3, 1234)])
def test_ticks_are_round_even_and_inside(low: float, high: float, report: Report) -> None:
    plot = interval_plot(reported(report, {"a": (low, None), "b": (high, None)}), "ssim")
    steps = {round(float(b[1]) - float(a[1]), 9) for a, b in pairwise(plot.ticks)}
    assert len(steps) == 1
    assert f"{steps.pop():.0e}"[0] in "125"
    assert 3 <= len(plot.ticks) <= 7
    assert all(plot.left <= x <= plot.right for x, _ in plot.ticks)


def test_curves_rise_from_the_smallest_to_the_largest_clip(report: Report) -> None:
    values = {"ours": [0.9, 0.5, None, 0.7], **{f"s{i}": [0.2, 0.4] for i in range(STYLES)}}
    plot = sorted_plot(clips(report, values), "ssim")
    ours, *others = plot.marks
    expected = [place(plot, v) for v in (0.5, 0.7, 0.9)]
    assert [y for _, y in ours.points] == pytest.approx(expected, abs=0.2)
    assert [x for x, _ in ours.points] == sorted(x for x, _ in ours.points)
    assert [mark.style for mark in others] == [*range(1, STYLES), 0]
    assert sorted_plot(clips(report, {"ours": [0.9]}), "ssim") is None, "one clip has no curve"


def test_many_clips_are_a_curve_without_dots(report: Report) -> None:
    (mark,) = sorted_plot(clips(report, {"ours": [i / 500 for i in range(500)]}), "ssim").marks
    assert len(mark.points) == 500
    assert not mark.dotted
