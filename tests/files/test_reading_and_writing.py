"""Atomic writes, bounded reads and digests."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from signgen.errors import ExitCode, UserError
from signgen.files.digests import sha256
from signgen.files.reading import parse_json, read_bytes, read_json, read_text
from signgen.files.writing import (
    atomic_folder,
    atomic_path,
    atomic_paths,
    make_folder,
    remove_leftovers,
    save_text,
)

# ----- writing ------------------------------------------------------------------------------------


def test_files_of_one_block_appear_together(tmp_path: Path) -> None:
    paths = [tmp_path / "a.mp4", tmp_path / "b.png"]
    with atomic_paths(paths) as temporary:
        assert [path.name for path in temporary] == ["a.mp4", "b.png"]
        for path in temporary:
            path.write_text("new")
        assert not any(path.exists() for path in paths)
    assert sorted(tmp_path.iterdir()) == paths


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(28, "No space left")])
def test_a_failure_keeps_the_old_file_and_leaves_nothing(tmp_path: Path, error: object) -> None:
    save_text(tmp_path / "a", "old")
    for write, name in ((atomic_path, "a"), (atomic_folder, "b")):
        expected = UserError if isinstance(error, OSError) else error
        with pytest.raises(expected) as caught, write(tmp_path / name):
            raise error
        if isinstance(error, OSError):
            assert caught.value.code == ExitCode.IO
            said = f"{tmp_path / name} cannot be written: No space left. Free some space in "
            assert str(caught.value) == f"{said}{tmp_path}."
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_what_cannot_be_created_is_one_line(tmp_path: Path) -> None:
    save_text(tmp_path / "file", "x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    make_folder(tmp_path / "full" / "inner")

    def fill(folder: Path) -> None:
        with atomic_folder(folder):
            pass

    def save(path: Path) -> None:
        save_text(path, "text")

    for write, names in (
        (save, ("missing/a", "file/a", "full")),
        (fill, ("missing/a", "file", "full", "link", "nu\0ll")),
        (make_folder, ("file/below",)),
    ):
        for name in names:
            with pytest.raises(UserError) as caught:
                write(tmp_path / name)
            assert caught.value.code == ExitCode.CANNOT_CREATE, name
            assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "link", "full"}


def test_leftovers_are_removed_once_their_process_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import sys, time; from pathlib import Path; from signgen.files.writing import atomic_paths"
        "\nwith atomic_paths([Path(sys.argv[1])]) as (temporary,):"
        "\n    temporary.write_text('half'); print('there', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "step-1")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"there\n"
        (left,) = tmp_path.iterdir()
        remove_leftovers(tmp_path, "*")
        assert [path.read_text() for path in left.iterdir()] == ["half"], "its process lives"
        other.kill()
        other.wait()
    remove_leftovers(tmp_path, "step-2")
    assert left.is_dir(), "of another name"

    # The first thing that another process writes there sweeps
    monkeypatch.setattr("signgen.files.writing._swept", set())
    save_text(tmp_path / "new", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


# ----- reading ------------------------------------------------------------------------------------


def test_text_comes_without_mark_and_with_one_kind_of_line_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffZoë\r\nb\rc\n".encode())
    assert read_text(tmp_path / "a", 20, "text") == "Zoë\nb\nc\n"


@pytest.mark.parametrize(
    ("content", "message", "code"),
    [
        (None, "does not exist; expected a list. Check the path.", 66),
        (b"[" + b" " * 200_000, "is larger than 200000 bytes; expected a list.", 65),
        (b"\xff", "is not UTF-8 text (byte 0); expected a list.", 65),
        (
            b'{"a":\n}',
            "is not valid JSON: Expecting value at line 2, column 1; expected a list",
            65,
        ),
        (b"[" * 100_000, "is JSON nested too deep; expected a list.", 65),
        (b"1" * 5000, "holds a number with too many digits; expected a list.", 65),
    ],
)
def test_what_cannot_be_read_is_one_line(
    tmp_path: Path, content: bytes | None, message: str, code: int
) -> None:
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_json(tmp_path / "a.json", 200_000, "a list")
    assert str(caught.value).startswith(f"{tmp_path / 'a.json'} {message}")
    assert caught.value.code == code


def test_a_folder_and_endless_files_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_bytes(tmp_path, 10, "a file")
    os.mkfifo(tmp_path / "pipe")
    for endless in ("/dev/zero", tmp_path / "pipe"):
        with pytest.raises(UserError, match=f"{endless} is not a regular file; expected a file"):
            read_bytes(endless, 10, "a file")


# ----- digests ------------------------------------------------------------------------------------


def test_a_folder_s_digest_is_that_of_its_names_and_files(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text(name)
    one = [hashlib.sha256(name.encode()).hexdigest() for name in ("a", "b")]
    assert sha256(tmp_path / "a") == one[0]
    listed = f"{one[0]}  a\n{one[1]}  b\n"
    assert sha256(tmp_path) == hashlib.sha256(listed.encode()).hexdigest()


def test_json_that_would_fill_the_memory_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "lists.json"
    path.write_bytes(b"[" + b"[]," * 14_000_000 + b"0]")  # 42 MB of text, 1 GB of lists
    tracemalloc.start()
    with pytest.raises(UserError, match="28000001 lists and values, which take about 1"):
        read_json(path, 2**30, "poses")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * path.stat().st_size


@pytest.mark.parametrize(
    "end", ["]}", "] }\n", "],}", "],", "]", "]}x", ",]}", '],"a":[]}', "],1:2}", "[]}"]
)
def test_lists_read_in_turn_are_read_as_whole_ones_are(end: str) -> None:
    data = ('{"fps": 25, "frames": [[1, 2.5], [3, NaN]' + end).encode()
    found = []
    for each in (None, lambda item: item):
        try:
            found.append(repr(parse_json(data, "poses.json", "poses", each)))
        except UserError as error:
            found.append(str(error))
    assert found[0] == found[1]
