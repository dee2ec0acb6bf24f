"""Command-line flags from the configuration dataclasses: tyro parses, complaints are one line."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

from signgen.config.yaml import (
    describe_type,
    did_you_mean,
    from_mapping,
    leaf_types,
    load_config,
    to_mapping,
)
from signgen.structures import ExitCode, UserError

ConfigT = TypeVar("ConfigT")

ALIASES = {"-o": "--out", "-s": "--source", "-p": "--poses"}
"""Short spellings; a short flag that the command lacks in its long form is unknown."""

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def parse(
    cls: type[ConfigT],
    arguments: Sequence[str],
    *,
    prog: str,
    description: str,
    default: ConfigT | None = None,
) -> ConfigT:
    """Parse flags into a configuration: defaults < the YAML file of `--config` < flags.

    Args:
        cls: Dataclass to build.
        arguments: Command-line words after the command.
        prog: How the command is called, for messages and help.
        description: First paragraphs of the help.
        default: Values for the flags left out; the defaults of `cls` if not given.

    Raises:
        UserError: If a flag is unknown, a value does not fit (exit code 2), or the YAML is bad.
        SystemExit: After `--help`.
    """
    import tyro

    words = _spelled_out([str(word) for word in arguments])
    words, file = _take_config(words, prog)
    if file is not None:
        default = load_config(file, cls)
    known = known_flags(cls)
    _check_known(words, known, prog)
    words = _answered(_double_guidance(words), known)
    if "--help" in words:
        words = ["--help"]
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            config, rest = tyro.cli(
                cls,
                args=words,
                prog=prog,
                description=description,
                default=cls() if default is None else default,
                return_unknown_args=True,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise _usage(_complaint(captured.getvalue(), words, known), prog) from None
    if rest:
        raise _usage(f"{rest[0]!r} is one word too many; expected only flags", prog)
    # The parser lets `nan` through where a number is asked for.
    return from_mapping(cls, to_mapping(config), prog)


def positional(words: Sequence[str], cls: type[Any]) -> tuple[list[str], list[str]]:
    """Split words into those that name something, wherever they stand, and flags with their values.

    Args:
        words: Command-line words after the command.
        cls: Dataclass of the command's flags, which says how many values each takes.
    """
    known = known_flags(cls) | {"--config": str}
    named: list[str] = []
    flags: list[str] = []
    due = 0
    for word in _spelled_out(list(words)):
        if _is_flag(word):
            flag, equals, _ = word.partition("=")
            due = 0 if equals else _num_values(known.get(flag, bool))
        elif not due:
            named.append(word)
            continue
        else:
            due -= 1
        flags.append(word)
    return named, flags


def _num_values(hint: Any) -> int:
    """Return how many values a flag of a type takes at most."""
    if isinstance(hint, UnionType):
        return max(_num_values(inner) for inner in get_args(hint) if inner is not NoneType)
    if get_origin(hint) is tuple:
        return sys.maxsize if get_args(hint)[-1] is Ellipsis else len(get_args(hint))
    return 0 if hint is bool else 1


def known_flags(cls: type[Any]) -> dict[str, Any]:
    """Return every flag of a configuration with the type of its value, `--no-x` too."""
    flags: dict[str, Any] = {}
    for name, hint in leaf_types(cls):
        dashed = name.replace("_", "-")
        flags[f"--{dashed}"] = hint
        if hint in (bool, bool | None):
            group, _, leaf = dashed.rpartition(".")
            flags[f"--{group}.no-{leaf}" if group else f"--no-{leaf}"] = hint
    return flags


def _spelled_out(words: list[str]) -> list[str]:
    """Return the words with short flags written out and underscores of flags as dashes."""
    spelled = []
    for word in words:
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            flag = flag.replace("_", "-")
        flag = "--help" if flag == "-h" else ALIASES.get(flag, flag)
        spelled.append(flag + equals + value if word.startswith("-") else word)
    return spelled


def _take_config(words: list[str], prog: str) -> tuple[list[str], str | None]:
    """Take `--config FILE` or `--config=FILE` out of the words."""
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag != "--config":
            continue
        if equals:
            return words[:place] + words[place + 1 :], value
        if place + 1 == len(words):
            raise _usage("--config needs a value: a YAML file", prog)
        return words[:place] + words[place + 2 :], words[place + 1]
    return words, None


def _is_flag(word: str) -> bool:
    return word.startswith("-") and len(word) > 1 and not _NUMBER.fullmatch(word)


def _check_known(words: list[str], known: dict[str, Any], prog: str) -> None:
    names = [*known, "--config", "--debug", "--help"]
    for word in words:
        flag = word.partition("=")[0]
        if _is_flag(word) and flag not in names:
            raise _usage(f"{flag} is not a flag of this command. {did_you_mean(flag, names)}", prog)


def _double_guidance(words: list[str]) -> list[str]:
    """Let one guidance number stand for both."""
    doubled: list[str] = []
    before = ""
    for word, after in zip(words, [*words, ""][1:], strict=True):
        flag, _, value = word.partition("=")
        if flag == "--guidance" and value:
            doubled += [flag, value, value]
        elif before == "--guidance" and _NUMBER.fullmatch(word) and not _NUMBER.fullmatch(after):
            doubled += [word, word]
        else:
            doubled.append(word)
        before = word
    return doubled


def _answered(words: list[str], known: dict[str, Any]) -> list[str]:
    """Return the words with `--x` and `--no-x` as values of x, where x may also be left open.

    The parser makes such flags only of settings that are true or false.
    """
    answered: list[str] = []
    for word, after in zip(words, [*words, ""][1:], strict=True):
        if known.get(word) != bool | None or after in {"True", "False", "None"}:
            answered.append(word)
            continue
        group, dot, leaf = word.removeprefix("--").rpartition(".")
        denied = leaf.startswith("no-")
        answered += [f"--{group}{dot}{leaf.removeprefix('no-')}", str(not denied)]
    return answered


def _complaint(box: str, words: list[str], known: dict[str, Any]) -> str:
    """Say in one line what the parser says in a box: flag, value, what was expected."""
    given = [word.partition("=")[0] for word in words if word.startswith("--")]
    for flag in re.findall(r"--[a-z0-9.-]*[a-z0-9]", box):
        if flag in given and flag in known:
            values = _values(flag, words)
            shown = f"is {' '.join(values)!r}" if values else "has no value"
            return f"{flag} {shown}; expected {_expected(flag, known[flag])}"
    lines = [line.strip(" │╭╮╰╯─-") for line in box.splitlines()]
    return " ".join(line for line in lines if line)[:200] or "the flags cannot be read"


def _values(flag: str, words: list[str]) -> list[str]:
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == flag:
            rest = words[place + 1 :]
            stop = next((index for index, other in enumerate(rest) if _is_flag(other)), len(rest))
            return [value] if equals else rest[:stop]
    return []


def _expected(flag: str, hint: Any) -> str:
    if flag == "--guidance":
        return "one number or two"
    if hint is bool:
        return "no value"
    return describe_type(hint).removesuffix(" or null")


def _usage(message: str, prog: str) -> UserError:
    end = "" if message.endswith((".", "?")) else "."
    return UserError(f"{message}{end} See `{prog} --help`.", ExitCode.USAGE)
