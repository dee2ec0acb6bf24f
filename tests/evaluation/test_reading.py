"""Tests of `signgen.evaluation.reading`: chunks of all systems, decoded ahead by another thread."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.clips import Clip
from signgen.evaluation.reading import REFERENCE, ClipReader, read_ahead
from tests.material.square_signers import moving_poses

LIMIT = 10.0
"""Seconds that a thread may take; a test that waits as long has failed."""


def frames(count: int, height: int = 4) -> NDArray[np.uint8]:
    """Return (count, height, 5, 3) frames, each of one value."""
    values = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return np.broadcast_to(values, (count, height, 5, 3))


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "read-ahead" in thread.name]


@pytest.mark.parametrize("from_files", [False, True])
@pytest.mark.parametrize("chunk", [1, 3, 7, 9])
def test_chunks_hold_all_frames_in_order(chunk: int, from_files: bool) -> None:
    clip = Clip("a", "", frames(7), frames(7)[::-1], source=frames(7), from_files=from_files)
    reader = ClipReader(clip, (), chunk)
    with reader.chunks() as chunks:
        found = list(chunks)
    for name, expected in (("generated", frames(7)), (REFERENCE, frames(7)[::-1])):
        read = np.concatenate([own[name] for own, _ in found])
        np.testing.assert_array_equal(read, expected)
        assert reader.digests()[name] == hashlib.sha256(expected.tobytes()).hexdigest()
    sources = [source for _, source in found]
    np.testing.assert_array_equal(np.concatenate(sources), frames(7))
    assert reader.source_moves
    assert {len(own[REFERENCE]) for own, _ in found[:-1]} <= {chunk}
    assert readers() == []


@pytest.mark.parametrize("chunk", [1, 3, 4, 8])
def test_ends_are_cut_where_it_is_asked_for(chunk: int) -> None:
    counts = {"ours": 8, "truth": 7, "poses": 8, "points": 6}

    def read(trim: int, **other: int) -> tuple[int, str]:
        n = counts | other
        given = Clip("a", "", frames(n["ours"]), frames(n["truth"]), from_files=True)
        points = {
            "poses": moving_poses(n["poses"], 1),
            "generated_poses": moving_poses(n["points"], 1),
        }
        reader = ClipReader(replace(given, **points, trim_ends=trim), (), chunk)
        with reader.chunks() as chunks:
            return sum(len(own[REFERENCE]) for own, _ in chunks), reader.cut

    kept, said = read(2)
    assert kept == 6
    assert "8 generated frames, 7 reference frames, 8 poses, 6 key points" in said
    assert said.endswith("the first 6 are scored")
    same = dict.fromkeys(counts, 7)
    assert read(0, **same) == (7, "")
    assert read(2, **same) == (7, "")
    for name, message in (
        ("ours", r"8 generated frames, but 7 reference frames; .* --trim-ends 1 cuts"),
        ("poses", "8 poses, but 7 ref"),
        ("points", "8 key points of the generated frames, but 7 ref"),
    ):
        with pytest.raises(UserError, match=message):
            read(0, **same | {name: 8})
        assert read(1, **same | {name: 8})[0] == 7
        assert read(1, **same | {name: 6})[0] == 6
    with pytest.raises(UserError, match=r"8 generated frames, but 7 .* --trim-ends 2 cuts"):
        read(1)


def test_frames_need_not_lie_in_memory_as_they_are_read() -> None:
    planes = np.random.default_rng(0).integers(256, size=(2, 3, 4, 5), dtype=np.uint8)
    views = [plane.transpose(1, 2, 0) for plane in planes]
    reader = ClipReader(Clip("a", "", views, views), (), 2)
    with reader.chunks() as chunks:
        assert len(list(chunks)) == 1
    expected = b"".join(np.ascontiguousarray(view).tobytes() for view in views)
    assert reader.digests()["generated"] == hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize("from_files", [False, True])
def test_a_frame_that_cannot_be_read_is_an_error_where_it_would_have_come(from_files: bool) -> None:
    def broken() -> Iterator[NDArray[np.uint8]]:
        yield from frames(4)
        raise UserError("000004.png is damaged")

    reader = ClipReader(Clip("a", "", broken(), frames(9), from_files=from_files), (), 2)
    with reader.chunks() as chunks:
        assert [len(next(chunks)[0][REFERENCE]) for _ in range(2)] == [2, 2]
        with pytest.raises(UserError, match=r"000004\.png is damaged"):
            next(chunks)
    assert readers() == []


def test_the_next_item_is_made_while_one_is_worked_on_and_no_more() -> None:
    made: list[int] = []
    second = threading.Event()

    def items() -> Iterator[int]:
        for number in range(9):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    assert second.wait(LIMIT)  # nobody asked for it yet
    assert len(made) == 2
    assert list(ahead) == list(range(1, 9))


def test_another_thread_makes_the_items() -> None:
    names = set(read_ahead(threading.current_thread().name for _ in range(3)))
    assert len(names) == 1
    assert threading.current_thread().name not in names


def test_the_thread_ends_where_scoring_is_interrupted() -> None:
    reader = ClipReader(Clip("a", "", frames(9), frames(9), from_files=True), (), 2)

    def scored() -> None:
        with reader.chunks() as chunks:
            next(chunks)
            assert readers()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scored()
    assert readers() == []
