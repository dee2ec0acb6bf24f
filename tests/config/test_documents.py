"""YAML of strangers: bombs, numbers without end, and scalars that do not fit their tag."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from signgen.config.documents import read_mapping
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.errors import ExitCode, UserError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


def refused(path: Path, text: str) -> UserError:
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        load_config(path, TrainConfig)
    assert time.process_time() - started < 10
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)
    return caught.value


def test_an_alias_bomb_of_400_bytes_is_refused_at_once(tmp_path: Path) -> None:
    assert len(BOMB) < 512
    error = refused(tmp_path / "bomb.yaml", BOMB)
    assert "more than 10000 values with what its aliases repeat" in str(error)
    assert error.code == ExitCode.DATA
    merged = "a: &a {" + ", ".join(f"k{i}: 1" for i in range(200)) + "}\n"
    merged += "b: &b [" + ", ".join(["*a"] * 60) + "]\n"
    assert "aliases" in str(refused(tmp_path / "wide.yaml", merged))


def test_aliases_within_reason_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("model: &m {size: [64, 48]}\nother: *m\nmore: [*m, *m]\n")
    value = read_mapping(tmp_path / "a.yaml")
    assert value["other"] == value["model"] == {"size": [64, 48]}


def test_an_alias_of_itself_is_refused(tmp_path: Path) -> None:
    assert "within what it repeats" in str(refused(tmp_path / "a.yaml", "steps: &a [*a]\n"))


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("steps: " + "9" * 400, "steps is a long number; expected a whole number"),
        ("learning_rate: " + "9" * 400, "learning_rate is a long number; expected a number"),
        ("steps: 0x" + "f" * 9000, "steps is a long number"),
        ("out: [" + "x" * 4000 + "]", "out is a long list; expected a text"),
        ("stage: " + "x" * 4000, "stage is a long text; expected one of"),
        ("? " + "x" * 90_000 + "\n: 1", "a long text is not a setting"),
        ("steps: !!bool maybe", "is not valid YAML (KeyError)"),
        ("steps: !!int ''", "is not valid YAML (IndexError)"),
        ("steps: !!timestamp abc", "is not valid YAML"),
        ("steps: " + "[" * 5000, "is not valid YAML"),
        ("? [a, b]\n: 1", "unhashable key"),
    ],
)
def test_values_that_cannot_be_are_named_shortly(tmp_path: Path, line: str, named: str) -> None:
    assert named in str(refused(tmp_path / "settings.yaml", line))
