"""YAML in and out of the settings classes, strictly: an unknown key is an error."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import yaml

from signgen.config.documents import noun, read_mapping
from signgen.config.model import PRESETS, REMOVED_SETTINGS, FPDMConfig
from signgen.config.ranges import out_of_range
from signgen.errors import ExitCode, UserError

__all__ = ["describe_type", "did_you_mean", "from_mapping", "load_config", "to_mapping", "to_yaml"]

ConfigT = TypeVar("ConfigT")


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


def load_config(path: str | Path, cls: type[ConfigT], default: ConfigT | None = None) -> ConfigT:
    """Read a YAML file into settings; keys that are left out keep their defaults.

    A file may name one of its own folder as its `base`, whose settings are its defaults; a base has
    none itself.

    Args:
        path: YAML file.
        cls: Settings class, or a union of models' settings, of which the key `kind` chooses.
        default: Values of keys that are left out, where the file has no base; those of `cls` if not
            given.

    Raises:
        UserError: If the file or its base is missing (66), is not a YAML mapping (65), or holds an
            unknown or ill-typed setting (2).
    """
    mapping = read_mapping(path)
    if "base" not in mapping:
        return from_mapping(cls, mapping, str(path), default)
    name = mapping.pop("base")
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise _usage(
            f"{path}: base is {_shown(name)}; expected the name of a file in the same folder."
        )
    source = Path(path).parent / name
    settings = read_mapping(source)
    if "base" in settings:
        raise _usage(f"{path}: base is {name}, which has a base itself; expected one without.")
    return from_mapping(cls, mapping, str(path), from_mapping(cls, settings, str(source)))


def from_mapping(
    cls: type[ConfigT], mapping: Mapping[str, object], where: str, base: ConfigT | None = None
) -> ConfigT:
    """Build settings from a mapping, checking every key, type and range.

    A mapping of a model's settings may name the `kind` of model, and a `preset` of it that the
    other keys override.

    Args:
        cls: Settings class, or a union of models' settings.
        mapping: Settings; the ones left out keep the values of `base`.
        where: What to call the origin in messages, usually a path.
        base: Values to start from; the defaults of `cls` if not given.
    """
    config = _build(cls, mapping, base, where, "")
    for problem in out_of_range(config):
        raise _usage(f"{where}: {problem}.")
    return cast(ConfigT, config)


def _build(hint: Any, mapping: object, base: Any, where: str, prefix: str) -> object:
    if not isinstance(mapping, Mapping):
        raise _usage(f"{where}: {prefix[:-1]} is a {noun(mapping)}; expected a group of settings.")
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
        name = f"{prefix}{_key(key)}"
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
        raise _usage(f"{where} is {_shown(name)}; expected one of {', '.join(choices)}.")
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


def _shown(value: object) -> str:
    """Return a value for a message: itself where that is short, else what it is."""
    if isinstance(value, int | float | str | bool | NoneType | list | tuple | dict):
        try:
            text = repr(value)
        except ValueError:  # Python writes no number of more than 4300 digits
            text = ""
        if text and len(text) <= 60:
            return text
    return f"a long {noun(value)}"


def _key(key: object) -> str:
    """Return a key for a message."""
    return key if isinstance(key, str) and len(key) <= 60 else _shown(key)


def _usage(message: str) -> UserError:
    return UserError(message, ExitCode.USAGE)


# ----- types --------------------------------------------------------------------------------------


def _convert(hint: Any, value: object, where: str) -> object:
    """Return `value` as the type `hint` asks for, or raise the message a user can act on."""
    try:
        return _coerce(hint, value)
    except (ValueError, TypeError, OverflowError):
        shown = _shown(list(value) if isinstance(value, tuple) else value)
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
        fits = fits and not (hint is int and abs(cast(int, value)) >= 2**63)
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
