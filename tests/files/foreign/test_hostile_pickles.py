"""Hostile pickles, plain and in torch's archives: refused on one line, soon, and nothing runs."""

import contextlib
import io
import pickle
import resource
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from signgen.errors import ExitCode, UserError
from signgen.files.foreign import pickles
from signgen.files.foreign.checkpoints import read_checkpoint
from signgen.files.foreign.unpickling import PickleError, unpickle
from signgen.pose.formats import read_clips
from tests.material.hostile_pickles import BROKEN, NAMES, named, running


def read_all_clips(path: Path) -> None:
    for _ in read_clips(path, size=(260, 210)).values():
        pass


def archive(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("last/data.pkl", data)
        file.writestr("last/byteorder", "little")
        file.writestr("last/version", "3\n")
    return path


def check_refused(read: Callable[[Path], object], path: Path, what: str) -> str:
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as caught:
        read(path)
    assert time.perf_counter() - start < 30, what
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2 * 2**20, what  # kB
    text = str(caught.value)
    assert text.startswith(str(path)), what
    assert text.isprintable(), what
    assert len(text) < 600, what
    assert caught.value.code == ExitCode.DATA, what
    return text


def test_payloads_run_elsewhere_and_not_here(tmp_path, monkeypatch):
    canary, plain = tmp_path / "canary", tmp_path / "clips.pkl"
    payloads = running(canary)
    assert len(payloads) >= 30
    for name, data in payloads.items():
        plain.write_bytes(data)
        check_refused(read_all_clips, plain, name)
        assert not canary.exists(), name
    # What ended in a child process above need not be tried out there once more.
    monkeypatch.setattr(pickles, "_ends", lambda *_: True)
    for name, data in payloads.items():
        packed = archive(tmp_path / "last.ckpt", data)
        check_refused(read_checkpoint, packed, name)
        # {"state_dict": {}, "callbacks": payload}: what comes after PROTO and before STOP.
        if data.startswith(b"\x80\x04"):
            inner = data[11:-1] if data[2:3] == b"\x95" else data[2:-1]
            whole = b"\x80\x04}(\x8c\x0astate_dict}\x8c\x09callbacks" + inner + b"u."
            check_refused(read_checkpoint, archive(tmp_path / "whole.ckpt", whole), name)
        assert not canary.exists(), name
        # The same bytes do run elsewhere, so this test can fail.
        for run in (pickle.loads, lambda _, path=packed: torch.load(path, weights_only=False)):
            with contextlib.suppress(Exception):
                run(data)
            assert canary.exists(), name
            canary.rmdir() if canary.is_dir() else canary.unlink()


def test_names_are_refused():
    # These stand for descriptions, which a checkpoint may hold.
    described = {"builtins.complex", "builtins.object", "collections.deque", "torch.FloatStorage"}
    described |= {"torch._utils._rebuild_parameter"}
    for name in NAMES:
        module, _, attribute = name.rpartition(".")
        first, _, rest = name.partition(".")
        for data in (
            named(module, attribute),
            named(first, rest),
            b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b")R.",
        ):
            if name in described:
                continue
            with pytest.raises(PickleError, match="asks for"):
                unpickle(io.BytesIO(data))


def test_names_of_known_packages_are_descriptions_and_their_attributes_are_not():
    container = unpickle(io.BytesIO(named("omegaconf.base", "Container")))
    assert container.made.text == "omegaconf.base.Container"
    for module, name in (
        ("omegaconf", "os.system"),
        ("omegaconf.base.__dict__", "a b"),
        ("omegaconf.a b", "Container"),
        ("omegaconf_evil", "Container"),
        ("typing", "sys.modules"),
        ("torch", "os.Storage"),
    ):
        with pytest.raises(PickleError, match="asks for"):
            unpickle(io.BytesIO(named(module, name)))


@pytest.mark.parametrize("names", [list(BROKEN)[place::4] for place in range(4)])
def test_broken_and_hostile_pickles_are_refused(names, tmp_path, monkeypatch):
    for name in names:
        path = tmp_path / "clips.pkl"
        path.write_bytes(BROKEN[name])
        check_refused(read_all_clips, path, name)
    monkeypatch.setattr(pickles, "_ends", lambda *_: True)
    for name in names:
        text = check_refused(read_checkpoint, archive(tmp_path / "a.ckpt", BROKEN[name]), name)
        assert "Nothing of it was run" in text or "state dict" in text, name


@pytest.mark.parametrize("data", [b"cos\nsystem\n(S'true'\ntR.", b"(dp0\n.", b"]q\x00."])
def test_text_protocols_are_not_poses(data, tmp_path):
    (tmp_path / "clips.pkl").write_bytes(data)
    check_refused(read_all_clips, tmp_path / "clips.pkl", "")


def test_the_refusal_names_what_the_file_asks_for(tmp_path):
    path = tmp_path / "clips.pkl"
    path.write_bytes(named("os", "system"))
    with pytest.raises(UserError, match=r"asks for 'os\.system'.*Nothing of it was run"):
        read_clips(path)
    path.write_bytes(b"\x80\x02\x82\x01.")
    with pytest.raises(UserError, match="uses the pickle instruction EXT1"):
        read_clips(path)


INERT = {
    "a name": b"cnumpy\ndtype\n",
    "bytes that stay in the file": b"B\x04\0\0\0abcd",
    "a call, for the second time": b"cnumpy\ndtype\n)R}b",
    "a dictionary": b"}",
    "a list": b"]",
    "a text": b"X\x01\0\0\0a",
}


def test_no_object_can_be_changed_from_within():
    for value in INERT.values():
        for state in (b"}X\x04\0\0\0texts]s", b"N}X\x05\0\0\0start]s\x86"):
            with pytest.raises(PickleError):
                unpickle(io.BytesIO(b"\x80\x02" + value + state + b"b."))


# ----- the child process --------------------------------------------------------------------------


def colliding(count: int) -> bytes:
    """A dictionary whose keys, whole numbers, all have the same hash."""
    keys = (pickle.dumps(key * (2**61 - 1), 2)[2:-1] for key in range(1, count))
    return b"\x80\x02}(" + b"N".join(keys) + b"Nu."


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit memory")
def test_what_takes_too_long_or_too_much_memory_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / "large.pkl"
    path.write_bytes(b"\x80\x02" + b"]" * 10**6 + b".")
    monkeypatch.setattr(pickles, "_MEMORY", 60 * 2**20)
    assert "too much time or memory" in check_refused(read_all_clips, path, "large")
    path = archive(tmp_path / "slow.ckpt", colliding(30_000))
    monkeypatch.undo()
    monkeypatch.setattr(pickles, "_SECONDS", 1)
    assert "too much time or memory" in check_refused(read_checkpoint, path, "slow")


def test_a_child_that_dies_is_a_refusal(tmp_path, monkeypatch):
    dying = tmp_path / "dying.py"
    dying.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(pickles.unpickling, "__file__", str(dying))
    path = tmp_path / "clips.pkl"
    path.write_bytes(pickle.dumps({}))
    assert "too much time or memory" in check_refused(read_all_clips, path, "")
