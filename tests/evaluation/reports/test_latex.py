"""The LaTeX table: structure and escaping, since there is no LaTeX to run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from signgen.errors import ExitCode, UserError
from signgen.evaluation.reports.latex import escape, latex_table, write_latex
from signgen.evaluation.reports.report import Report


def body(text: str) -> list[list[str]]:
    """Return the cells of all rows."""
    rows = [line.strip() for line in text.splitlines() if line.endswith(r"\\")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)&", row[:-2])] for row in rows]


def with_results(report: Report, **changes: Any) -> Report:
    return replace(report, metrics=tuple(replace(one, **changes) for one in report.metrics))


def test_rows_are_systems_and_columns_metrics(report: Report) -> None:
    head, *rows = body(latex_table(report))
    assert head == ["system", r"ssim $\uparrow$", r"psnr $\uparrow$"]
    names = ["generated", r"runs/other\_50\%", "copy of the source"]
    assert [row[0] for row in rows] == [text for name in names for text in (name, "")]
    assert {len(row) for row in rows} == {3}
    psnr = report.score("psnr")
    low, high = psnr.ci95
    assert rows[0][2] == rf"$\mathbf{{{psnr.value:.2f}}}$", "the best"
    assert rows[2][2] == f"${report.score('psnr', 'runs/other_50%').value:.2f}$"
    assert rows[1][2] == rf"{{\scriptsize $[{low:.2f}, {high:.2f}]$}}"


def test_braces_and_environments_are_closed(report: Report) -> None:
    code = "\n".join(line for line in latex_table(report).splitlines() if line[0] != "%")
    plain = re.sub(r"\\[{}\\]", "", code)
    assert plain.count("{") == plain.count("}")
    ends = [("begin", "table"), ("begin", "tabular"), ("end", "tabular"), ("end", "table")]
    assert re.findall(r"\\(begin|end)\{(\w+)\}", code) == ends
    rules = re.findall(r"\\(toprule|midrule|bottomrule)", code)
    assert rules == ["toprule", "midrule", "bottomrule"]
    assert r"\begin{tabular}{lcc}" in code
    assert len(re.findall(r"(?<!\\)[$]", code)) % 2 == 0


def test_signatures_stand_in_comments_and_the_protocol_in_the_caption(report: Report) -> None:
    report = with_results(report, signature="ssim|win:7\n\\input{secret}")
    lines = latex_table(replace(report, protocol="my_protocol")).splitlines()
    assert "% ssim|win:7\\n\\input{secret}" in lines
    (caption,) = [line for line in lines if r"\caption" in line]
    assert r"4 clips, 18 frames, protocol my\_protocol" in caption
    assert "Failed items: 1. With only 4 clips, intervals are too narrow" in caption
    assert "Automatic scores do not show that signing is understood." in caption


def test_what_is_asked_for_is_shown_and_what_is_absent_is_dashes(report: Report) -> None:
    text = latex_table(report, systems=["copy of the source"], metrics=["lpips", "psnr"])
    head, values, intervals = body(text)
    assert head == ["system", r"lpips $\downarrow$", r"psnr $\uparrow$"]
    assert values[:2] == ["copy of the source", "--"]
    assert intervals[1] == ""
    for names in ({"systems": ["ours"]}, {"metrics": ["ours"]}):
        with pytest.raises(UserError, match="ours is not in the report; expected one") as caught:
            latex_table(report, **names)
        assert caught.value.code == ExitCode.USAGE


def test_ideal_values_and_missing_intervals(report: Report) -> None:
    head = body(latex_table(with_results(report, ideal=1.0)))[0]
    assert head == ["system", r"ssim $\to 1$", r"psnr $\to 1$"]
    bare = with_results(replace(report, protocol=None), ci95=None)
    assert len(body(latex_table(bare))) == 1 + 3
    assert r"\caption{Scores (4 clips, 18 frames), the best in bold." in latex_table(bare)
    assert r"\label{tab:signgen}" in latex_table(bare)
    assert "(1 clip, " in latex_table(replace(bare, per_clip=bare.per_clip[:1]))


def test_the_best_is_bold_by_the_digits_that_are_printed(report: Report) -> None:
    def bold(values: dict[str, float], **changes: Any) -> list[str]:
        metrics = [
            replace(report.score("ssim", system), value=value, ci95=None, **changes)
            for system, value in values.items()
        ]
        rows = body(latex_table(replace(report, metrics=tuple(metrics))))[1:]
        return [row[0] for row in rows if "mathbf" in row[1]]

    alike = {"generated": 0.50001, "runs/other_50%": 0.50002, "copy of the source": 0.4}
    assert bold(alike) == ["generated", r"runs/other\_50\%"]
    assert bold(alike, higher_is_better=False) == ["copy of the source"]
    assert bold({**alike, "copy of the source": 1.0}, ideal=1.0) == [
        "generated",
        r"runs/other\_50\%",
    ]
    assert bold({"generated": 0.5}) == [], "nothing to be better than"


def test_many_metrics_are_laid_out_below_each_other(report: Report) -> None:
    more = [replace(one, name=f"m{k}") for k in range(4) for one in report.metrics[1::3]]
    text = latex_table(replace(report, metrics=(*report.metrics, *more)))
    heads = [row for row in body(text) if row[0] == "system"]
    assert [len(head) - 1 for head in heads] == [4, 2]
    assert [head[-1].split()[0] for head in heads] == ["m1", "m3"]
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert text.count(r"\begin{table}") == 1
    assert [row[0] for row in body(text)[7:9]] == ["system", "generated"]


def test_special_characters_are_printed() -> None:
    for text, expected in (
        (r"50% & more_$#", r"50\% \& more\_\$\#"),
        ("a\\b{c}", r"a\textbackslash{}b\{c\}"),
        ("~^<>", r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}"),
        ("[x]*", "{[}x{]}{*}"),
        ("two\nlines", r"two\textbackslash{}nlines"),
    ):
        assert escape(text) == expected


def test_the_file_is_written_whole_or_not(report: Report, tmp_path: Path) -> None:
    write_latex(tmp_path / "table.tex", report)
    assert (tmp_path / "table.tex").read_text("utf-8") == latex_table(report)
    with pytest.raises(UserError):
        write_latex(tmp_path / "missing" / "table.tex", report)
    assert [path.name for path in tmp_path.iterdir()] == ["table.tex"]
