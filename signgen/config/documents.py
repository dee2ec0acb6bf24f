"""YAML text to plain dictionaries, lists and scalars, of a bounded size."""

from __future__ import annotations

import re
from pathlib import Path
from types import NoneType
from typing import Any

import yaml

from signgen.errors import UserError
from signgen.files.reading import read_bytes

__all__ = ["noun", "parse_mapping", "read_mapping"]

MAX_BYTES = 1 << 17
"""A configuration file is a few kilobytes; anything larger is a mistake or an attack."""
MAX_VALUES = 10_000
"""Values of a file at most, counted as often as aliases repeat them; whole settings have 200."""


class _Loader(yaml.SafeLoader):
    """`SafeLoader` without YAML 1.1's traps: `no` is text, `1e-4` a number, a key given once."""


# Differs from YAML 1.1: there `precision: no` would be false, `learning_rate: 1e-4` a text, 017 15,
# and 1:30 90.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":bool", ":float", ":int"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$"),
    list("-+0123456789"),
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


def _check_expanded(node: yaml.Node | None, path: str | Path) -> None:
    """Refuse aliases that repeat so much that 400 bytes fill the memory, or that never end."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        known = sizes.setdefault(id(node), 0)  # 0 as long as it is not known: it is within itself
        if known or isinstance(node, yaml.ScalarNode):
            return known or 1
        pairs = isinstance(node, yaml.MappingNode)
        parts = [part for pair in node.value for part in pair] if pairs else node.value
        for part in parts:
            if sizes.get(id(part)) == 0 and not isinstance(part, yaml.ScalarNode):
                raise UserError(f"{path}: is not valid YAML: an alias is within what it repeats.")
        sizes[id(node)] = 1 + sum(size(part) for part in parts)
        return sizes[id(node)]

    if node is not None and size(node) > MAX_VALUES:
        raise UserError(
            f"{path}: holds more than {MAX_VALUES} values with what its aliases repeat; expected "
            "settings."
        )


# What PyYAML raises besides its own errors, of scalars whose tag they do not fit among others
_UNREADABLE = (
    *(yaml.YAMLError, ValueError, RecursionError, OverflowError),
    *(LookupError, AttributeError, TypeError),
)


def read_mapping(path: str | Path) -> dict[str, object]:
    """Read the keys and values of a YAML file."""
    return parse_mapping(read_bytes(path, MAX_BYTES, "a configuration in YAML"), path)


def parse_mapping(raw: bytes, path: str | Path) -> dict[str, object]:
    """Return the keys and values of YAML.

    Args:
        raw: Its bytes.
        path: What to call it in messages.
    """
    try:
        loader = _Loader(raw.decode("utf-8"))  # derives from PyYAML's SafeLoader
        try:
            node = loader.get_single_node()
            _check_expanded(node, path)
            value = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" in line {error.problem_mark.line + 1}"
        raise UserError(f"{path}: is not valid YAML{line}: {error.problem}.") from None
    except _UNREADABLE as error:
        raise UserError(
            f"{path}: is not valid YAML ({type(error).__name__}); "
            "expected UTF-8 text of `key: value` lines."
        ) from None
    if not isinstance(value, dict | None):
        raise UserError(f"{path}: holds a {noun(value)}; expected `key: value` lines.")
    return value or {}


def noun(value: object) -> str:
    """Return what a value of a document is, in a word."""
    names = {dict: "group", list: "list", str: "text", bool: "truth value", NoneType: "blank"}
    names |= {int: "number", float: "number"}
    return names.get(type(value), type(value).__name__)
