"""Bytes of a file by place: nothing is loaded before it is asked for, and gzip has its limits."""

from __future__ import annotations

import zlib
from pathlib import Path

from signgen.errors import ExitCode, UserError

__all__ = ["MAX_ARCHIVE_BYTES", "MAX_GZIP_RATIO", "ByteSource", "gunzip", "sniff"]

#: Archives are read piece by piece, so they may be larger than memory.
MAX_ARCHIVE_BYTES = 16 * 2**30
#: Measured numbers shrink to a half or a third; only zeros shrink a hundredfold.
MAX_GZIP_RATIO = 200
_CHUNK = 2**20


class ByteSource:
    """A file, or bytes in memory, read by place.

    Args:
        path: The file; named in messages.
        data: Bytes to read from instead, such as the file's expanded ones.
        limit: Most bytes that the file may have; `MAX_ARCHIVE_BYTES` if not given.

    Raises:
        UserError: If the file is missing (66) or above the limit (65).
    """

    def __init__(self, path: Path, data: bytes | None = None, *, limit: int | None = None) -> None:
        self.path = path
        self._data = data
        try:
            self.length = path.stat().st_size if data is None else len(data)
        except OSError as error:
            raise _unreadable(path, error) from error
        limit = MAX_ARCHIVE_BYTES if limit is None else limit
        if self.length > limit:
            raise UserError(
                f"{path} has {self.length} bytes; archives of at most {limit} are read. Split it."
            )

    def read(self, start: int, count: int) -> bytes:
        """Return `count` bytes from `start` on, fewer only at the end of the file.

        Raises:
            UserError: If the file cannot be read any more (66).
        """
        if self._data is not None:
            return self._data[start : start + count]
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(max(0, min(count, self.length - start)))
        except OSError as error:
            raise _unreadable(self.path, error) from error


def sniff(head: bytes) -> bool:
    """Tell whether a file begins as a gzip file."""
    return head.startswith(b"\x1f\x8b")


def gunzip(source: ByteSource, *, limit: int, expected: str) -> ByteSource:
    """Expand a whole gzip file in memory.

    Args:
        source: The file.
        limit: Most bytes that it may expand to.
        expected: What it should hold, for the message.

    Raises:
        UserError: If it is broken, expands to more than `limit`, or beyond `MAX_GZIP_RATIO` times
            its size.
    """
    path, parts, total, place = source.path, [], 0, 0
    machine = zlib.decompressobj(wbits=31)
    limit = min(limit, max(_CHUNK, MAX_GZIP_RATIO * source.length))
    try:
        while not machine.eof:
            waiting = machine.unconsumed_tail
            if not waiting:
                waiting = source.read(place, _CHUNK)
                place += len(waiting)
                if not waiting:
                    raise UserError(f"{path} is a truncated gzip file. Copy it again.")
            part = machine.decompress(waiting, _CHUNK)
            total += len(part)
            if total > limit:
                raise UserError(
                    f"{path} is a gzip file that expands beyond {limit} bytes; expected "
                    f"{expected}. Expand it with gzip -d if it is what you want."
                )
            parts.append(part)
    except zlib.error as error:
        raise UserError(f"{path} is a broken gzip file. Copy it again.") from error
    return ByteSource(path, b"".join(parts))


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be read: {error.strerror or error}.", ExitCode.NO_INPUT)
