"""The words of a command: tyro parses them into settings, a mistake is one line."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
from collections.abc import Callable, Container, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar, get_type_hints

import tyro

from signgen.cli.options import Common, flag_types, flags_class, values_of
from signgen.config.yaml import describe_type, did_you_mean, from_mapping, load_config
from signgen.errors import ExitCode, UserError

__all__ = ["Command", "command", "parse"]

ConfigT = TypeVar("ConfigT")

Command = Callable[[list[str]], int]
"""Takes the words after its name, returns the exit code."""
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def command(
    prog: str, *, begin: Callable[[Any], Any] | None = None, **options: Any
) -> Callable[[Callable[[ConfigT], int]], Command]:
    """Make a command of a function of one settings class; its docstring is the help.

    Args:
        prog: How the command is called.
        begin: Returns the defaults that settings ask for, or None; they are then parsed again.
        options: `groups`, `positional` and `required` of `parse`.
    """

    def of(run: Callable[[ConfigT], int]) -> Command:
        cls = get_type_hints(run)["config"]

        @functools.wraps(run)
        def from_words(words: list[str]) -> int:
            into = functools.partial(
                parse, cls, words, prog=prog, description=run.__doc__ or "", **options
            )
            config = into()
            default = begin(config) if begin else None
            return run(config if default is None else into(default=default))

        return from_words

    return of


def parse(
    cls: type[ConfigT],
    words: Sequence[str],
    *,
    prog: str,
    description: str,
    groups: Mapping[str, Sequence[str]] | None = None,
    positional: Mapping[str, str] | None = None,
    required: Mapping[str, str] | None = None,
    default: ConfigT | None = None,
) -> ConfigT:
    """Parse words into settings: defaults < the YAML file of `--config` < flags.

    Args:
        cls: Settings class.
        words: Words of the command line after the command.
        prog: How the command is called.
        description: First paragraphs of the help.
        groups: As for `flags_class`.
        positional: As for `flags_class`.
        required: Settings that must not be empty, with what is expected.
        default: Values of the flags left out; those of `cls` if not given.

    Raises:
        UserError: If the words do not fit (2), or the YAML is bad.
        SystemExit: After `--help`.
    """
    types = dict(flag_types(Common()))
    words, typed = _protected(words, {*types, *dict(flag_types(default or cls()))})
    common, _ = _run_tyro(Common, words, prog, types, add_help=False)
    settings: Any = default or cls()
    if common.config:
        settings = load_config(common.config, cls, default)
    types = dict(flag_types(settings)) | types | {"--help": bool, "-h": bool}

    # Flags
    for flag in (word.partition("=")[0] for word in words if _is_flag(word)):
        if flag.replace("_", "-") not in types:
            close = did_you_mean(flag, [name for name in types if name.startswith("--")])
            raise _usage(f"{flag} is not a flag of this command. {close}", prog)
    if {"-h", "--help"} & {*words}:
        words = ["--help"]
    flags = flags_class(settings, groups, positional)
    paragraphs = [" ".join(paragraph.split()) for paragraph in description.split("\n\n")]
    parsed, unknown = _run_tyro(flags, words, prog, types, description="\n\n".join(paragraphs))

    # Words without one
    positional = positional or {}
    values, names = values_of(parsed)
    _place([*names, *unknown], values, positional, prog)
    values = {name: _as_typed(value, typed) for name, value in values.items()}

    config: ConfigT = from_mapping(type(settings), values, prog, settings)
    for name, expected in (required or {}).items():
        if not getattr(config, name):
            called = positional.get(name, f"--{name.replace('_', '-')}")
            raise _usage(f"{called} is missing; expected {expected}", prog)
    return config


def _protected(words: Sequence[str], flags: Container[str]) -> tuple[list[str], Mapping[str, str]]:
    """Put `./` before names that begin with a dash: all after `--`, and files that are there.

    Returns:
        The words without `--`, and the names as they were typed by those with `./`.
    """
    end = words.index("--") if "--" in words else len(words)
    typed = {
        f"./{word}": word
        for place, word in enumerate(words)
        if _is_flag(word)
        and (place > end or (word.partition("=")[0] not in flags and os.path.lexists(word)))
    }
    back = {word: name for name, word in typed.items()}
    return [back.get(w, w) for place, w in enumerate(words) if place != end], typed


def _as_typed(value: Any, typed: Mapping[str, str]) -> Any:
    if isinstance(value, tuple):
        return tuple(_as_typed(item, typed) for item in value)
    return typed.get(value, value) if isinstance(value, str) else value


def _run_tyro(
    cls: type[Any], words: Sequence[str], prog: str, types: Mapping[str, Any], **options: Any
) -> tuple[Any, list[str]]:
    """Return what tyro parses, and the words that it does not know."""

    def run(part: Sequence[str]) -> tuple[Any, list[str]]:
        # Its box says in ten lines what is one line here.
        with contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(cls, args=part, prog=prog, return_unknown_args=True, **options)

    try:
        return run(words)
    except SystemExit as stop:
        if not stop.code:
            raise
    # The flag to name is the one that fails alone, too.
    starts = [place for place, word in enumerate(words) if _is_flag(word)]
    for start, end in pairwise([*starts, len(words)]):
        try:
            run(words[start:end])
        except SystemExit:
            flag, equals, value = words[start].partition("=")
            given = [value] if equals else words[start + 1 : end]
            wrong = f"is {' '.join(given)!r}" if given else "has no value"
            special = {"--config": "a YAML file", "--guidance": "one number or two"}
            kind = describe_type(types[flag.replace("_", "-")]).removesuffix(" or null")
            expected = special.get(flag, kind)
            raise _usage(f"{flag} {wrong}; expected {expected}", prog) from None
    raise _usage("the flags do not go together", prog)


def _is_flag(word: str) -> bool:
    return word.startswith("-") and len(word) > 1 and not NUMBER.fullmatch(word)


def _place(
    words: Sequence[str], values: dict[str, Any], positional: Mapping[str, str], prog: str
) -> None:
    """Put words without a flag into the first settings that have no value yet."""
    for word in words:
        free = [name for name in positional if not values[name] or isinstance(values[name], tuple)]
        if not free:
            expected = " ".join(positional.values()) or "only flags"
            raise _usage(f"{word!r} is one word too many; expected {expected}", prog)
        name = free[0]
        many = isinstance(values[name], tuple)
        values[name] = (*values[name], word) if many else word


def _usage(message: str, prog: str) -> UserError:
    end = "" if message.endswith((".", "?")) else "."
    return UserError(f"{message}{end} See `{prog} --help`.", ExitCode.USAGE)
