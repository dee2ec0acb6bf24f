"""What commands print: results to stdout, remarks and progress to stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from signgen.evaluation.reports.text_table import text_table

__all__ = ["bar", "columns", "counter", "print_json", "print_note", "print_result", "table"]

ItemT = TypeVar("ItemT")


# ----- results and remarks ------------------------------------------------------------------------


def print_result(text: str) -> None:
    """Print a result to stdout at once; a terminal gets no control characters of file names."""
    if sys.stdout.isatty():
        text = "\n".join(map(escaped, text.split("\n")))
    print(text, flush=True)


def print_json(values: Mapping[str, Any]) -> None:
    """Print a result to stdout as one JSON object."""
    print_result(json.dumps({"schema_version": 1, **values}))


def print_note(text: str) -> None:
    """Print a remark to stderr, on one line whatever a library put into its message."""
    line = " ".join(text.split())
    print("signgen:", line if line.isprintable() else escaped(line), file=sys.stderr, flush=True)


def escaped(text: str) -> str:
    """Return a text in which what a terminal would act on is spelled out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def table(values: Mapping[str, object]) -> str:
    """Return names and values below each other."""
    return "\n".join(
        f"{name.replace('_', ' '):<19} {_printable(value)}" for name, value in values.items()
    )


def columns(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows below each other in aligned columns, under the names of their values."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [[name.replace("_", " ") for name in names]]
    lines += [[_printable(row.get(name, "-")) for name in names] for row in rows]
    return "\n".join(text_table(lines))


def _printable(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return escaped(text)


# ----- progress -----------------------------------------------------------------------------------


def bar(unit: str) -> Callable[[Iterable[ItemT], int], Iterable[ItemT]]:
    """Return a function that shows the progress of an iteration, on a terminal only."""

    def wrap(items: Iterable[ItemT], total: int) -> Iterable[ItemT]:
        return tqdm(items, total=total, unit=unit, disable=not sys.stderr.isatty())

    return wrap


@contextlib.contextmanager
def counter(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, in all) that shows progress on a terminal."""
    with tqdm(unit=unit, disable=not sys.stderr.isatty()) as display:

        def show(done: int, total: int) -> None:
            display.total = total
            display.update(done - display.n)

        yield show
