"""Dataclasses out to plain JSON, and strictly back: every key, every type, and nothing else.

Metadata of a field say more where needed: `version`, the only version of the schema that has it
(None for a field that is never written), and `optional`, whether its key is left out for None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

__all__ = ["from_json", "to_json"]

ValueT = TypeVar("ValueT")


def to_json(value: object, version: int) -> Any:
    """Return dataclasses, tuples and mappings as what `json.dumps` takes."""
    if is_dataclass(value):
        needed = _fields(value, version, needed=True)
        return {
            name: to_json(getattr(value, name), version)
            for name in _fields(value, version)
            if name in needed or getattr(value, name) is not None
        }
    if isinstance(value, Mapping):
        return {name: to_json(entry, version) for name, entry in value.items()}
    return [to_json(entry, version) for entry in value] if isinstance(value, tuple) else value


def from_json(kind: type[ValueT], value: object, version: int, where: str) -> ValueT:
    """Return the dataclass that `to_json` made this of.

    Raises:
        ValueError: If a key is missing or unknown, or a value is of another type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {_shown(value)}; expected an object")
    missing = [name for name in _fields(kind, version, needed=True) if name not in value]
    unknown = set(value) - set(_fields(kind, version))
    if missing or unknown:
        said = f"no {missing[0]}" if missing else f"an unknown key {_shown(min(unknown))}"
        raise ValueError(f"{where} has {said}")
    hints = get_type_hints(kind)
    return kind(**{n: _typed(hints[n], value[n], version, f"{where}.{n}") for n in value})


def _fields(kind: Any, version: int, *, needed: bool = False) -> list[str]:
    """Return the names of the fields that a version has, or only those that it always has."""
    return [
        one.name
        for one in fields(kind)
        if one.metadata.get("version", version) == version
        and not (needed and one.metadata.get("optional"))
    ]


def _typed(hint: Any, value: Any, version: int, where: str) -> Any:
    """Return a value of JSON as the type that a field asks for."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        other = next(kind for kind in arguments if kind is not type(None))
        return None if value is None else _typed(other, value, version, where)
    if is_dataclass(hint):
        return from_json(cast("type[object]", hint), value, version, where)
    if origin is tuple and isinstance(value, list):
        kinds = arguments[:1] * len(value) if Ellipsis in arguments else arguments
        if len(kinds) == len(value):
            return tuple(
                _typed(kind, item, version, f"{where}[{place}]")
                for place, (kind, item) in enumerate(zip(kinds, value, strict=True))
            )
    elif origin is Mapping and isinstance(value, dict):
        _, kind = arguments
        return {n: _typed(kind, v, version, f"{where}.{_shown(n)}") for n, v in value.items()}
    elif origin is Literal:
        if value in arguments:
            return value
    elif hint is object or type(value) in ({int, float} if hint is float else {hint}):
        return value
    raise ValueError(f"{where} is {_shown(value)}; expected {getattr(hint, '__name__', hint)}")


def _shown(value: object) -> str:
    return ascii(value)[:40]
