"""The page of a report: complete, well formed, closed to the outside, and true to the numbers."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from signgen.errors import ExitCode, UserError
from signgen.evaluation.reports.page import html_report, write_html
from signgen.evaluation.reports.report import Report
from signgen.evaluation.reports.worst_frames import WorstFrame, sheet

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Notes every element with its attributes and text, and that each is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def attributes(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def visible(self) -> str:
        return "\n".join(text for tag, text in self.texts if tag not in {"script", "style"})


@pytest.fixture
def page(report: dict[str, Any], worst: tuple[WorstFrame, ...]) -> Page:
    return Page(html_report(report, worst))


def test_every_element_is_closed_and_identifiers_are_unique(page: Page) -> None:
    assert page.open == []
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    links = [attributes["href"] for attributes in page.attributes("a")]
    assert links[:2] == ["#problems", "#scores"]
    assert {link[1:] for link in links} <= set(names)
    labels = [a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a]
    assert set(labels) <= set(names)


def test_nothing_comes_from_elsewhere(
    page: Page, report: dict[str, Any], worst: tuple[WorstFrame, ...]
) -> None:
    for _, attributes in page.elements:
        for name, value in attributes.items():
            assert name not in {"style", "srcset", "action"}
            assert not name.startswith("on")
            if name in {"src", "href"}:
                assert value.startswith(("data:image/png;base64,", "#"))
    assert not {"link", "iframe", "object", "base"} & {tag for tag, _ in page.elements}
    text = html_report(report, worst)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_allows_just_this_script_and_this_style(
    report: dict[str, Any], worst: tuple[WorstFrame, ...]
) -> None:
    text = html_report(report, worst)
    (policy,) = re.findall(r'content="(default-src[^"]*)"', text)
    assert "default-src 'none'" in policy
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_names_and_messages_from_files_stay_text(
    page: Page, report: dict[str, Any], worst: tuple[WorstFrame, ...]
) -> None:
    text = html_report(report, worst)
    assert "<script>alert(1)" not in text
    assert len(page.attributes("script")) == 1
    assert "<script>alert(1)</script>" in page.visible()
    assert "torn/0001.png is damaged: <bad> & worse." in page.visible()
    assert "Evaluation of runs/<ours>" in page.visible()
    assert "\\u202emirrored\\n and \\ud800 broken" in page.visible()
    text.encode("utf-8")


def test_hostile_text_in_every_place_adds_no_element(report: dict[str, Any]) -> None:
    hostile = "\"'><img src=x onerror=alert(1)>"

    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                poisoned(name) if name in hosts else name: poisoned(v) for name, v in value.items()
            }
        if isinstance(value, list):
            return [poisoned(entry) for entry in value]
        return value + hostile if isinstance(value, str) else value

    hosts = {system["name"] for system in report["systems"]} | {"ssim", "psnr"}
    page = Page(html_report(poisoned(report)))
    assert page.attributes("img") == []
    assert page.open == []
    assert page.visible().count(hostile) > 50


def test_the_numbers_are_those_of_the_report(page: Page, report: dict[str, Any]) -> None:
    for entry in report["metrics"][:6]:
        digits = 2 if entry["name"] == "psnr" else 4
        low, high = entry["ci95"]
        expected = [
            entry["system"],
            f"{entry['value']:.{digits}f}",
            f"[{low:.{digits}f}, {high:.{digits}f}]",
            "18",
            "4",
        ]
        assert any(expected == row[-len(expected) - 2 : -2] for row in page.rows), expected
    better = [row for row in page.rows if "better than copying the source" in row]
    assert len(better) == 2
    for entry in report["comparisons"]:
        (row,) = [
            r for r in page.rows if r[0].startswith(entry["metric"]) and entry["other"] in r[2:3]
        ]
        assert row[-2:] == [f"{entry['p']:.4f}", "4"]
    first = report["per_clip"][0]
    row = [first["id"], "S1", "3", f"{first['scores']['generated']['ssim']:.4f}"]
    assert any(found[:4] == row for found in page.rows)


def test_what_was_not_computed_says_why(page: Page, report: dict[str, Any]) -> None:
    reason = "needs alexnet.pth, get it with `wget <URL>`"
    assert ["lpips", reason] in page.rows
    assert not any("lpips|net:alex" in row for row in page.rows)
    report["metrics"] += [entry | {"name": "other"} for entry in report["metrics"][-3:]]
    assert ["lpips, other", reason] in Page(html_report(report)).rows
    del report["metrics"][-3:]
    missing = f"not computed: {reason}"
    report["metrics"][-1]["unavailable"] = "needs another file"
    found = [row[-2] for row in Page(html_report(report)).rows if missing in row]
    assert found == ["generated", "runs/other_50%"]
    report["metrics"][0] |= {"value": None, "ci95": None, "n": 0, "beats_copy": None}
    assert any("not measured" in row for row in Page(html_report(report)).rows)


def test_note_protocol_signatures_and_warnings_are_said(page: Page) -> None:
    text = page.visible()
    assert "Automatic scores do not show that signing is understood." in text
    assert "phoenix-fpdm" in text
    assert "input: seed\n0" in text
    assert "input: compare" not in text
    assert text.count("With only 4 clips, intervals are too narrow") == 2
    assert any(row[0] == "ssim" and row[2].startswith("ssim|win:") for row in page.rows)
    assert "Failed items and warnings" in text


def test_tables_have_captions_and_scopes(page: Page) -> None:
    tables = len(page.attributes("table"))
    assert tables == 1 + 2 + 1 + 1 + 3 + 3  # failures, scores, comparisons, signatures, by system
    assert len(page.attributes("caption")) == tables
    assert all(attributes["scope"] for attributes in page.attributes("th"))
    assert len(page.attributes("details")) == 4


def test_back_translation_is_shown_where_there_is_one(page: Page, report: dict[str, Any]) -> None:
    assert "Back-translation" not in page.visible()
    score = {
        "name": "bleu",
        "generated": 8.125,
        "truth": 20.5,
        "ratio": 0.396,
        "signature": "b|x:1",
    }
    texts = {"id": "third", "text": "es regnet", "truth": "regen", "generated": "<b>sonne</b>"}
    report["back_translation"] = {
        "command": "translate.sh",
        "scores": [score, score | {"name": "chrf", "truth": 0.0, "ratio": None}],
        "per_clip": [texts],
    }
    found = Page(html_report(report))
    assert ["bleu", "8.12", "20.50", "0.396", "b|x:1"] in found.rows
    assert ["chrf", "8.12", "0.00", "none: the truth scores 0", "b|x:1"] in found.rows
    assert list(texts.values()) in found.rows
    assert "#translation" in [attributes["href"] for attributes in found.attributes("a")]


def test_every_measured_metric_is_plotted_and_described(page: Page) -> None:
    plots = page.attributes("svg")
    assert len(plots) == 4
    assert all(plot["role"] == "img" for plot in plots)
    assert plots[0]["aria-label"].startswith("ssim: value and 95 % interval")


def test_worst_frames_are_shown_as_they_are(page: Page, worst: tuple[WorstFrame, ...]) -> None:
    pictures = page.attributes("img")
    assert len(pictures) == len(worst) == 2
    for picture, frame in zip(pictures, worst, strict=True):
        data = base64.b64decode(picture["src"].partition(",")[2])
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), sheet(frame))
        assert (
            picture["alt"]
            == f"Pictures of frame {frame.index} of clip {frame.clip}, described below"
        )
    assert "Left to right: source, truth, generated." in page.visible()


def test_sheets_wider_than_a_screen_are_made_smaller(report: dict[str, Any]) -> None:
    large = np.zeros((100, 700, 3), np.uint8)
    frame = WorstFrame("ssim", 0.1, "a", 0, large, None, large, large)
    (picture,) = Page(html_report(report, [frame])).attributes("img")
    data = base64.b64decode(picture["src"].partition(",")[2])
    assert Image.open(io.BytesIO(data)).width == 1600


def test_a_bare_report_makes_a_page_without_empty_sections(report: dict[str, Any]) -> None:
    report |= {"failed": [], "warnings": [], "comparisons": [], "per_signer": [], "inputs": {}}
    report["per_clip"] = report["per_clip"][:1]
    for entry in report["metrics"]:
        entry |= {"ci95": None, "clips": 1, "beats_copy": None}
    page = Page(html_report(report))
    links = [attributes["href"] for attributes in page.attributes("a")]
    assert links == ["#scores", "#signatures", "#plots", "#clips"]
    assert len(page.attributes("svg")) == 2, "one clip has no curve"
    assert any("none: fewer than 2 clips" in row for row in page.rows)


def test_another_schema_is_refused(report: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="schema is 1; expected 2"):
        html_report(report | {"schema_version": 1})


def test_the_page_is_written_whole_or_not(report: dict[str, Any], tmp_path: Path) -> None:
    write_html(tmp_path / "report.html", Report.from_json(report))
    assert (tmp_path / "report.html").read_text("utf-8") == html_report(report)
    with pytest.raises(UserError) as caught:
        write_html(tmp_path / "missing" / "report.html", Report.from_json(report))
    assert caught.value.code == ExitCode.CANNOT_CREATE
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
