"""The fuzzer finds each kind of fault, and a few mutants of every quick format make none."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import ModuleType

import pytest

from signgen.errors import UserError
from tests.material.tools import load_tool

QUICK = ("png", "npz", "json", "safetensors", "trainer", "checkpoint", "yaml", "zip", "tar")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("fuzz")


def test_a_mutant_is_the_same_file_each_time(tool: ModuleType) -> None:
    form, original = tool.FORMATS["yaml"], b"steps: 100\nstage: fpdm\n"
    made = [tool.mutant(form, original, 3, number) for number in range(200)]
    assert made == [tool.mutant(form, original, 3, number) for number in range(200)]
    assert len(set(made)) > 150
    assert made != [tool.mutant(form, original, 4, number) for number in range(200)]


def test_every_kind_of_fault_is_counted_and_the_rest_goes_on(
    tool: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def read(path: Path) -> object:
        number = numbers.pop(0)
        if number == 1:
            raise UserError(f"{path} is bad; expected better. Do this.")
        if number == 2:
            raise KeyError("x")
        if number == 3:
            os._exit(3)
        if number == 4:
            time.sleep(60)
        if number == 5:
            return len(bytearray(400 << 20))  # beyond what the child may take at all
        return None

    numbers = list(range(8))
    original = tool.mutant

    def counted(form, data, seed, number):  # children begin where the one before them ended
        numbers[:] = list(range(number, 8))
        return original(form, data, seed, number)

    monkeypatch.setattr(tool, "mutant", counted)
    monkeypatch.setitem(tool.FORMATS, "made", tool.Format("a.bin", lambda: b"abc" * 9, read))
    words = ["made", "--mutants", "8", "--memory", "40", "--seconds", "1.5"]
    assert tool.main([*words, "--keep", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    row = json.loads(printed.out)
    counts = {name: row[name] for name in ("read", "refused", "traceback", "hang", "death")}
    assert counts == {"read": 3, "refused": 1, "traceback": 1, "hang": 1, "death": 1}
    assert row["memory"] == 1
    assert "KeyError" in printed.err
    assert len(list(tmp_path.iterdir())) == 4, "the files that made a fault are kept"


@pytest.mark.parametrize("name", QUICK)
def test_mutants_are_read_or_refused(
    tool: ModuleType, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([name, "--mutants", "25", "--seed", "1"]) == 0, capsys.readouterr().err
