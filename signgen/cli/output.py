"""What commands print: results to stdout, complaints to stderr."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

__all__ = ["PRECEDENCE", "columns", "say", "table", "tell"]

PRECEDENCE = "Settings: defaults < --config FILE.yaml < flags. --debug: traceback of an error."
"""Last sentence of every command's help."""


def say(text: str) -> None:
    """Print a result to stdout at once."""
    print(text, flush=True)


def tell(text: str) -> None:
    """Print a remark to stderr, on one line whatever a library put into its message."""
    print("signgen:", " ".join(text.split()), file=sys.stderr, flush=True)


def table(values: Mapping[str, object]) -> str:
    """Return names and values below each other."""
    return "\n".join(
        f"{name.replace('_', ' '):<19} {_shown(value)}" for name, value in values.items()
    )


def columns(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows below each other in aligned columns, under the names of their values."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [[name.replace("_", " ") for name in names]]
    lines += [[_shown(row.get(name, "-")) for name in names] for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _shown(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if text.isprintable() else ascii(text)
