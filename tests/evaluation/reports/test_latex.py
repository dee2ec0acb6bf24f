"""The LaTeX table: structure and escaping, since there is no LaTeX to run."""

from __future__ import annotations

import re
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


def test_rows_are_systems_and_columns_metrics(report: dict[str, Any]) -> None:
    head, *rows = body(latex_table(report))
    assert head == ["system", r"ssim $\uparrow$", r"psnr $\uparrow$"]
    assert [row[0] for row in rows] == [
        "generated",
        "",
        r"runs/other\_50\%",
        "",
        "copy of the source",
        "",
    ]
    assert {len(row) for row in rows} == {3}
    entry = report["metrics"][1]
    low, high = entry["ci95"]
    assert rows[0][2] == f"${entry['value']:.2f}$"
    assert rows[1][2] == rf"{{\scriptsize $[{low:.2f}, {high:.2f}]$}}"


def test_braces_and_environments_are_closed(report: dict[str, Any]) -> None:
    text = latex_table(report)
    code = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    plain = re.sub(r"\\[{}\\]", "", code)
    assert plain.count("{") == plain.count("}")
    assert re.findall(r"\\(begin|end)\{(\w+)\}", code) == [
        ("begin", "table"),
        ("begin", "tabular"),
        ("end", "tabular"),
        ("end", "table"),
    ]
    rules = re.findall(r"\\(toprule|midrule|bottomrule)", code)
    assert rules == ["toprule", "midrule", "bottomrule"]
    assert r"\begin{tabular}{lcc}" in code
    assert len(re.findall(r"(?<!\\)[$]", code)) % 2 == 0


def test_signatures_stand_in_comments_and_the_protocol_in_the_caption(
    report: dict[str, Any],
) -> None:
    report["protocol"] = "my_protocol"
    report["metrics"][0]["signature"] = "ssim|win:7\n\\input{secret}"
    lines = latex_table(report).splitlines()
    assert "% ssim|win:7\\n\\input{secret}" in lines
    (caption,) = [line for line in lines if r"\caption" in line]
    assert r"4 clips, 18 frames, protocol my\_protocol" in caption
    assert "Failed items: 1. With only 4 clips, intervals are too narrow" in caption
    assert "Automatic scores do not show that signing is understood." in caption


def test_what_is_asked_for_is_shown_and_what_is_absent_is_dashes(report: dict[str, Any]) -> None:
    text = latex_table(report, systems=["copy of the source"], metrics=["lpips", "psnr"])
    head, values, intervals = body(text)
    assert head == ["system", r"lpips $\downarrow$", r"psnr $\uparrow$"]
    assert values[:2] == ["copy of the source", "--"]
    assert intervals[1] == ""


def test_a_metric_with_an_ideal_value_says_it(report: dict[str, Any]) -> None:
    for entry in report["metrics"]:
        entry["ideal"] = 1.0 if entry["name"] == "psnr" else None
    assert body(latex_table(report))[0] == ["system", r"ssim $\uparrow$", r"psnr $\to 1$"]


def test_one_clip_has_no_row_of_intervals(report: dict[str, Any]) -> None:
    for entry in report["metrics"]:
        entry["ci95"] = None
    assert len(body(latex_table(report))) == 1 + 3
    assert r"\caption{Scores (4 clips, 18 frames)" in latex_table(report | {"protocol": None})
    assert "(1 clip, " in latex_table(report | {"per_clip": report["per_clip"][:1]})


def test_many_metrics_are_laid_out_below_each_other(report: dict[str, Any]) -> None:
    psnr = [entry for entry in report["metrics"] if entry["name"] == "psnr"]
    report["metrics"] += [entry | {"name": f"m{k}"} for k in range(4) for entry in psnr]
    text = latex_table(report)
    heads = [row for row in body(text) if row[0] == "system"]
    assert [len(head) - 1 for head in heads] == [4, 2]
    assert [head[-1].split()[0] for head in heads] == ["m1", "m3"]
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert text.count(r"\begin{table}") == 1
    assert body(text)[7][0] == "system"
    assert body(text)[8][0] == "generated"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"50% & more_$#", r"50\% \& more\_\$\#"),
        ("a\\b{c}", r"a\textbackslash{}b\{c\}"),
        ("~^<>", r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}"),
        ("[x]*", "{[}x{]}{*}"),
        ("two\nlines", r"two\textbackslash{}nlines"),
    ],
)
def test_special_characters_are_printed(text: str, expected: str) -> None:
    assert escape(text) == expected


@pytest.mark.parametrize("wanted", [{"systems": ["ours"]}, {"metrics": ["ours"]}])
def test_unknown_names_are_refused(report: dict[str, Any], wanted: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="ours is not in the report; expected one of") as caught:
        latex_table(report, **wanted)
    assert caught.value.code == ExitCode.USAGE


def test_the_file_is_written_whole_or_not(report: dict[str, Any], tmp_path: Path) -> None:
    write_latex(tmp_path / "table.tex", Report.from_json(report))
    assert (tmp_path / "table.tex").read_text("utf-8") == latex_table(report)
    with pytest.raises(UserError):
        write_latex(tmp_path / "other.tex", Report.from_json(report), metrics=["no such"])
    assert [path.name for path in tmp_path.iterdir()] == ["table.tex"]
