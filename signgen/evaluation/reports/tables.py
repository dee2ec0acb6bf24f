"""The tables of a report's page, as elements with headers, captions and scopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from signgen.evaluation.reports.values import (
    caveat,
    details,
    direction,
    entries_of,
    interval,
    metric_names,
    number,
    one_line,
    system_names,
    unit,
    verdicts,
)

__all__ = [
    "absent_tables",
    "clip_tables",
    "comparison_table",
    "failure_table",
    "score_table",
    "signature_table",
    "signer_tables",
    "text_table",
    "translation_table",
]

Report = Mapping[str, Any]


def score_table(report: Report) -> Element:
    """Return every metric with the value, interval, number and verdict of every system."""
    heads = ["metric", "system", "value", "95 % interval", "n", "clips", "verdict", "details"]
    box, table = _table(
        heads,
        "Intervals are 95 % bootstrap intervals over clips; n counts what the value is a mean "
        "over: frames, steps between frames, hands or points. Baselines copy true frames: what a "
        f"system has to beat. {caveat(report)}",
        numbers=("value", "95 % interval", "n", "clips"),
    )
    for metric in _computed(report):
        body = SubElement(table, "tbody")
        entries = entries_of(report, metric)
        for place, (system, entry) in enumerate(entries.items()):
            row = SubElement(body, "tr")
            if place == 0:
                span = {"scope": "rowgroup", "rowspan": str(len(entries))}
                head = SubElement(row, "th", span)
                head.text = one_line(metric)
                SubElement(head, "br")
                said = [part for part in (unit(metric), direction(entry)) if part]
                SubElement(head, "span", {"class": "soft"}).text = ", ".join(said)
            _cell(row, system, head=True)
            if entry["unavailable"]:
                text = f"not computed: {entry['unavailable']}"
                SubElement(row, "td", {"colspan": "6"}).text = one_line(text)
                continue
            _number(row, entry["value"], number(metric, entry["value"]))
            _number(row, None, interval(metric, entry["ci95"]) or "none: fewer than 2 clips")
            _number(row, entry["n"], str(entry["n"]))
            _number(row, entry["clips"], str(entry["clips"]))
            for text in ("; ".join(verdicts(entry)), details(entry)):
                SubElement(row, "td", {"class": "said"}).text = one_line(text)
    return box


def absent_tables(report: Report) -> list[Element]:
    """Return a table of the metrics that no system has, one row a reason; none without such."""
    by_reason: dict[str, list[str]] = {}
    for metric in metric_names(report):
        if metric not in _computed(report):
            reason = next(iter(entries_of(report, metric).values()))["unavailable"]
            by_reason.setdefault(reason, []).append(metric)
    if not by_reason:
        return []
    count = sum(len(names) for names in by_reason.values())
    box, table = _table(["metrics", "why"], f"Metrics not computed: {count}")
    body = SubElement(table, "tbody")
    for reason, metrics in by_reason.items():
        row = SubElement(body, "tr")
        _cell(row, ", ".join(metrics), head=True)
        SubElement(row, "td", {"class": "text"}).text = one_line(reason)
    return [box]


def _computed(report: Report) -> tuple[str, ...]:
    """Return the metrics that are not absent from all systems for one and the same reason."""
    found = []
    for metric in metric_names(report):
        reasons = {entry["unavailable"] for entry in entries_of(report, metric).values()}
        if len(reasons) > 1 or "" in reasons:
            found.append(metric)
    return tuple(found)


def comparison_table(report: Report) -> Element:
    """Return the paired comparisons."""
    heads = ["metric", "system", "compared with", "difference", "95 % interval", "p", "clips"]
    box, table = _table(
        heads,
        "Paired bootstrap over the clips that both were measured on: the first system minus the "
        "second. p is two-sided and not corrected for the number of comparisons. " + caveat(report),
        numbers=heads[3:],
    )
    body = SubElement(table, "tbody")
    for entry in report["comparisons"]:
        row, metric = SubElement(body, "tr"), entry["metric"]
        better = entries_of(report, metric)[entry["system"]]
        _cell(row, f"{metric} ({direction(better)})", head=True)
        _cell(row, entry["system"])
        _cell(row, entry["other"])
        difference = number(metric, entry["difference"])
        _number(row, entry["difference"], difference if difference[0] == "-" else f"+{difference}")
        _number(row, None, interval(metric, entry["ci95"]) or "none: fewer than 2 clips")
        _number(row, entry["p"], "none" if entry["p"] is None else f"{entry['p']:.4f}")
        _number(row, entry["clips"], str(entry["clips"]))
    return box


def signature_table(report: Report) -> Element:
    """Return the signatures of all metrics; two scores compare only if theirs are equal."""
    box, table = _table(
        ["metric", "system", "signature"],
        "What exactly was computed. Compare numbers only if their signatures are equal.",
    )
    body = SubElement(table, "tbody")
    for metric in _computed(report):
        by_signature: dict[str, list[str]] = {}
        for system, entry in entries_of(report, metric).items():
            by_signature.setdefault(entry["signature"], []).append(system)
        for signature, systems in by_signature.items():
            row = SubElement(body, "tr")
            _cell(row, metric, head=True)
            _cell(row, "all" if len(by_signature) == 1 else ", ".join(systems))
            cell = SubElement(row, "td", {"class": "text"})
            SubElement(cell, "code").text = one_line(signature)
    return box


def translation_table(report: Report) -> Element:
    """Return what a translator read in the generated videos, beside what it read in the true ones.

    Args:
        report: A report that has `back_translation`.
    """
    translation = report["back_translation"]
    box, table = _table(
        ["score", "generated", "truth", "ratio", "signature"],
        f"Texts that `{translation['command']}` read in generated and in true videos, against the "
        "true texts. A translator also errs on true videos: the ratio is what can be compared.",
        numbers=("generated", "truth", "ratio"),
    )
    body = SubElement(table, "tbody")
    for entry in translation["scores"]:
        row = SubElement(body, "tr")
        _cell(row, entry["name"], head=True)
        for name in ("generated", "truth"):
            _number(row, entry[name], f"{entry[name]:.2f}")
        ratio = entry["ratio"]
        _number(row, ratio, "none: the truth scores 0" if ratio is None else f"{ratio:.3f}")
        SubElement(SubElement(row, "td"), "code").text = one_line(entry["signature"])
    return box


def text_table(report: Report) -> Element:
    """Return the texts of every clip: the true one, and those read in both videos.

    Args:
        report: A report that has `back_translation`.
    """
    names = {
        "id": "clip",
        "text": "text",
        "truth": "read in truth",
        "generated": "read in generated",
    }
    box, table = _table(list(names.values()), "Texts of every clip", sortable=True)
    body = SubElement(table, "tbody")
    for entry in report["back_translation"]["per_clip"]:
        row = SubElement(body, "tr")
        for name in names:
            _cell(row, entry[name], head=name == "id")
    return box


def failure_table(report: Report) -> Element:
    """Return what could not be scored, and why."""
    box, table = _table(
        ["item", "error"], f"Failed items: {len(report['failed'])}. All scores are without them."
    )
    body = SubElement(table, "tbody")
    for failure in report["failed"]:
        row = SubElement(body, "tr")
        _cell(row, failure["id"], head=True)
        SubElement(row, "td", {"class": "text"}).text = one_line(failure["error"])
    return box


def signer_tables(report: Report) -> list[Element]:
    """Return a table of the mean scores of every signer for each system."""
    rows = report["per_signer"]
    return _tables_by_system(report, "signer", ("clips", "frames"), rows)


def clip_tables(report: Report) -> list[Element]:
    """Return a table of the scores of every clip for each system."""
    return _tables_by_system(report, "id", ("signer", "frames"), report["per_clip"])


def _tables_by_system(
    report: Report, head: str, facts: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> list[Element]:
    """Return the table of the first system, and those of the others to open."""
    found = []
    for place, system in enumerate(system_names(report)):
        measured = [
            metric
            for metric in metric_names(report)
            if any(row["scores"].get(system, {}).get(metric) is not None for row in rows)
        ]
        named = "clip" if head == "id" else head
        counted = [fact for fact in facts if fact != "signer"]
        box, table = _table(
            [named, *facts, *measured],
            f"{system}: scores of every {named}",
            numbers=(*counted, *measured),
            sortable=True,
        )
        body = SubElement(table, "tbody")
        for row in rows:
            _score_row(body, row, head, facts, {m: row["scores"].get(system, {}) for m in measured})
        if place == 0:
            found.append(box)
            continue
        folded = Element("details")
        SubElement(folded, "summary").text = one_line(system)
        folded.append(box)
        found.append(folded)
    return found


def _score_row(
    body: Element,
    row: Mapping[str, Any],
    head: str,
    facts: Sequence[str],
    scores: Mapping[str, Mapping[str, float | None]],
) -> None:
    line = SubElement(body, "tr")
    _cell(line, row[head] or "not known", head=True)
    for fact in facts:
        if fact == "signer":
            _cell(line, row[fact])
        else:
            _number(line, row[fact], str(row[fact]))
    for metric, values in scores.items():
        value = values.get(metric)
        _number(line, value, "" if value is None else number(metric, value))


# ----- elements -----------------------------------------------------------------------------------


def _table(
    heads: Sequence[str], caption: str, *, numbers: Sequence[str] = (), sortable: bool = False
) -> tuple[Element, Element]:
    """Return a box that scrolls sideways, and the table in it, with its heads and no body."""
    region = {
        "class": "wide",
        "tabindex": "0",
        "role": "region",
        "aria-label": one_line(caption.strip()),
    }
    box = Element("div", region)
    table = SubElement(box, "table", {"class": "sortable"} if sortable else {})
    SubElement(table, "caption").text = one_line(caption.strip())
    row = SubElement(SubElement(table, "thead"), "tr")
    for name in heads:
        head = SubElement(row, "th", {"scope": "col"})
        if name in numbers:
            head.set("class", "number")
        head.text = one_line(name)
    return box, table


def _cell(row: Element, text: str, *, head: bool = False) -> None:
    cell = SubElement(row, "th", {"scope": "row"}) if head else SubElement(row, "td")
    cell.text = one_line(text)


def _number(row: Element, value: float | None, text: str) -> None:
    cell = SubElement(row, "td", {"class": "number"})
    if value is not None:
        cell.set("data-value", repr(value))
    cell.text = text
