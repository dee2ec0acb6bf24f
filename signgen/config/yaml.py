"""YAML in and out of the configuration dataclasses, strictly: an unknown key is an error."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from signgen.config.model import REMOVED_SETTINGS, FPDMConfig, full_fpdm, tiny_fpdm
from signgen.errors import ExitCode, UserError
from signgen.files.reading import read_bytes

__all__ = [
    "describe_type",
    "did_you_mean",
    "from_mapping",
    "leaf_types",
    "load_config",
    "replace_nested",
    "to_mapping",
    "to_yaml",
]

ConfigT = TypeVar("ConfigT")

MAX_BYTES = 1 << 20
"""A configuration file is a few kilobytes; anything larger is a mistake or an attack."""

PRESETS: Mapping[str, Callable[[], FPDMConfig]] = {
    "full": full_fpdm,
    "mini": FPDMConfig,
    "tiny": tiny_fpdm,
}


class _Loader(yaml.SafeLoader):
    """`SafeLoader` without YAML 1.1's traps: `no` is text, `1e-4` a number, a key given once."""


# Differs from YAML 1.1: there `precision: no` would be false and `learning_rate: 1e-4` a text.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":bool", ":float"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in seen:
            raise yaml.constructor.ConstructorError(
                problem=f"{key.value} is given twice", problem_mark=key.start_mark
            )
        seen.add(str(key.value))
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


# ----- out ----------------------------------------------------------------------------------------


def to_mapping(config: object) -> dict[str, Any]:
    """Return a configuration as plain dictionaries, lists and scalars, ready for YAML or JSON.

    Args:
        config: An instance of a dataclass of `signgen.config.train`.
    """
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"{config!r} is not a configuration")
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return to_mapping(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def to_yaml(config: object) -> str:
    """Return a configuration as YAML that `from_mapping` reads back to an equal value."""
    # Lists of numbers on one line, mappings one key a line: the form that diffs well.
    text: str = yaml.safe_dump(
        to_mapping(config), sort_keys=False, default_flow_style=None, allow_unicode=True, width=4096
    )
    return text


# ----- in -----------------------------------------------------------------------------------------


def load_config(path: str | Path, cls: type[ConfigT]) -> ConfigT:
    """Read a YAML file into a configuration; keys that are left out keep their defaults.

    A file may name one of its own folder as its `base`, whose settings are its defaults; a base has
    none itself.

    Args:
        path: YAML file.
        cls: Dataclass to build.

    Raises:
        UserError: If the file or its base is missing, is not a YAML mapping, or holds an unknown or
            ill-typed setting.
    """
    mapping = _read_yaml(path)
    if "base" not in mapping:
        return from_mapping(cls, mapping, str(path))
    name = mapping.pop("base")
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise _usage(f"{path}: base is {name!r}; expected the name of a file in the same folder.")
    source = Path(path).parent / name
    settings = _read_yaml(source)
    if "base" in settings:
        raise _usage(f"{path}: base is {name}, which has a base itself; expected one without.")
    return from_mapping(cls, mapping, str(path), from_mapping(cls, settings, str(source)))


def _read_yaml(path: str | Path) -> dict[str, object]:
    return _parse_yaml(read_bytes(path, MAX_BYTES, "a configuration in YAML"), str(path))


def _parse_yaml(raw: bytes, where: str) -> dict[str, object]:
    try:
        loader = _Loader(raw.decode("utf-8"))  # derives from PyYAML's SafeLoader
        try:
            value = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" in line {error.problem_mark.line + 1}"
        raise UserError(f"{where}: is not valid YAML{line}: {error.problem}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError, OverflowError) as error:
        raise UserError(
            f"{where}: is not valid YAML ({type(error).__name__}); "
            "expected UTF-8 text of `key: value` lines."
        ) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{where}: holds a {_noun(value)}; expected `key: value` lines.")
    return value


def from_mapping(
    cls: type[ConfigT], mapping: Mapping[str, object], where: str, base: ConfigT | None = None
) -> ConfigT:
    """Build a configuration from a mapping, checking every key and type.

    A mapping of an `FPDMConfig` may name a `preset` (`full`, `mini` or `tiny`) that the other keys
    override.

    Args:
        cls: Dataclass to build.
        mapping: Settings; the ones left out keep the values of `base`.
        where: What to call the origin in messages, usually a path.
        base: Values to start from; the defaults of `cls` if not given.

    Raises:
        UserError: If a key is unknown or a value has the wrong type (exit code 2).
    """
    built = _build(cls, mapping, base if base is not None else cls(), where, "")
    return typing.cast(ConfigT, built)


def replace_nested(
    config: ConfigT, changes: Mapping[str, object], where: str = "settings"
) -> ConfigT:
    """Return a copy of a configuration with some settings replaced, checked like a file.

    Args:
        config: The configuration.
        changes: New values by dotted name (`model.unet.layers_per_block`) or as nested mappings.
        where: What to call the origin in messages.

    Raises:
        UserError: As `from_mapping`.
    """
    nested: dict[str, Any] = {}
    for name, value in changes.items():
        *parents, leaf = name.split(".")
        inner = nested
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[leaf] = value
    return from_mapping(type(config), nested, where, config)


def _build(cls: Any, mapping: object, base: Any, where: str, prefix: str) -> object:
    if not isinstance(mapping, Mapping):
        raise _usage(f"{where}: {prefix[:-1]} is a {_noun(mapping)}; expected a group of settings.")
    settings = dict(mapping)
    if cls is FPDMConfig and "preset" in settings:
        base = _preset(settings.pop("preset"), f"{where}: {prefix}preset")
    hints = typing.get_type_hints(cls)
    changes = {}
    for key, value in settings.items():
        if key not in hints:
            raise _usage(_unknown(f"{prefix}{key}", hints, prefix, where, cls is FPDMConfig))
        name = f"{prefix}{key}"
        if dataclasses.is_dataclass(hints[key]):
            changes[key] = _build(hints[key], value, getattr(base, key), where, f"{name}.")
        else:
            changes[key] = _convert(hints[key], value, f"{where}: {name}")
    return dataclasses.replace(base, **changes)


def _preset(name: object, where: str) -> FPDMConfig:
    if not isinstance(name, str) or name not in PRESETS:
        raise _usage(f"{where} is {name!r}; expected one of {', '.join(PRESETS)}.")
    return PRESETS[name]()


def _unknown(name: str, known: Mapping[str, object], prefix: str, where: str, preset: bool) -> str:
    for old, instead in REMOVED_SETTINGS.items():
        if f".{name}".endswith(f".{old}"):
            return f"{where}: {name} is no setting any more; {instead}."
    names = [f"{prefix}{key}" for key in (*known, *(["preset"] if preset else []))]
    return f"{where}: {name} is not a setting. {did_you_mean(name, names)}"


def did_you_mean(name: str, known: list[str]) -> str:
    """Return a sentence that offers the closest known name, or all of them where none is close."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    return (
        f"Expected one of: {', '.join(known)}." if len(known) <= 24 else "See --help for the names."
    )


def _usage(message: str) -> UserError:
    return UserError(message, ExitCode.USAGE)


# ----- types --------------------------------------------------------------------------------------


def _convert(hint: Any, value: object, where: str) -> object:
    """Return `value` as the type `hint` asks for, or raise the message a user can act on."""
    try:
        return _coerce(hint, value)
    except (ValueError, TypeError):
        shown = repr(value) if len(repr(value)) <= 60 else f"a {_noun(value)}"
        raise _usage(f"{where} is {shown}; expected {describe_type(hint)}.") from None


def _coerce(hint: Any, value: object) -> object:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return _require(type(None) in arguments, None)
        return _coerce(next(kind for kind in arguments if kind is not type(None)), value)
    if origin is Literal:
        return _require(isinstance(value, str) and value in arguments, value)
    if origin is tuple:
        return _coerce_tuple(arguments, value)
    if hint is float:
        _require(_is_number(value), value)
        return float(typing.cast(float, value))
    # A bool is an int to Python, not to a user.
    return _require(
        isinstance(value, hint) and (hint is bool or not isinstance(value, bool)), value
    )


def _coerce_tuple(arguments: tuple[Any, ...], value: object) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    kinds = arguments[:1] * len(value) if Ellipsis in arguments else arguments
    return tuple(_coerce(kind, item) for kind, item in zip(kinds, value, strict=True))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(fits: bool, value: object) -> object:
    if not fits:
        raise TypeError
    return value


def describe_type(hint: Any) -> str:
    """Return the type of a setting in words, as `a whole number` or `one of a, b`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [describe_type(kind) for kind in arguments if kind is not type(None)]
        return " or ".join([*inner, "null"])
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        plural = describe_type(arguments[0]).removeprefix("a ") + "s"
        counts = {2: "two", 3: "three", 4: "four"}
        return (
            f"a list of {plural}" if Ellipsis in arguments else f"{counts[len(arguments)]} {plural}"
        )
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names.get(hint, "a group of settings")


def leaf_types(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the type of every setting of a configuration, groups opened."""
    for name, hint in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(hint):
            yield from leaf_types(typing.cast(type[Any], hint), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", hint


def _noun(value: object) -> str:
    names = {dict: "group", list: "list", str: "text", bool: "truth value", type(None): "blank"}
    number = type(value) in (int, float)
    return "number" if number else names.get(type(value), type(value).__name__)
