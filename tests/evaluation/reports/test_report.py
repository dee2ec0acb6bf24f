"""Reports go to JSON and come back the same, and nothing else comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from signgen.evaluation.reports.report import FRAMES, RETRIEVAL, Report

TRANSLATION = {
    "command": "translate",
    "scores": [{"name": "bleu", "generated": 1.0, "truth": 2.0, "ratio": 0.5, "signature": "b"}],
    "per_clip": [{"id": "a", "text": "x", "truth": "y", "generated": "z"}],
}


def retrieval(report: dict[str, Any]) -> dict[str, Any]:
    """A report of retrieval with the numbers of one of frames."""
    left_out = ("ideal", "unavailable", "beats_copy")
    kept = {name: v for name, v in report["metrics"][0].items() if name not in left_out}
    return {
        "schema_version": RETRIEVAL,
        "metrics": [kept | {"own_source": True, "details": {"gallery": 9.0}}],
        "queries": 8,
        "gallery": 9,
        "inputs": {"model": "mini"},
        "note": "none",
    }


def test_reports_of_every_kind_come_back_as_they_were(report: dict[str, Any]) -> None:
    frames = report | {"back_translation": TRANSLATION}
    for written in (report, frames, retrieval(report)):
        read = Report.from_json(json.loads(json.dumps(written, allow_nan=False)))
        assert read.to_json() == written
        assert Report.from_json(read.to_json()) == read
    assert next(iter(Report().to_json())) == "schema_version"
    assert Report.from_json(report).score("psnr").ci95 == tuple(report["metrics"][1]["ci95"])


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("schema_version",), 3, "schema_version is 3; expected 2 or 1"),
        (("schema_version",), True, "schema_version is True"),
        (("schema_version",), RETRIEVAL, "report has no queries"),
        (("protocol",), 7, "report.protocol is 7; expected str"),
        (("extra",), 7, "report has an unknown key 'extra'"),
        (("metrics",), {}, r"report.metrics is {}; expected tuple"),
        (("metrics", 0, "n"), 1.5, r"report.metrics\[0\].n is 1.5; expected int"),
        (("metrics", 0, "ci95"), [1.0], r"report.metrics\[0\].ci95 is \[1.0\]; expected tuple"),
        (("metrics", 0, "value"), "1", r"report.metrics\[0\].value is '1'; expected float"),
        (("metrics", 0, "own_source"), True, r"report.metrics\[0\] has an unknown key"),
        (("systems", 0, "kind"), "other", r"report.systems\[0\].kind is 'other'; expected"),
        (("per_clip", 0), [], r"report.per_clip\[0\] is \[\]; expected an object"),
        (("per_clip", 0, "counts", "x"), {"ssim": None}, r"counts.'x'.'ssim' is None; expected in"),
        (("back_translation",), {"command": ""}, "report.back_translation has no scores"),
    ],
)
def test_what_is_no_report_is_named(
    place: tuple[str | int, ...], value: object, message: str, report: dict[str, Any]
) -> None:
    inner: Any = report
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(ValueError, match=message):
        Report.from_json(report)


def test_keys_may_not_be_left_out(report: dict[str, Any]) -> None:
    for name in Report(schema_version=FRAMES).to_json():
        with pytest.raises(ValueError, match=name):
            Report.from_json({key: value for key, value in report.items() if key != name})
    with pytest.raises(ValueError, match="schema_version is None"):
        Report.from_json([])
