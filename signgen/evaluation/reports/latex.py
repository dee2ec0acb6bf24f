"""The scores of a report as a LaTeX table for a paper: systems in rows, metrics in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signgen.errors import ExitCode, UserError
from signgen.evaluation.reports.report import Report
from signgen.evaluation.reports.values import (
    caveat,
    entries_of,
    metric_names,
    number,
    one_line,
    system_names,
)
from signgen.files.writing import save_text

__all__ = ["escape", "latex_table", "write_latex"]

_COLUMNS = 4
"""Metrics side by side at most: with their intervals they fill the width of a page."""
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # After \\ and \midrule, LaTeX would read these as options.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
} | {character: "\\" + character for character in "&%$#_{}"}


def write_latex(
    path: str | Path,
    report: Report,
    *,
    systems: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
) -> None:
    """Write the table of a report, atomically.

    Args:
        path: The file.
        report: See `latex_table`.
        systems: See `latex_table`.
        metrics: See `latex_table`.

    Raises:
        UserError: If a name is not in the report (2), or the file cannot be created (73) or written
            (74).
    """
    save_text(path, latex_table(report.to_json(), systems=systems, metrics=metrics))


def latex_table(
    report: Mapping[str, Any],
    *,
    systems: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
) -> str:
    """Return the scores of a report as a `table` of the package booktabs.

    Values stand above their intervals. Where there are more metrics than fit side by side, the rest
    follows below in the same table. No value is set in bold, because the largest number alone does
    not say that a system is better.

    Args:
        report: Report as JSON, of schema version 2.
        systems: Names of the systems shown, in order; None for all.
        metrics: Names of the metrics shown, in order; None for all that any system has a value of.

    Returns:
        LaTeX source, ending in a line end. Signatures stand above it as comments.

    Raises:
        UserError: If a name is not in the report (2).
    """
    rows = _chosen(systems, system_names(report), "system")
    measured = [
        metric
        for metric in metric_names(report)
        if any(entry["value"] is not None for entry in entries_of(report, metric).values())
    ]
    columns = _chosen(metrics, metric_names(report), "metric") if metrics else measured
    entries = {metric: entries_of(report, metric) for metric in columns}
    lines = [
        *_comments(report, columns),
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_caption(report)}}}",
    ]
    for start in range(0, len(columns), _COLUMNS):
        if start:
            lines += ["", r"  \medskip"]
        shown = {metric: entries[metric] for metric in columns[start : start + _COLUMNS]}
        lines += _tabular(rows, shown)
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _tabular(
    systems: Sequence[str], metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> list[str]:
    """Return the lines of one tabular: the entries of some metrics by system."""
    heads = [f"{escape(metric)} {_arrow(entries)}" for metric, entries in metrics.items()]
    lines = [
        rf"  \begin{{tabular}}{{l{'c' * len(metrics)}}}",
        r"    \toprule",
        f"    {' & '.join(['system', *heads])} \\\\",
        r"    \midrule",
    ]
    for system in systems:
        shown = [entries.get(system) for entries in metrics.values()]
        values = [_value(entry) for entry in shown]
        lines.append(f"    {' & '.join([escape(system), *values])} \\\\")
        intervals = [_interval(entry) for entry in shown]
        if any(intervals):
            lines.append(f"    {' & '.join(['', *intervals])} \\\\")
    return [*lines, r"    \bottomrule", r"  \end{tabular}"]


def escape(text: str) -> str:
    """Return text as LaTeX that prints it, whatever characters it holds.

    Args:
        text: Any text; what cannot be shown on one line is written as escapes first.
    """
    return "".join(_ESCAPES.get(character, character) for character in one_line(text))


def _chosen(wanted: Sequence[str] | None, known: Sequence[str], what: str) -> Sequence[str]:
    for name in wanted or ():
        if name not in known:
            raise UserError(
                f"{what} {name} is not in the report; expected one of {', '.join(known)}.",
                ExitCode.USAGE,
            )
    return known if wanted is None else wanted


def _comments(report: Mapping[str, Any], metrics: Sequence[str]) -> list[str]:
    """Return the signatures as comments: compare numbers only if theirs are equal."""
    lines = [r"% Needs \usepackage{booktabs}.", f"% signgen {one_line(report['signgen'])}"]
    for metric in metrics:
        found = {entry["signature"] for entry in entries_of(report, metric).values()}
        lines += [f"% {one_line(signature)}" for signature in sorted(found)]
    return lines


def _caption(report: Mapping[str, Any]) -> str:
    clips = report["per_clip"]
    number_of_clips = "1 clip" if len(clips) == 1 else f"{len(clips)} clips"
    counted = f"{number_of_clips}, {sum(clip['frames'] for clip in clips)} frames"
    protocol = f", protocol {escape(report['protocol'])}" if report["protocol"] else ""
    failed = f" Failed items: {len(report['failed'])}." if report["failed"] else ""
    few = f" {caveat(report)}" if caveat(report) else ""
    intervals = any(entry["ci95"] for entry in report["metrics"])
    what = r"Scores with 95\,\% bootstrap intervals over clips" if intervals else "Scores"
    return f"{what} ({counted}{protocol}).{failed}{few} " + escape(report["note"])


def _arrow(entries: Mapping[str, Mapping[str, Any]]) -> str:
    entry = next(iter(entries.values()))
    if entry.get("ideal") is not None:
        return rf"$\to {entry['ideal']:g}$"
    return r"$\uparrow$" if entry["higher_is_better"] else r"$\downarrow$"


def _value(entry: Mapping[str, Any] | None) -> str:
    if entry is None or entry["value"] is None:
        return "--"
    return f"${number(entry['name'], entry['value'])}$"


def _interval(entry: Mapping[str, Any] | None) -> str:
    if entry is None or entry["value"] is None or entry["ci95"] is None:
        return ""
    low, high = (number(entry["name"], bound) for bound in entry["ci95"])
    # Braces, because a row that begins with [ would be read as an option of the row before.
    return rf"{{\scriptsize $[{low}, {high}]$}}"
