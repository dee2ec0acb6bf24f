"""What `tools/benchmark_gpu.py` prints, at the tiny shape on a CPU."""

from __future__ import annotations

import torch

from tests.material.tools import load_tool


def test_every_rung_is_counted_and_compared() -> None:
    tool = load_tool("benchmark_gpu")
    table = tool.benchmark("tiny", 1, 1, 4, torch.device("cpu"), compiled=False)
    head, _, *lines = table.split("\n")
    assert head.startswith("tiny, 1 frames, 1 rounds, CPU")
    rows = {line[:26].strip(): line[26:].split() for line in lines}
    assert list(rows) == [rung.name for rung in tool.ladder(4, compiled=False)]
    forwards, tflop, _, error = range(4)
    assert [int(row[forwards]) for row in rows.values()] == [12, 8, 8, 8, 12, 8, 8, 4]
    assert float(rows["exact, fp32"][error]) <= 1e-5
    assert float(rows["three branches, fp32"][error]) <= 1e-4
    assert 1e-5 < float(rows["exact, bf16"][error]) < 0.5
    assert (
        float(rows["three branches, fp32"][tflop])
        > float(rows["plain, fp32"][tflop])
        > float(rows["exact, fp32"][tflop])
        > float(rows["+ UniPC, half the steps"][tflop])
    )
