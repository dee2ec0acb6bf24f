"""What docs/evaluation.md says of protocols, metrics and reports is what the program has."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from signgen.evaluation.metric_choice import METRICS
from signgen.evaluation.protocols import PROTOCOLS, Protocol
from signgen.evaluation.reports.report import Report

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "evaluation.md").read_text("utf-8")


def rows(name: str) -> list[list[str]]:
    """The cells of all table rows that begin with a name in code style."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if f"`{name}`" in row[0].split(", ")]


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=list(PROTOCOLS))
def test_protocol_is_as_documented(protocol: Protocol) -> None:
    facts, words = rows(protocol.name)
    _, scored, size, metrics, real_set = facts
    assert scored == f"{protocol.items}, {' and '.join(protocol.frames)}"
    sizes = " or ".join(f"{height} x {width}" for height, width in protocol.sizes)
    assert size == (f"{sizes}, {protocol.resize}" if sizes else "none")
    assert real_set == protocol.real_set
    named = re.sub(r" \([^)]*\)", "", metrics).split(", ")
    assert named == [choice.metric for choice in protocol.metrics]
    for choice in protocol.metrics:
        if choice.full_batches:
            assert f"full batches of {choice.full_batches}" in metrics
    assert words[1:] == [protocol.source, " ".join(protocol.differs)]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_a_row(metric: str) -> None:
    said = [row[3] for row in rows(metric) if len(row) == 5]
    assert [text for text in said if text.startswith(("higher", "lower", "near"))]


def test_every_field_of_the_report_has_a_row() -> None:
    for name in Report().to_json():
        assert rows(name), name


def test_frames_are_scored_as_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    (block,) = (block for block in blocks if "evaluate_frames" in block)
    (tmp_path / "snippet.py").write_text(block)
    scores = runpy.run_path(str(tmp_path / "snippet.py"))["scores"]
    assert 0 < scores["ssim"].value < 1
    assert scores["ssim"].signature in capsys.readouterr().out
