"""Whole files of bounded size: bytes, text and JSON, each with one clear error."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_no_device, one_line

__all__ = ["parse_json", "read_bytes", "read_json", "read_text", "taken"]

_SPACE = re.compile(r"[ \t\n\r]+")
_parse = json.JSONDecoder().raw_decode
MAX_JSON_MEMORY = 3 * 2**29
"""Bytes of memory that a parsed document may take, about: a file of `[[],[],...` grows 20-fold."""


def read_bytes(path: str | Path, limit: int, expected: str) -> bytes:
    """Read a file of at most `limit` bytes."""
    check_no_device(path, expected)
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            small = size <= limit
            data = stream.read(size + 1) if small else b""
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist; expected {expected}. Check the path.", ExitCode.NO_INPUT
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read: {one_line(error)}; expected {expected}.", ExitCode.NO_INPUT
        ) from error
    if not small or len(data) > limit:
        raise UserError(f"{path} is larger than {limit} bytes; expected {expected}.")
    return data


def read_text(path: str | Path, limit: int, expected: str) -> str:
    """Read a UTF-8 file, with or without a byte-order mark, as `read_bytes` does."""
    text = _decoded(read_bytes(path, limit, expected), path, expected)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: str | Path, limit: int, expected: str) -> object:
    """Read a JSON file as `read_bytes` does."""
    return parse_json(read_bytes(path, limit, expected), path, expected)


def parse_json(
    data: bytes, path: str | Path, expected: str, each: Callable[[object], object] | None = None
) -> object:
    """Parse the JSON of a file; NaN and Infinity are let through.

    Args:
        data: The file.
        path: Where it lies.
        expected: What it should hold.
        each: Makes something smaller of each item of an object's lists before the next is parsed.
    """
    _check_memory(data, path, expected)
    try:
        text = _decoded(data, path, expected)
        del data  # the largest files leave no room for both
        document = json.loads(text) if each is None else _in_turn(text, each)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}; "
            f"expected {expected}. Write the file again."
        ) from error
    except ValueError as error:
        raise UserError(
            f"{path} holds a number with too many digits; expected {expected}."
        ) from error
    except RecursionError as error:
        raise UserError(f"{path} is JSON nested too deep; expected {expected}.") from error
    return document


def _in_turn(text: str, each: Callable[[object], object]) -> object:
    """Parse as `json.loads` does; see `parse_json`."""
    with suppress(ValueError, LookupError, RecursionError):
        return dict(_members(text, each))
    return json.loads(text)  # no object, an empty one, or what is wrong


def _members(text: str, each: Callable[[object], object]) -> Iterator[tuple[str, object]]:
    """Yield the members of an object; a ValueError or LookupError if it is not one to the end."""
    at, end = _after(text, 0, "{"), len(text)
    while True:
        key, at = _parse(text, at)
        at = _after(text, at, ":")
        value, at = _items(text, at, each) if text[at] == "[" else _parse(text, at)
        if not isinstance(key, str):
            raise ValueError
        yield key, value
        at = _space(text, at)
        if _space(text, at + 1) == end and text[at] == "}":
            return
        at = _after(text, at, ",")


def _items(text: str, at: int, each: Callable[[object], object]) -> tuple[list[object], int]:
    """Return the items of the list that begins at a place, and where it ends."""
    items: list[object] = []
    at = _after(text, at, "[")
    while text[at] != "]" or items:
        item, at = _parse(text, at)
        items.append(each(item))
        at = _space(text, at)
        if text[at] == "]":
            break
        at = _after(text, at, ",")
    return items, at + 1


def _after(text: str, at: int, mark: str) -> int:
    """Return where what follows a mark begins, which comes next from a place on."""
    at = _space(text, at)
    if text[at] != mark:
        raise ValueError
    return _space(text, at + 1)


def _space(text: str, at: int) -> int:
    """Return the first place from one on that is no space."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def taken(items: list[Any]) -> Iterator[Any]:
    """Yield the items of parsed JSON and forget each: numbers take ten times what arrays do."""
    for index, item in enumerate(items):
        items[index] = None
        yield item


def _check_memory(data: bytes, path: str | Path, expected: str) -> None:
    """Refuse JSON whose lists, objects and values would fill the memory."""
    containers, values = data.count(b"[") + data.count(b"{"), data.count(b",")
    needed = 90 * containers + 32 * values + 2 * len(data)  # as CPython keeps them
    if needed > MAX_JSON_MEMORY:
        raise UserError(
            f"{path} has {containers + values} lists and values, which take about "
            f"{needed / 2**30:.1f} GiB of memory; at most {MAX_JSON_MEMORY / 2**30:.1f} are taken; "
            f"expected {expected}. Split the file, or write it in a binary format."
        )


def _decoded(data: bytes, path: str | Path, expected: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start}); expected {expected}."
        ) from error
