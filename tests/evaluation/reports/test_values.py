"""How values are written."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("ssim", 0.88804, "0.8880"),
        ("ssim_win7", 1, "1.0000"),
        ("psnr", 25.357, "25.36"),
        ("fid_cfld", 7.125, "7.12"),
        ("kid", 0.00123, "0.0012"),
        ("ssim", None, "not measured"),
    ],
)
def test_digits_follow_what_papers_report(metric: str, value: float, expected: str) -> None:
    assert number(metric, value) == expected


def test_intervals_have_the_digits_of_their_metric() -> None:
    assert interval("psnr", [1, 2.345]) == "[1.00, 2.35]"
    assert interval("psnr", None) == ""


@pytest.mark.parametrize(
    ("higher", "ideal", "expected"),
    [
        (True, None, "higher is better"),
        (False, None, "lower is better"),
        (False, 1.0, "best at 1"),
    ],
)
def test_directions_know_ideal_values(higher: bool, ideal: float | None, expected: str) -> None:
    assert direction({"higher_is_better": higher, "ideal": ideal}) == expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("psnr_without_source", "dB"),
        ("hand_pe_penalty", "pixels of a 256-pixel patch"),
        ("keypoint_dtw", "shoulder widths"),
        ("ssim", ""),
    ],
)
def test_units_are_said_where_there_are_any(metric: str, expected: str) -> None:
    assert unit(metric) == expected


@pytest.mark.parametrize(("clips", "warned"), [(1, False), (2, True), (19, True), (20, False)])
def test_few_clips_are_warned_of(clips: int, warned: bool) -> None:
    text = caveat({"per_clip": [{}] * clips})
    assert text.startswith(f"With only {clips} clips") == warned
    assert bool(text) == warned


def test_verdicts_are_said_where_there_are_any() -> None:
    entry = {"beats_copy": None, "details": {}}
    assert verdicts(entry) == ()
    assert verdicts(entry | {"beats_copy": False}) == (
        "not shown to be better than copying the source",
    )
    smoothed = entry | {"beats_copy": True, "details": {"over_smoothed": 1.0}}
    assert verdicts(smoothed) == (
        "better than copying the source",
        "over-smoothed: moves less than the truth",
    )
    assert verdicts(entry | {"details": {"over_smoothed": 0.0}}) == ()


def test_details_are_said_on_one_line() -> None:
    entry = {"details": {"coverage": 0.98, "detected_rate": None}}
    assert details(entry) == "coverage 0.98, detected rate not measured"


def test_text_from_files_is_one_line_that_can_be_encoded() -> None:
    assert one_line("Übung 手 a b") == "Übung 手 a b"
    assert one_line("a\nb\t\u202e\ud800\0") == "a\\nb\\t\\u202e\\ud800\\x00"
    assert one_line(3) == "3"
