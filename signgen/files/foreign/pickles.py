"""Read pickles of strangers without running them, after a child process has tried it with limits.

What ends within the limits there ends here as well, so nothing need travel between the two.
"""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

from signgen.errors import ExitCode, UserError
from signgen.files.foreign import unpickling
from signgen.files.foreign.unpickling import PickleError, open_pickle, unpickle
from signgen.files.paths import one_line

__all__ = ["MAX_GZIP_RATIO", "MAX_PICKLE_BYTES", "Source", "expanded", "read_pickle", "sniff"]

Source = Path | bytes
"""A file, or the bytes that it expanded to."""

#: Long arrays stay in the file, so it may be larger than memory.
MAX_PICKLE_BYTES = 16 * 2**30
#: Measured numbers shrink to a half or a third; only zeros shrink a hundredfold.
MAX_GZIP_RATIO = 200
_GZIP = b"\x1f\x8b"
#: Of the child process; 20,000 clips need 50 MB and 3 seconds.
_MEMORY, _SECONDS = 2 * 2**30, 60


def sniff(head: bytes) -> bool:
    """Tell whether a file begins as a pickle of protocol 2 to 5, or as a gzip file."""
    return head[:2] in (_GZIP, *(bytes([0x80, protocol]) for protocol in range(2, 6)))


def read_pickle(source: Source, path: Path, purpose: str) -> Any:
    """Read a pickle, plain or in a zip archive of `torch.save`, as `unpickle` does.

    Raises:
        UserError: If it cannot be read (66); if it asks for anything else, is broken or takes too
            much time or memory (65). Nothing of it has run.
    """
    try:
        if not _ends(source):
            raise PickleError("takes too much time or memory to read")
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            return unpickle(open_pickle(file))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}.", ExitCode.NO_INPUT) from error
    except PickleError as error:
        raise UserError(f"{path} {error}. Nothing of it was run; expected {purpose}.") from None


def _ends(source: Source) -> bool:
    """Tell whether a child process can read a pickle within its limits on time and memory."""
    limits = str(_MEMORY), str(_SECONDS)
    with tempfile.TemporaryFile() if isinstance(source, bytes) else source.open("rb") as file:
        if isinstance(source, bytes):
            file.write(source)
            file.seek(0)
        try:
            child = subprocess.run(
                # Neither the user's folder (-I) nor installed packages (-S) are looked into.
                [sys.executable, "-I", "-S", unpickling.__file__, *limits],
                stdin=file,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=2 * _SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return child.returncode == 0


def expanded(path: Path, limit: int, purpose: str) -> Source:
    """Expand a file in memory if it is a gzip file.

    Args:
        path: The file, of at most `MAX_PICKLE_BYTES`.
        limit: Most bytes that it may expand to; `MAX_GZIP_RATIO` is another limit.
        purpose: What it should hold, for messages.
    """
    try:
        size = path.stat().st_size
        if size > MAX_PICKLE_BYTES:
            raise UserError(
                f"{path} has {size} bytes; files of at most {MAX_PICKLE_BYTES} are read. Split it."
            )
        with path.open("rb") as file:
            if file.read(2) != _GZIP:
                return path
    except OSError as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}.", ExitCode.NO_INPUT) from error
    limit = min(limit, max(2**20, MAX_GZIP_RATIO * size))
    try:
        with gzip.open(path) as packed:
            data = packed.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is a truncated or broken gzip file. Copy it again.") from error
    if len(data) > limit:
        raise UserError(
            f"{path} is a gzip file that expands beyond {limit} bytes; expected {purpose}. Expand "
            "it with gzip -d if it is what you want."
        )
    if not sniff(data) or data.startswith(_GZIP):
        raise UserError(
            f"{path} is a gzip file but not of a pickle; expected {purpose}. Expand it with "
            "gzip -d first."
        )
    return data
