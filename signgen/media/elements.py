"""Whether the elements of a video file lie end to end: Matroska and WebM (RFC 8794, RFC 9559), AVI.

Decoders search for the next element that they know and leave out what lies between, in silence.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

__all__ = ["find_damage"]

_FILE, _HEADER, _SEGMENT, _CLUSTER = 0, 0x1A45DFA3, 0x18538067, 0x1F43B675
_GROUP, _BLOCK = 0xA0, 0xA3
_PADDING = frozenset({0xEC, 0xBF})
_NUMBERS = frozenset({0xE7, 0xA7, 0xAB})
# What may lie in each of those that are looked into
_INSIDE = {
    _FILE: _PADDING | {_HEADER, _SEGMENT},
    _SEGMENT: _PADDING
    | {0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER}
    | {0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367},
    _CLUSTER: _PADDING | _NUMBERS | {0x5854, _BLOCK, _GROUP, 0xAF},
    _GROUP: _PADDING | {0xA1, 0xA2, 0x75A1, 0x9B, 0xFA, 0xFB, 0xFD, 0xA4, 0x75A2, 0x8E, 0xC8},
}
_LISTS = frozenset({b"RIFF", b"LIST"})


def find_damage(path: Path, family: str, packets: int) -> str:
    """Return what is wrong with the elements of a file; empty where nothing is.

    Only the heads of elements are read.

    Args:
        path: The file.
        family: That of its container: `matroska`, `avi`, or others, which are not looked into.
        packets: Number of packets that a decoder got of all tracks.
    """
    blocks: list[int] = []
    if family not in {"avi", "matroska"}:
        return ""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        if family == "avi":
            damage = _damage_in_avi(file, 0, end, blocks, outermost=True)
        else:
            damage = _damage(file, 0, end, _FILE, blocks)
    if not damage and len(blocks) > packets:
        return f"{len(blocks) - packets} of its {len(blocks)} packets cannot be read"
    return damage


# ----- Matroska -----------------------------------------------------------------------------------


def _damage(file: BinaryIO, place: int, end: int, parent: int, blocks: list[int]) -> str:
    """Go through what lies in an element from `place` to `end`, and note the places of blocks."""
    allowed = _INSIDE[parent]
    while place < end:
        name, size, start = _head(file, place)
        if name not in allowed:
            return f"no element begins at byte {place}"
        # One of unknown size goes to the end, a cluster to the next one
        if size is None and name == _CLUSTER:
            allowed, place = allowed | _INSIDE[_CLUSTER], start
            continue
        if size is None and name == _SEGMENT:
            size = end - start
        if size is None or start + size > end or (name in _NUMBERS and size > 8):
            return f"the element at byte {place} is longer than it can be"
        if name in _INSIDE and (damage := _damage(file, start, start + size, name, blocks)):
            return damage
        if name in {_BLOCK, _GROUP}:
            blocks.append(place)
        if name == _SEGMENT:
            break  # what comes after it nobody reads
        place = start + size
    return ""


def _head(file: BinaryIO, place: int) -> tuple[int, int | None, int]:
    """Return name and size of the element at a place, and where its content begins.

    The name is -1 where there is none; the size is None where it is not known in advance.
    """
    file.seek(place)
    head = file.read(12)
    # The zeros before the first 1 tell how many bytes there are
    width = 9 - head[0].bit_length() if head else 9
    length = 9 - head[width].bit_length() if width <= 4 and len(head) > width else 9
    if length > 8 or len(head) < width + length:
        return -1, 0, place
    unknown = (1 << 7 * length) - 1
    size = int.from_bytes(head[width : width + length]) & unknown
    return int.from_bytes(head[:width]), None if size == unknown else size, place + width + length


# ----- AVI ----------------------------------------------------------------------------------------


def _damage_in_avi(
    file: BinaryIO, place: int, end: int, blocks: list[int], *, outermost: bool = False
) -> str:
    """Go through the chunks from `place` to `end`: a name of four letters, a size, the content.

    Packets are chunks whose names begin with the number of their stream.
    """
    while place + 8 <= end:
        file.seek(place)
        head = file.read(8)
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if outermost and place and name != b"RIFF":
            break  # what comes after it nobody reads
        if not (name.isascii() and name.decode().isprintable()):
            return f"no element begins at byte {place}"
        start = place + 8
        # A recorder that was stopped leaves a size of 0
        stop = end if size == 0 and name in _LISTS else start + size
        if stop > end:
            return f"the element at byte {place} is longer than it can be"
        if name in _LISTS and (damage := _damage_in_avi(file, start + 4, stop, blocks)):
            return damage
        if name[:2].isdigit() and size:
            blocks.append(place)
        place = stop + stop % 2
    return ""
