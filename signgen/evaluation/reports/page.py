"""The report of an evaluation as one page: tables, plots and the worst frames, nothing outside it.

The page is built as a tree of elements, which escapes every text on its way out: names of clips and
messages of errors come from files and are not trusted. A content security policy forbids the page
to load anything, and any script and style but its own.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from PIL import Image

from signgen.evaluation.reports.plots import IntervalRow, Series, interval_plot, sorted_plot
from signgen.evaluation.reports.report import Report
from signgen.evaluation.reports.style import SCRIPT, STYLE
from signgen.evaluation.reports.tables import (
    absent_tables,
    clip_tables,
    comparison_table,
    failure_table,
    score_table,
    signature_table,
    signer_tables,
    text_table,
    translation_table,
)
from signgen.evaluation.reports.values import (
    entries_of,
    metric_names,
    number,
    one_line,
    system_names,
)
from signgen.evaluation.reports.worst_frames import WorstFrame, sheet, sheet_alt
from signgen.files.writing import save_text
from signgen.media import contact_sheet

__all__ = ["SCHEMA_VERSION", "html_report", "write_html"]

SCHEMA_VERSION = 2
"""The version of reports that this page shows."""
_WIDEST_SHEET = 1600
"""Wider sheets of worst frames are made smaller, in pixels."""


def write_html(path: str | Path, report: Report) -> None:
    """Write the page of a report, atomically.

    Args:
        path: The file.
        report: Scores of frames.

    Raises:
        ValueError: If the report has another schema.
        UserError: If the file cannot be created (73) or written (74).
    """
    save_text(path, html_report(report.to_json(), report.worst))


def html_report(report: Mapping[str, Any], worst: Sequence[WorstFrame] = ()) -> str:
    """Return the page of a report.

    Args:
        report: Report as JSON, of schema version 2.
        worst: The worst frames, the worst first.

    Returns:
        A complete HTML document that needs no network and no other file.

    Raises:
        ValueError: If the report has another schema.
    """
    if report["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema is {report['schema_version']}; expected {SCHEMA_VERSION}")
    title = _title(report)
    page = Element("html", {"lang": "en"})
    page.append(_head(title))
    body = SubElement(page, "body")
    main = SubElement(body, "main")
    SubElement(main, "h1").text = title
    SubElement(main, "p", {"class": "note"}).text = one_line(report["note"])
    main.append(_facts(report))
    sections = _sections(report, worst)
    main.append(_contents(sections))
    main.extend(sections)
    SubElement(body, "script").text = SCRIPT
    return f"<!DOCTYPE html>\n{tostring(page, encoding='unicode', method='html')}\n"


def _title(report: Mapping[str, Any]) -> str:
    inputs = report["inputs"]
    subject = inputs.get("generated") or inputs.get("model") or system_names(report)[0]
    return f"Evaluation of {one_line(subject)}"


def _head(title: str) -> Element:
    head = Element("head")
    SubElement(head, "meta", {"charset": "utf-8"})
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(STYLE)}'; "
        f"script-src '{_hash(SCRIPT)}'; base-uri 'none'; form-action 'none'"
    )
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    viewport = "width=device-width, initial-scale=1"
    SubElement(head, "meta", {"name": "viewport", "content": viewport})
    SubElement(head, "title").text = title
    SubElement(head, "style").text = STYLE
    return head


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _facts(report: Mapping[str, Any]) -> Element:
    """Say what was compared, by which protocol, and how much of it."""
    clips = report["per_clip"]
    signers = {clip["signer"] for clip in clips} - {""}
    facts: dict[str, object] = {"protocol": report["protocol"] or "none named"}
    for kind in dict.fromkeys(system["kind"] for system in report["systems"]):
        named = [system for system in report["systems"] if system["kind"] == kind]
        facts[f"{kind} system"] = "; ".join(_system(system) for system in named)
    facts |= {
        "clips": len(clips),
        "frames": sum(clip["frames"] for clip in clips),
        "signers": len(signers) or "not known",
        "failed": len(report["failed"]),
    }
    given = {name: value for name, value in report["inputs"].items() if value not in (None, "", [])}
    facts |= {f"input: {name}": _plain(value) for name, value in given.items()}
    facts["signgen"] = report["signgen"]
    found = Element("dl")
    for name, value in facts.items():
        SubElement(found, "dt").text = one_line(name)
        SubElement(found, "dd").text = one_line(value)
    return found


def _system(system: Mapping[str, Any]) -> str:
    path = system["path"]
    return f"{system['name']} ({path})" if path and path != system["name"] else system["name"]


def _plain(value: object) -> str:
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return "; ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# ----- sections -----------------------------------------------------------------------------------


def _sections(report: Mapping[str, Any], worst: Sequence[WorstFrame]) -> list[Element]:
    """Return the sections that have something to show."""
    found = []
    if report["failed"] or report["warnings"]:
        found.append(_problems(report))
    tables = [score_table(report), *absent_tables(report)]
    found.append(_section("scores", "Scores", tables))
    if report["comparisons"]:
        found.append(_section("comparisons", "Comparisons", [comparison_table(report)]))
    if report.get("back_translation"):
        tables = [translation_table(report), text_table(report)]
        found.append(_section("translation", "Back-translation", tables))
    found.append(_section("signatures", "Signatures", [signature_table(report)]))
    plots = [plot for metric in metric_names(report) for plot in _plots(report, metric)]
    if plots:
        found.append(_section("plots", "Plots", plots))
    if report["per_signer"]:
        found.append(_section("signers", "Signers", signer_tables(report)))
    found.append(_section("clips", "Clips", clip_tables(report)))
    if worst:
        found.append(_section("worst", "Worst frames", _worst(worst)))
    return found


def _section(name: str, heading: str, parts: Sequence[Element], style: str = "") -> Element:
    section = Element("section", {"id": name, "aria-labelledby": f"{name}-heading"})
    if style:
        section.set("class", style)
    SubElement(section, "h2", {"id": f"{name}-heading"}).text = heading
    section.extend(parts)
    return section


def _contents(sections: Sequence[Element]) -> Element:
    nav = Element("nav", {"aria-label": "Contents"})
    entries = SubElement(nav, "ul")
    for section in sections:
        link = SubElement(SubElement(entries, "li"), "a", {"href": f"#{section.get('id')}"})
        link.text = section[0].text
    return nav


def _problems(report: Mapping[str, Any]) -> Element:
    parts = []
    if report["warnings"]:
        warnings = Element("ul")
        for warning in report["warnings"]:
            SubElement(warnings, "li").text = one_line(warning)
        parts.append(warnings)
    if report["failed"]:
        parts.append(failure_table(report))
    return _section("problems", "Failed items and warnings", parts, "alarm")


def _plots(report: Mapping[str, Any], metric: str) -> list[Element]:
    """Return heading and plots of a metric; nothing where nothing was measured."""
    styles = {name: style for style, name in enumerate(system_names(report))}
    entries = entries_of(report, metric)
    rows = [
        IntervalRow(name, entry["value"], entry["ci95"] and tuple(entry["ci95"]), styles[name])
        for name, entry in entries.items()
        if entry["value"] is not None
    ]
    if not rows:
        return []
    heading = Element("h3")
    heading.text = one_line(metric)
    found = [heading, interval_plot(metric, rows)]
    measured = {
        name: [
            clip["scores"][name][metric]
            for clip in report["per_clip"]
            if clip["scores"].get(name, {}).get(metric) is not None
        ]
        for name in entries
    }
    series = [Series(name, values, styles[name]) for name, values in measured.items() if values]
    if any(len(one.values) > 1 for one in series):
        found.append(sorted_plot(metric, series))
    return found


def _worst(worst: Sequence[WorstFrame]) -> list[Element]:
    said = Element("p")
    said.text = f"The {len(worst)} generated frames with the worst {one_line(worst[0].metric)}."
    found = [said]
    for rank, frame in enumerate(worst, 1):
        name = f"frame {frame.index} of clip {one_line(frame.clip)}"
        figure = Element("figure")
        value = f"{frame.metric} {number(frame.metric, frame.value)}"
        SubElement(figure, "h3").text = f"{rank}. {name}: {value}"
        picture = {"src": _data_uri(frame), "alt": f"Pictures of {name}, described below"}
        SubElement(figure, "img", picture)
        caption = f"{sheet_alt(frame)} Frames are counted from 0."
        SubElement(figure, "figcaption").text = caption
        found.append(figure)
    return found


def _data_uri(frame: WorstFrame) -> str:
    """Return the sheet of a frame as a PNG inside an address."""
    picture = sheet(frame)
    if picture.shape[1] > _WIDEST_SHEET:
        picture = contact_sheet([picture], scale=_WIDEST_SHEET / picture.shape[1])
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
