"""How values are written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signgen.evaluation.reports.report import Report, Result
from signgen.evaluation.reports.values import (
    caveat,
    details,
    direction,
    interval,
    number,
    one_line,
    unit,
    verdicts,
)


@pytest.fixture
def result(report: Report) -> Result:
    return replace(report.metrics[0], beats_copy=None)


def test_digits_follow_what_papers_report() -> None:
    for metric, value, expected in (
        ("ssim", 0.88804, "0.8880"),
        ("ssim_win7", 1, "1.0000"),
        ("psnr", 25.357, "25.36"),
        ("fid_cfld", 7.125, "7.12"),
        ("kid", 0.00123, "0.0012"),
        ("ssim", None, "not measured"),
    ):
        assert number(metric, value) == expected
    assert interval("psnr", [1, 2.345]) == "[1.00, 2.35]"
    assert interval("psnr", None) == ""


def test_directions_and_units_are_said(result: Result) -> None:
    assert direction(result) == "higher is better"
    assert direction(replace(result, higher_is_better=False)) == "lower is better"
    assert direction(replace(result, ideal=1.0)) == "best at 1"
    units = [unit(f"{metric}_more") for metric in ("psnr", "hand_pe", "keypoint", "ssim")]
    assert units == ["dB", "pixels of a 256-pixel patch", "shoulder widths", ""]


@pytest.mark.parametrize(("clips", "warned"), [(1, False), (2, True), (19, True), (20, False)])
def test_few_clips_are_warned_of(clips: int, warned: bool) -> None:
    text = caveat(clips)
    assert text.startswith(f"With only {clips} clips") == bool(text) == warned


def test_verdicts_and_details_are_said_on_one_line(result: Result) -> None:
    assert verdicts(result) == ""
    worse = replace(result, beats_copy=False, details={"over_smoothed": 0.0})
    assert verdicts(worse) == "not shown to be better than copying the source"
    smoothed = replace(result, beats_copy=True, details={"over_smoothed": 1.0})
    assert verdicts(smoothed) == (
        "better than copying the source; over-smoothed: moves less than the truth"
    )
    result = replace(result, details={"coverage": 0.98, "detected_rate": None})
    assert details(result) == "coverage 0.98, detected rate not measured"


def test_text_from_files_is_one_line_that_can_be_encoded() -> None:
    assert one_line("Übung 手 a b") == "Übung 手 a b"
    assert one_line("a\nb\t\u202e\ud800\0") == "a\\nb\\t\\u202e\\ud800\\x00"
    assert one_line(3) == "3"
