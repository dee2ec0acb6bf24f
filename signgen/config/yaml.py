"""YAML in and out of the settings classes, strictly: an unknown key is an error."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import yaml

from signgen.config.model import PRESETS, REMOVED_SETTINGS, FPDMConfig
from signgen.errors import ExitCode, UserError
from signgen.files.reading import read_bytes

__all__ = ["describe_type", "did_you_mean", "from_mapping", "load_config", "to_mapping", "to_yaml"]

ConfigT = TypeVar("ConfigT")

MAX_BYTES = 1 << 20
"""A configuration file is a few kilobytes; anything larger is a mistake or an attack."""


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


def to_mapping(config: Any) -> dict[str, Any]:
    """Return settings as plain dictionaries, lists and scalars, ready for YAML or JSON."""
    values = {field.name: _plain(getattr(config, field.name)) for field in fields(config)}
    # The first kind of model goes without saying.
    named = "kind" not in values and hasattr(config, "kind") and type(config) is not FPDMConfig
    return {"kind": config.kind, **values} if named else values


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_mapping(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def to_yaml(config: object) -> str:
    """Return settings as YAML that `load_config` reads back to an equal value."""
    # Lists of numbers on one line, mappings one key a line: the form that diffs well.
    text: str = yaml.safe_dump(
        to_mapping(config), sort_keys=False, default_flow_style=None, allow_unicode=True, width=4096
    )
    return text


# ----- in -----------------------------------------------------------------------------------------


def load_config(path: str | Path, cls: type[ConfigT]) -> ConfigT:
    """Read a YAML file into settings; keys that are left out keep their defaults.

    A file may name one of its own folder as its `base`, whose settings are its defaults; a base has
    none itself.

    Args:
        path: YAML file.
        cls: Settings class, or a union of models' settings, of which the key `kind` chooses.

    Raises:
        UserError: If the file or its base is missing (66), is not a YAML mapping (65), or holds an
            unknown or ill-typed setting (2).
    """
    mapping = read_mapping(path)
    if "base" not in mapping:
        return from_mapping(cls, mapping, str(path))
    name = mapping.pop("base")
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise _usage(f"{path}: base is {name!r}; expected the name of a file in the same folder.")
    source = Path(path).parent / name
    settings = read_mapping(source)
    if "base" in settings:
        raise _usage(f"{path}: base is {name}, which has a base itself; expected one without.")
    return from_mapping(cls, mapping, str(path), from_mapping(cls, settings, str(source)))


def read_mapping(path: str | Path) -> dict[str, object]:
    """Read the keys and values of a YAML file."""
    raw = read_bytes(path, MAX_BYTES, "a configuration in YAML")
    try:
        loader = _Loader(raw.decode("utf-8"))  # derives from PyYAML's SafeLoader
        try:
            value = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" in line {error.problem_mark.line + 1}"
        raise UserError(f"{path}: is not valid YAML{line}: {error.problem}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError, OverflowError) as error:
        raise UserError(
            f"{path}: is not valid YAML ({type(error).__name__}); "
            "expected UTF-8 text of `key: value` lines."
        ) from None
    if not isinstance(value, dict | None):
        raise UserError(f"{path}: holds a {_noun(value)}; expected `key: value` lines.")
    return value or {}


def from_mapping(
    cls: type[ConfigT], mapping: Mapping[str, object], where: str, base: ConfigT | None = None
) -> ConfigT:
    """Build settings from a mapping, checking every key and type.

    A mapping of a model's settings may name the `kind` of model, and a `preset` of it that the
    other keys override.

    Args:
        cls: Settings class, or a union of models' settings.
        mapping: Settings; the ones left out keep the values of `base`.
        where: What to call the origin in messages, usually a path.
        base: Values to start from; the defaults of `cls` if not given.
    """
    return cast(ConfigT, _build(cls, mapping, base, where, ""))


def _build(hint: Any, mapping: object, base: Any, where: str, prefix: str) -> object:
    if not isinstance(mapping, Mapping):
        raise _usage(f"{where}: {prefix[:-1]} is a {_noun(mapping)}; expected a group of settings.")
    settings = dict(mapping)

    # Which class, and the values to start from
    classes = _classes(hint)
    cls = classes[0] if base is None else type(base)
    if "kind" in settings and "kind" not in _types(cls) and hasattr(cls, "kind"):
        by_kind = {one.kind: one for one in classes}
        cls = _named(by_kind, settings.pop("kind"), f"{where}: {prefix}kind")
    presets = PRESETS.get(cls, {})
    if "preset" in settings and presets:
        base = _named(presets, settings.pop("preset"), f"{where}: {prefix}preset")()
    elif type(base) is not cls:
        base = cls()

    # The settings that are named
    types = _types(cls)
    changes = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if key not in types:
            known = [f"{prefix}{one}" for one in (*types, *(["preset"] if presets else []))]
            raise _usage(f"{where}: {_unknown(name, known)}")
        if _classes(types[key]):
            changes[key] = _build(types[key], value, getattr(base, key), where, f"{name}.")
        else:
            changes[key] = _convert(types[key], value, f"{where}: {name}")
    return replace(base, **changes)


def _types(cls: type[Any]) -> dict[str, Any]:
    # Resolved when asked for, so that a union may grow.
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def _classes(hint: Any) -> list[Any]:
    """Return the settings classes that a type stands for, none for a plain type."""
    members = get_args(hint) if get_origin(hint) in {Union, UnionType} else [hint]
    return [member for member in members if is_dataclass(member)]


def _named(choices: Mapping[str, Any], name: object, where: str) -> Any:
    if not isinstance(name, str) or name not in choices:
        raise _usage(f"{where} is {name!r}; expected one of {', '.join(choices)}.")
    return choices[name]


def _unknown(name: str, known: Sequence[str]) -> str:
    for old, instead in REMOVED_SETTINGS.items():
        if f".{name}".endswith(f".{old}"):
            return f"{name} is no setting any more; {instead}."
    return f"{name} is not a setting. {did_you_mean(name, known)}"


def did_you_mean(name: str, known: Sequence[str]) -> str:
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
        value = list(value) if isinstance(value, tuple) else value
        shown = repr(value) if len(repr(value)) <= 60 else f"a {_noun(value)}"
        raise _usage(f"{where} is {shown}; expected {describe_type(hint)}.") from None


def _coerce(hint: Any, value: object) -> object:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        if value is None and NoneType in arguments:
            return None
        return _coerce(arguments[0], value)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError
        hints = arguments[:1] * len(value) if Ellipsis in arguments else arguments
        return tuple(_coerce(inner, item) for inner, item in zip(hints, value, strict=True))
    if origin is Literal:
        fits = isinstance(value, str) and value in arguments
    elif hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = number and math.isfinite(cast(float, value))
    else:
        # A bool is an int to Python, not to a user.
        fits = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    if not fits:
        raise TypeError
    return float(cast(float, value)) if hint is float else value


def describe_type(hint: Any) -> str:
    """Return the type of a setting in words, as `a whole number` or `one of a, b`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return f"{describe_type(arguments[0])} or null"
    if origin is Literal:
        return f"one of {', '.join(arguments)}"
    if origin is tuple:
        several = describe_type(arguments[0]).removeprefix("a ") + "s"
        counts = {2: "two", 3: "three", 4: "four"}
        return (
            f"a list of {several}"
            if Ellipsis in arguments
            else f"{counts[len(arguments)]} {several}"
        )
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[hint]


def _noun(value: object) -> str:
    names = {dict: "group", list: "list", str: "text", bool: "truth value", NoneType: "blank"}
    names |= {int: "number", float: "number"}
    return names.get(type(value), type(value).__name__)
