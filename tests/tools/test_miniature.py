"""The miniature of FPDM's tables: runs of tiny models, and the document that is made of them."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen.checkpoints.finding import run_config
from signgen.checkpoints.models import save_pretrained
from signgen.config.model import tiny_fpdm
from signgen.models import build_model
from signgen.structures import UserError
from tests.material.tools import load_tool


def test_runs_are_trained_and_their_tables_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    load_tool("compare_models")
    miniature = load_tool("miniature")
    torch.manual_seed(0)
    start, runs, document = tmp_path / "start", tmp_path / "seed7", tmp_path / "tables.md"
    save_pretrained(build_model(tiny_fpdm()), start)
    names = ("2", "3", "4", "choices")
    marked = [
        f"{mark.format(n)}\nstale\n" for n in names for mark in (miniature.BEGIN, miniature.END)
    ]
    document.write_text("before\n" + "".join(marked) + "after\n")
    short = "--stage1-steps 1 --stage1-batch 4 --stage2-steps 1 --stage2-batch 2 --precision no"
    shared = [str(runs), "--data", "sample", "--start", str(start), "--document", str(document)]
    for action in ("train", "train", "tables"):
        words = [action, *shared, *short.split(), "--clips", "2", "--every", "6", "--choices"]
        words += ["--tables", *names]
        monkeypatch.setattr(sys, "argv", ["miniature", *words])
        miniature.main()

    # Each run differs from the others by what the paper's differs by, and by that alone
    encoders = {name: run_config(runs / name / "config.yaml").model for name in miniature.STAGE_2}
    sides = {name: model.source_encoder.image_size for name, model in encoders.items()}
    assert sides == {"B1": 32, "B2": 14, "B3": 28, "B4": 28, "B5": 28, "B6": 28}
    assert [model.fusion for model in encoders.values()] == [*["none"] * 3, "source", *["ipf"] * 2]
    assert [encoders[name].ipf.loss for name in ("B5", "B6")] == ["baseline", "source-enhanced"]
    assert {model.source_encoder.trained for model in encoders.values()} == {False}

    assert {run_config(runs / name / "config.yaml").model for name in miniature.CHOICES} == {
        replace(encoders["B6"], **changed) for _, changed in miniature.CHOICES.values()
    }

    # Tables
    text = document.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert text.count("stale") == len(names)
    ranks = re.findall(r"^\| (A\d) \| .* \| (\d+) \| .* \| ([\d.]+) \[", text, re.M)
    assert [name for name, *_ in ranks] == ["A1", "A2", "A3"] * 3
    assert all(1 <= float(mean) <= int(size) for _, size, mean in ranks)
    rows = re.findall(r"^\| (B\d|copy of the source) \| ([\d.]+) \[", text, re.M)
    assert [name for name, _ in rows] == [*miniature.STAGE_2, "copy of the source"]
    assert len(re.findall(r"^\| B\d minus B\d \| \w+ \| [+-]", text, re.M)) == 18
    assert "| second_difference |" in text
    assert re.findall(r"^\| (C\d): .* \| [+-]", text, re.M) == [*miniature.CHOICES]


def test_a_verdict_is_the_sign_that_an_interval_leaves() -> None:
    load_tool("compare_models")
    miniature = load_tool("miniature")
    assert miniature.verdict(0.1, (0.01, 0.2)) == "holds"
    assert miniature.verdict(-0.1, (-0.2, -0.01)) == "holds"
    assert miniature.verdict(-0.1, (0.01, 0.2)) == "the other way"
    assert miniature.verdict(0.1, (-0.01, 0.2)) == "inside the noise"
    assert miniature.verdict(0, (0.01, 0.2)) == "published as equal"


def test_a_guided_start_is_refused(tmp_path: Path) -> None:
    load_tool("compare_models")
    miniature = load_tool("miniature")
    with pytest.raises(UserError, match="plain decoder"):
        miniature.take_apart("mini", tmp_path / "parts")
    assert not (tmp_path / "parts").exists()
