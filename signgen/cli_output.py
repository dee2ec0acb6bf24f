"""What commands print: results to stdout, complaints to stderr."""

from __future__ import annotations

import sys
from collections.abc import Mapping

__all__ = ["PRECEDENCE", "say", "table", "tell"]

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
    lines = []
    for name, value in values.items():
        shown = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        lines.append(f"{name.replace('_', ' '):<19} {shown}")
    return "\n".join(lines)
