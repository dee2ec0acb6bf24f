"""The report of an evaluation as one page: tables, plots and the worst frames, nothing outside it.

Names of clips and messages of errors come from files and are not trusted: every expression of a
template is brought onto one line and escaped on its way out. A content security policy forbids the
page to load anything, and any script and style but its own.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from signgen.evaluation.reports import values
from signgen.evaluation.reports.plots import STYLES, interval_plot, sorted_plot
from signgen.evaluation.reports.report import ClipResult, Report, SignerResult
from signgen.evaluation.reports.worst_frames import WorstFrame, sheet, sheet_alt
from signgen.files.writing import save_text
from signgen.media import contact_sheet

__all__ = ["html_report", "write_html"]

_WIDEST_SHEET = 1600
"""Wider sheets of worst frames are made smaller, in pixels."""


def write_html(path: str | Path, report: Report) -> None:
    """Write the page of a report, atomically; see `html_report`."""
    save_text(path, html_report(report))


def html_report(report: Report) -> str:
    """Return the page of a report: an HTML document that needs no network and no other file."""
    environment, templates = _environment(), files("signgen.evaluation.reports") / "templates"
    style, script = ((templates / name).read_text("utf-8") for name in ("style.css", "script.js"))
    absent = values.absent_metrics(report)
    computed = [
        metric
        for metric in report.metric_names
        if not any(metric in metrics for metrics in absent.values())
    ]
    plots = [
        (metric, plot, sorted_plot(report, metric))
        for metric in report.metric_names
        if (plot := interval_plot(report, metric))
    ]
    headings = {
        "problems": ("Failed items and warnings", report.failed or report.warnings),
        "scores": ("Scores", True),
        "comparisons": ("Comparisons", report.comparisons),
        "translation": ("Back-translation", report.back_translation),
        "signatures": ("Signatures", True),
        "plots": ("Plots", plots),
        "signers": ("Signers", report.per_signer),
        "clips": ("Clips", True),
        "worst": ("Worst frames", report.worst),
    }
    subject = report.inputs.get("generated") or report.inputs.get("model") or report.system_names[0]
    return environment.get_template("page.html").render(
        report=report,
        title=f"Evaluation of {subject}",
        policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        facts=_facts(report),
        headings={name: heading for name, (heading, there) in headings.items() if there},
        caveat=values.caveat(len(report.per_clip)),
        computed=computed,
        absent=absent,
        signatures_of_metrics=_signatures(report, computed),
        plots_of_metrics=plots,
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("signgen.evaluation.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        # What a macro made is escaped already.
        finalize=lambda value: value if hasattr(value, "__html__") else values.one_line(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "describe": sheet_alt,
        "details": values.details,
        "direction": values.direction,
        "interval": values.interval,
        "measured": _measured,
        "number": values.number,
        "png": _data_uri,
        "px": "{:.1f}".format,
        "style_of": lambda report, system: report.system_names.index(system) % STYLES,
        "unit": values.unit,
        "verdicts": values.verdicts,
    }
    return environment


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _facts(report: Report) -> dict[str, object]:
    """Say what was compared, by which protocol, and how much of it."""
    facts: dict[str, object] = {"protocol": report.protocol or "none named"}
    for kind in dict.fromkeys(system.kind for system in report.systems):
        facts[f"{kind} system"] = "; ".join(
            f"{one.name} ({one.path})" if one.path and one.path != one.name else one.name
            for one in report.systems
            if one.kind == kind
        )
    facts |= {
        "clips": len(report.per_clip),
        "frames": sum(clip.frames for clip in report.per_clip),
        "signers": len({clip.signer for clip in report.per_clip} - {""}) or "not known",
        "failed": len(report.failed),
    }
    for name, value in report.inputs.items():
        if value not in (None, "", []):
            texts = value if isinstance(value, list) else [value]
            facts[f"input: {name}"] = (
                "; ".join(map(str, texts))
                if all(isinstance(text, str) for text in texts)
                else json.dumps(value, ensure_ascii=False)
            )
    return facts | {"signgen": report.signgen}


def _signatures(report: Report, metrics: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return metric, systems and signature of every signature; systems mostly share theirs."""
    rows = []
    for metric in metrics:
        systems: dict[str, list[str]] = {}
        for system, result in report.by_system(metric).items():
            systems.setdefault(result.signature, []).append(system)
        for signature, names in systems.items():
            rows.append((metric, "all" if len(systems) == 1 else ", ".join(names), signature))
    return rows


def _measured(rows: Sequence[ClipResult | SignerResult], system: str) -> list[str]:
    """Return the metrics that any row has a value of, in their order."""
    scores = [row.scores.get(system, {}) for row in rows]
    names = dict.fromkeys(name for own in scores for name in own)
    return [name for name in names if any(own.get(name) is not None for own in scores)]


def _data_uri(frame: WorstFrame) -> str:
    """Return the sheet of a frame as a PNG inside an address."""
    picture = sheet(frame)
    if picture.shape[1] > _WIDEST_SHEET:
        picture = contact_sheet([picture], scale=_WIDEST_SHEET / picture.shape[1])
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
