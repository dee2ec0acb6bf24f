"""The scores of a report as a LaTeX table for a paper: systems in rows, metrics in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.evaluation.reports.report import COPY, PREVIOUS, Report, Result
from signgen.evaluation.reports.values import caveat, number, one_line
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


def write_latex(path: str | Path, report: Report) -> None:
    """Write the table of a report, atomically; see `latex_table`."""
    save_text(path, latex_table(report))


def latex_table(
    report: Report, *, systems: Sequence[str] | None = None, metrics: Sequence[str] | None = None
) -> str:
    """Return the scores of a report as a `table` of the package booktabs.

    Values stand above their intervals. Where there are more metrics than fit side by side, the rest
    follows below in the same table. The best value of a metric is bold, and so are those that print
    alike; copies of true frames have no part in metrics with an ideal, where they say nothing.

    Args:
        report: Scores of frames.
        systems: Names of the systems shown, in order; None for all.
        metrics: Names of the metrics shown, in order; None for all that any system has a value of.
    """
    measured = [
        metric
        for metric in report.metric_names
        if any(result.value is not None for result in report.by_system(metric).values())
    ]
    for kind, names, known in (
        ("system", systems, report.system_names),
        ("metric", metrics, report.metric_names),
    ):
        for name in names or ():
            if name not in known:
                raise UserError(
                    f"{kind} {name} is not in the report; expected one of {', '.join(known)}.",
                    ExitCode.USAGE,
                )
    rows = report.system_names if systems is None else systems
    columns = {metric: report.by_system(metric) for metric in metrics or measured}
    # Compare numbers only if their signatures are equal.
    lines = [r"% Needs \usepackage{booktabs}.", f"% signgen {one_line(report.signgen)}"]
    for results in columns.values():
        signatures = {result.signature for result in results.values()}
        lines += [f"% {one_line(signature)}" for signature in sorted(signatures)]
    lines += [r"\begin{table}", r"  \centering", rf"  \caption{{{_caption(report)}}}"]
    lines += [r"  \label{tab:signgen}"]
    names = list(columns)
    for start in range(0, len(names), _COLUMNS):
        lines += ["", r"  \medskip"] if start else []
        lines += _tabular(rows, {name: columns[name] for name in names[start : start + _COLUMNS]})
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _tabular(rows: Sequence[str], columns: Mapping[str, Mapping[str, Result]]) -> list[str]:
    """Return the lines of one tabular: the results of some metrics by system."""
    heads = [
        f"{escape(metric)} {_arrow(next(iter(results.values())))}"
        for metric, results in columns.items()
    ]
    lines = [
        rf"  \begin{{tabular}}{{l{'c' * len(columns)}}}",
        r"    \toprule",
        _row(["system", *heads]),
        r"    \midrule",
    ]
    for system in rows:
        results = [own.get(system) for own in columns.values()]
        shown = [[own[row] for row in rows if row in own] for own in columns.values()]
        values = [_value(one, _is_best(one, row)) for one, row in zip(results, shown, strict=True)]
        lines.append(_row([escape(system), *values]))
        intervals = [_interval(result) for result in results]
        lines += [_row(["", *intervals])] if any(intervals) else []
    return [*lines, r"    \bottomrule", r"  \end{tabular}"]


def escape(text: str) -> str:
    """Return text as LaTeX that prints it, whatever characters it holds."""
    return "".join(_ESCAPES.get(character, character) for character in one_line(text))


def _caption(report: Report) -> str:
    clips = "1 clip" if len(report.per_clip) == 1 else f"{len(report.per_clip)} clips"
    frames = sum(clip.frames for clip in report.per_clip)
    protocol = f", protocol {escape(report.protocol)}" if report.protocol else ""
    failed = f" Failed items: {len(report.failed)}." if report.failed else ""
    few = caveat(len(report.per_clip))
    few = f" {few}" if few else ""
    intervals = any(result.ci95 for result in report.metrics)
    scores = r"Scores with 95\,\% bootstrap intervals over clips" if intervals else "Scores"
    said = f"{scores} ({clips}, {frames} frames{protocol}), the best in bold."
    return f"{said}{failed}{few} {escape(report.note)}"


def _row(cells: Iterable[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"


def _arrow(result: Result) -> str:
    if result.ideal is not None:
        return rf"$\to {result.ideal:g}$"
    return r"$\uparrow$" if result.higher_is_better else r"$\downarrow$"


def _is_best(result: Result | None, results: Sequence[Result]) -> bool:
    """Tell whether no other result of a metric is better, to the digits that are printed."""

    def distance(one: Result) -> float | None:
        copied = one.ideal is not None and one.system in {COPY, PREVIOUS}
        if one.value is None or copied:
            return None
        shown = float(number(one.name, one.value))
        if one.ideal is not None:
            return abs(shown - one.ideal)
        return -shown if one.higher_is_better else shown

    found = [value for one in results if (value := distance(one)) is not None]
    return result is not None and len(found) > 1 and distance(result) == min(found)


def _value(result: Result | None, bold: bool) -> str:
    if result is None or result.value is None:
        return "--"
    text = number(result.name, result.value)
    return rf"$\mathbf{{{text}}}$" if bold else f"${text}$"


def _interval(result: Result | None) -> str:
    if result is None or result.value is None or result.ci95 is None:
        return ""
    low, high = (number(result.name, bound) for bound in result.ci95)
    # Braces, because a row that begins with [ would be read as an option of the row before.
    return rf"{{\scriptsize $[{low}, {high}]$}}"
