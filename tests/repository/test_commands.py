"""Every YAML loads, and every command that the documents show is one that the program takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from signgen.cli import parsing, prepare, train
from signgen.cli.main import COMMANDS
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [path for folder in (".", "datasets", "docs") for path in (ROOT / folder).glob("*.md")]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


class ParsedError(Exception):
    """Raised in place of running a command."""


@pytest.fixture
def parse_only(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = parsing.parse

    def stop(*arguments: Any, **options: Any) -> None:
        parse(*arguments, **options)
        raise ParsedError

    monkeypatch.setattr(parsing, "parse", stop)
    for module in (prepare, train):
        monkeypatch.setattr(module, "parse", stop)
    monkeypatch.chdir(ROOT)


def shown_commands() -> list[tuple[str, str]]:
    """Lines that call signgen or make in code blocks of documents and in the heads of configs."""
    lines = []
    for path in sorted(DOCUMENTS):
        for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", path.read_text("utf-8"), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                lines.append((path.name, line.removeprefix("$ ").strip()))
    for path in CONFIGS:
        for head in re.findall(r"^#.*?(?<!-m )\b(signgen .*)", path.read_text("utf-8"), re.M):
            lines.append((path.name, head))
    return lines


def check(line: str) -> None:
    """Parse a command line as the program does, without running it."""
    words = shlex.split(line, comments=True)[1:]
    if words[0] in {"--help", "--version"}:
        return
    command: Any = COMMANDS
    while not callable(command):
        command = command[words.pop(0)]
    if words and words[0].startswith("runs/"):
        del words[0]  # a run folder is there only after the run
    with pytest.raises(ParsedError):
        command([word for word in words if word != "--debug"])


@pytest.mark.usefixtures("parse_only")
def test_shown_commands_parse() -> None:
    lines = [(name, line) for name, line in shown_commands() if line.startswith("signgen ")]
    assert len(lines) > 50
    for name, line in lines:
        try:
            check(line)
        except (UserError, KeyError) as error:
            pytest.fail(f"{name}: {line}: {error}")


@pytest.mark.usefixtures("parse_only")
@pytest.mark.parametrize(
    "line", ["signgen render --sauce a.png", "signgen train configs/smoke-vae.yaml --stepz 3"]
)
def test_wrong_command_is_noticed(line: str) -> None:
    with pytest.raises(UserError):
        check(line)


def test_shown_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    lines = [line for _, line in shown_commands() if line.startswith("make ")]
    targets = {word for line in lines for word in shlex.split(line, comments=True)[1:]}
    assert len(targets) > 5
    named = {word for word in targets if "=" not in word}
    assert not {word for word in named if not re.search(rf"^{re.escape(word)}:", makefile, re.M)}


def test_readme_is_short_and_shows_the_two_commands_first() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 250
    lines = [line for name, line in shown_commands() if name == "README.md" and line]
    assert lines[0].startswith("make demo")
    assert lines[1].startswith("make test")
    assert any(line.startswith("signgen render --source frame.png --poses") for line in lines)


def test_configs_load_and_say_command_and_cost() -> None:
    assert not [path for path in (ROOT / "configs").rglob("*") if path.is_dir()]
    for path in CONFIGS:
        load_config(path, TrainConfig)
        text = path.read_text("utf-8")
        assert re.search(r"^# Launch: .*signgen|^# Launch: make", text, re.M), path
        assert re.search(r"^# Cost: ", text, re.M), path
