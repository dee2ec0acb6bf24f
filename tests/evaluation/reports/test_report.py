"""Reports go to JSON and come back the same, and nothing else comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from signgen.evaluation.back_translation import BackTranslation, ClipTexts, TextScore
from signgen.evaluation.reports.report import RETRIEVAL, Report

TRANSLATION = BackTranslation(
    "translate", (TextScore("bleu", 1.0, 2.0, 0.5, "b"),), (ClipTexts("a", "x", "y", "z"),)
)
ONLY_FRAMES = {"ideal", "unavailable", "beats_copy"}


def test_reports_of_every_kind_come_back_as_they_were(report: Report) -> None:
    report = replace(report, worst=())
    ranks = replace(report.metrics[0], own_source=True, beats_copy=None)
    retrieval = Report(schema_version=RETRIEVAL, metrics=(ranks,), queries=8, gallery=9)
    for one in (report, replace(report, back_translation=TRANSLATION), retrieval):
        written = json.loads(json.dumps(one.to_json(), allow_nan=False))
        assert Report.from_json(written) == one
        assert written == one.to_json()
        assert ("back_translation" in written) == (one.back_translation is not None)
    assert list(written) == ["schema_version", "metrics", "queries", "gallery", "inputs", "note"]
    assert written["metrics"][0].keys() == {*report.to_json()["metrics"][0], "own_source"} - (
        ONLY_FRAMES
    )


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
    place: tuple[str | int, ...], value: object, message: str, report: Report
) -> None:
    document: Any = json.loads(json.dumps(report.to_json()))
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(ValueError, match=message):
        Report.from_json(document)


def test_keys_may_not_be_left_out(report: Report) -> None:
    document = report.to_json()
    for name in document:
        with pytest.raises(ValueError, match=name):
            Report.from_json({key: value for key, value in document.items() if key != name})
    with pytest.raises(ValueError, match="schema_version is None"):
        Report.from_json([])
