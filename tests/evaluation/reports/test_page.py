"""The page of a report: complete, well formed, closed to the outside, and true to the numbers."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from signgen.errors import ExitCode, UserError
from signgen.evaluation.back_translation import BackTranslation, ClipTexts, TextScore
from signgen.evaluation.reports.page import html_report, write_html
from signgen.evaluation.reports.report import Report
from signgen.evaluation.reports.worst_frames import WorstFrame, sheet

VOID = {"meta", "img", "br"}
REASON = "needs alexnet.pth, get it with `wget <URL>`"


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

    def links(self) -> list[str]:
        return [attributes["href"] for attributes in self.attributes("a")]


@pytest.fixture(scope="module")
def text(report: Report) -> str:
    return html_report(report)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def with_result(report: Report, place: int, **changes: Any) -> Report:
    metrics = list(report.metrics)
    metrics[place] = replace(metrics[place], **changes)
    return replace(report, metrics=tuple(metrics))


# ----- the document -------------------------------------------------------------------------------


def test_every_element_is_closed_and_identifiers_are_unique(page: Page) -> None:
    assert page.open == []
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert page.links()[:2] == ["#problems", "#scores"]
    assert {link[1:] for link in page.links()} <= set(names)
    labels = [a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a]
    assert set(labels) <= set(names)
    tables = len(page.attributes("table"))
    assert tables == 1 + 2 + 1 + 1 + 3 + 3  # failures, scores, comparisons, signatures, by system
    assert len(page.attributes("caption")) == tables
    assert all(attributes["scope"] for attributes in page.attributes("th"))
    assert len(page.attributes("details")) == 4


def test_nothing_comes_from_elsewhere_and_only_this_script_and_style_are_allowed(
    page: Page, text: str
) -> None:
    for _, attributes in page.elements:
        for name, value in attributes.items():
            assert name not in {"style", "srcset", "action"}
            assert not name.startswith("on")
            if name in {"src", "href"}:
                assert value.startswith(("data:image/png;base64,", "#"))
    assert not {"link", "iframe", "object", "base"} & {tag for tag, _ in page.elements}
    (policy,) = [a["content"] for a in page.attributes("meta") if "http-equiv" in a]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert "url(" not in inside
        assert "@import" not in inside
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_names_and_messages_from_files_stay_text(page: Page, text: str) -> None:
    assert "<script>alert(1)" not in text
    assert len(page.attributes("script")) == 1
    for said in (
        "<script>alert(1)</script>",
        "torn/0001.png is damaged: <bad> & worse.",
        "Evaluation of runs/<ours>",
        "\\u202emirrored\\n and \\ud800 broken",
    ):
        assert said in page.visible()
    text.encode("utf-8")


def test_hostile_text_in_every_place_adds_no_element(report: Report) -> None:
    hostile = "\"'>{{ 7 * 7 }}<img src=x onerror=alert(1)>"

    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {poisoned(name): poisoned(entry) for name, entry in value.items()}
        if isinstance(value, tuple):
            return tuple(map(poisoned, value))
        if is_dataclass(value):
            return replace(value, **{name: poisoned(entry) for name, entry in vars(value).items()})
        return value + hostile if isinstance(value, str) else value

    page = Page(html_report(poisoned(report)))
    assert all(picture["src"].startswith("data:") for picture in page.attributes("img"))
    assert len(page.attributes("img")) == len(report.worst)
    assert not any(name.startswith("on") for _, found in page.elements for name in found)
    assert page.open == []
    assert page.visible().count(hostile) > 50


def test_the_page_is_written_whole_or_not(report: Report, text: str, tmp_path: Path) -> None:
    write_html(tmp_path / "report.html", report)
    assert (tmp_path / "report.html").read_text("utf-8") == text
    with pytest.raises(UserError) as caught:
        write_html(tmp_path / "missing" / "report.html", report)
    assert caught.value.code == ExitCode.CANNOT_CREATE
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


# ----- its sections -------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_report(page: Page, report: Report) -> None:
    for name in ("ssim", "psnr"):
        digits = 2 if name == "psnr" else 4
        for one in report.by_system(name).values():
            low, high = one.ci95
            value, ends = f"{one.value:.{digits}f}", f"[{low:.{digits}f}, {high:.{digits}f}]"
            expected = [one.system, value, ends, "18", "4"]
            assert any(expected == row[-7:-2] for row in page.rows), expected
    better = [row for row in page.rows if "better than copying the source" in row]
    assert len(better) == sum(one.beats_copy is True for one in report.metrics) == 2
    for one in report.comparisons:
        (row,) = [r for r in page.rows if r[0].startswith(one.metric) and one.other in r[2:3]]
        assert row[-2:] == [f"{one.p:.4f}", "4"]
        assert row[3].startswith("+")
    first = report.per_clip[0]
    expected = [first.id, "S1", "3", f"{first.scores['generated']['ssim']:.4f}"]
    assert any(row[:4] == expected for row in page.rows)


def test_what_was_not_computed_says_why(page: Page, report: Report) -> None:
    assert ["lpips", REASON] in page.rows
    assert not any("lpips|net:alex" in row for row in page.rows)
    others = tuple(replace(one, name="other") for one in report.by_system("lpips").values())
    more = replace(report, metrics=report.metrics + others)
    assert ["lpips, other", REASON] in Page(html_report(more)).rows
    # Where reasons differ, every system says its own.
    some = with_result(report, -1, unavailable="needs another file")
    missing = [row[-2] for row in Page(html_report(some)).rows if f"not computed: {REASON}" in row]
    assert missing == ["generated", "runs/other_50%"]
    none = with_result(report, 0, value=None, ci95=None, n=0, beats_copy=None)
    assert any("not measured" in row for row in Page(html_report(none)).rows)


def test_note_protocol_signatures_and_warnings_are_said(page: Page) -> None:
    visible = " ".join(page.visible().split())
    for said in (
        "Automatic scores do not show that signing is understood.",
        "phoenix-fpdm",
        "input: seed 0",
        "Failed items and warnings",
    ):
        assert said in visible
    assert "input: compare" not in visible
    assert visible.count("With only 4 clips, intervals are too narrow") == 2
    signatures = [row[1:] for row in page.rows if row[0] == "ssim" and len(row) == 3]
    assert [systems for systems, _ in signatures] == ["all"]
    assert signatures[0][1].startswith("ssim|win:")


def test_back_translation_is_shown_where_there_is_one(page: Page, report: Report) -> None:
    assert "Back-translation" not in page.visible()
    bleu = TextScore("bleu", 8.125, 20.5, 0.396, "b|x:1")
    chrf = TextScore("chrf", 8.125, 0.0, None, "b|x:1")
    texts = ClipTexts("third", "es regnet", "regen", "<b>sonne</b>")
    translated = BackTranslation("translate.sh", (bleu, chrf), (texts,))
    found = Page(html_report(replace(report, back_translation=translated)))
    assert ["bleu", "8.12", "20.50", "0.396", "b|x:1"] in found.rows
    assert ["chrf", "8.12", "0.00", "none: the truth scores 0", "b|x:1"] in found.rows
    assert ["third", "es regnet", "regen", "<b>sonne</b>"] in found.rows
    assert "#translation" in found.links()


def test_every_measured_metric_is_plotted_and_described(page: Page, report: Report) -> None:
    plots = page.attributes("svg")
    assert len(plots) == 4
    assert all(plot["role"] == "img" for plot in plots)
    assert plots[0]["aria-label"].startswith("ssim: value and 95 % interval")
    assert len(page.attributes("circle")) == 2 * (3 + 3 * 4)


def test_worst_frames_are_shown_as_they_are(page: Page, report: Report) -> None:
    pictures = page.attributes("img")
    assert len(pictures) == len(report.worst) == 2
    for picture, frame in zip(pictures, report.worst, strict=True):
        data = base64.b64decode(picture["src"].partition(",")[2])
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), sheet(frame))
        name = f"frame {frame.index} of clip {frame.clip}"
        assert picture["alt"] == f"Pictures of {name}, described below"
    assert "Left to right: source, truth, generated." in page.visible()
    # Sheets wider than a screen are made smaller.
    large = np.zeros((100, 700, 3), np.uint8)
    wide = WorstFrame("ssim", 0.1, "a", 0, large, None, large, large)
    (picture,) = Page(html_report(replace(report, worst=(wide,)))).attributes("img")
    data = base64.b64decode(picture["src"].partition(",")[2])
    assert Image.open(io.BytesIO(data)).width == 1600


def test_a_bare_report_makes_a_page_without_empty_sections(report: Report) -> None:
    bare = replace(report, failed=(), warnings=(), comparisons=(), per_signer=(), inputs={})
    metrics = tuple(replace(one, ci95=None, clips=1, beats_copy=None) for one in report.metrics)
    bare = replace(bare, worst=(), metrics=metrics, per_clip=report.per_clip[:1])
    page = Page(html_report(bare))
    assert page.links() == ["#scores", "#signatures", "#plots", "#clips"]
    assert len(page.attributes("svg")) == 2, "one clip has no curve"
    assert any("none: fewer than 2 clips" in row for row in page.rows)
