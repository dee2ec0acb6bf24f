"""Every YAML loads, and every command that the documents show is one that the program takes."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest

from signgen.cli.main import COMMANDS
from signgen.cli.parsing import parse
from signgen.config.data import (
    PrepareCacheConfig,
    PrepareDeepFashionConfig,
    PrepareFolderConfig,
    PreparePhoenixConfig,
    PrepareSyntheticConfig,
)
from signgen.config.evaluation import EvalConfig
from signgen.config.exchange import DoctorConfig, ExportConfig, ImportFPDMConfig
from signgen.config.pose import (
    PoseAlignConfig,
    PoseConvertConfig,
    PoseExtractConfig,
    PoseInfoConfig,
    PoseViewConfig,
)
from signgen.config.render import RenderConfig
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (".", "datasets", "docs")
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
CLASSES = {
    "render": RenderConfig,
    "train": TrainConfig,
    "eval": EvalConfig,
    "export": ExportConfig,
    "prepare folder": PrepareFolderConfig,
    "prepare phoenix14t": PreparePhoenixConfig,
    "prepare cache": PrepareCacheConfig,
    "prepare synthetic": PrepareSyntheticConfig,
    "prepare deepfashion": PrepareDeepFashionConfig,
    "pose info": PoseInfoConfig,
    "pose extract": PoseExtractConfig,
    "pose view": PoseViewConfig,
    "pose align": PoseAlignConfig,
    "pose convert": PoseConvertConfig,
    "import-fpdm": ImportFPDMConfig,
    "doctor": DoctorConfig,
}


def shown_commands() -> list[tuple[str, str]]:
    """Lines that call signgen or make in code blocks of documents and in the heads of configs."""
    found = []
    for path in [path for folder in DOCUMENTS for path in sorted((ROOT / folder).glob("*.md"))]:
        for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", path.read_text("utf-8"), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                found.append((path.name, line.removeprefix("$ ").strip()))
    for path in CONFIGS:
        heads = [line for line in path.read_text("utf-8").splitlines() if line.startswith("#")]
        for line in heads:
            found += [(path.name, match) for match in re.findall(r"(?<!-m )\bsigngen .*", line)]
    return found


COMMANDS_SHOWN = [(name, line) for name, line in shown_commands() if line.startswith("signgen ")]
TARGETS_SHOWN = [(name, line) for name, line in shown_commands() if line.startswith("make ")]


def check(line: str) -> None:
    """Parse a command line as `signgen.cli.main` does, without running it."""
    words = shlex.split(line, comments=True)[1:]
    if words[0] in {"--help", "--version"}:
        return
    command, *rest = words
    assert command in COMMANDS, line
    if command in {"prepare", "pose"}:
        command = f"{command} {rest[0]}"
        assert command in CLASSES, line
        rest = rest[1:]
    if command == "export" or command.startswith(
        "pose "
    ):  # files and models can be named without a flag
        rest = list(itertools.dropwhile(lambda word: not word.startswith("-"), rest))
    default = None
    if command == "train" and rest and not rest[0].startswith("-"):
        path = ROOT / rest[0]
        # A run folder exists only after a run; a file of settings must be there.
        default = load_config(path, TrainConfig) if path.suffix == ".yaml" else TrainConfig()
        rest = rest[1:]
    rest = [word for word in rest if word != "--debug"]
    parse(CLASSES[command], rest, prog=f"signgen {command}", description="", default=default)


def test_readme_shows_the_two_commands_first() -> None:
    lines = [line for name, line in shown_commands() if name == "README.md" and line]
    assert lines[0].startswith("make demo")
    assert lines[1].startswith("make test")
    assert any(
        line.startswith("signgen render --source frame.png --poses seq.json") for line in lines
    )


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 250


@pytest.mark.parametrize(("name", "line"), COMMANDS_SHOWN)
def test_shown_command_parses(name: str, line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line", ["signgen render --sauce a.png", "signgen train configs/smoke-vae.yaml --stepz 3"]
)
def test_wrong_command_is_noticed(line: str) -> None:
    with pytest.raises(UserError):
        check(line)


@pytest.mark.parametrize(("name", "line"), TARGETS_SHOWN)
def test_shown_target_exists(name: str, line: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in shlex.split(line, comments=True)[1:]:
        assert "=" in word or re.search(rf"^{re.escape(word)}:", makefile, re.M), line


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_loads(path: Path) -> None:
    load_config(path, TrainConfig)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_says_command_and_cost(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.search(r"^# Launch: .*signgen|^# Launch: make", text, re.M)
    assert re.search(r"^# Cost: ", text, re.M)


def test_configs_are_flat() -> None:
    assert not [path for path in (ROOT / "configs").rglob("*") if path.is_dir()]
