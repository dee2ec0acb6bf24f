"""Hostile pickles are refused on one line, in little time and memory, and nothing of them runs."""

import contextlib
import pickle
import resource
import time
from pathlib import Path

import pytest

from signgen.errors import ExitCode, UserError
from signgen.pose.formats import read_clips
from tests.material.hostile_pickles import BROKEN, NAMES, named, running


def check_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with pytest.raises(UserError) as caught:
        for _ in read_clips(path, size=(260, 210)).values():
            pass
    assert time.perf_counter() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2 * 2**20  # kB
    text = str(caught.value)
    assert text.startswith(str(path)), text
    assert text.isprintable()
    assert len(text) < 600
    assert caught.value.code == ExitCode.DATA


def test_payloads_run_in_pythons_unpickler_and_not_here(tmp_path):
    canary = tmp_path / "canary"
    payloads = running(canary)
    assert len(payloads) >= 30
    for name, data in payloads.items():
        check_refused(tmp_path / "clips.pkl", data)
        assert not canary.exists(), name
        # The same bytes do run elsewhere, so this test can fail.
        with contextlib.suppress(Exception):
            pickle.loads(data)
        assert canary.exists(), name
        canary.rmdir() if canary.is_dir() else canary.unlink()


@pytest.mark.parametrize("name", NAMES)
def test_names_are_refused(name, tmp_path):
    module, _, attribute = name.rpartition(".")
    check_refused(tmp_path / "clips.pkl", named(module, attribute))
    first, _, rest = name.partition(".")
    check_refused(tmp_path / "clips.pkl", named(first, rest))
    check_refused(
        tmp_path / "clips.pkl", b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b")R."
    )


@pytest.mark.parametrize("name", BROKEN)
def test_broken_and_hostile_pickles_are_refused(name, tmp_path):
    check_refused(tmp_path / "clips.pkl", BROKEN[name])


@pytest.mark.parametrize("data", [b"cos\nsystem\n(S'true'\ntR.", b"(dp0\n.", b"]q\x00."])
def test_text_protocols_are_not_poses(data, tmp_path):
    check_refused(tmp_path / "clips.pkl", data)


def test_the_refusal_names_what_the_file_asks_for(tmp_path):
    path = tmp_path / "clips.pkl"
    path.write_bytes(named("os", "system"))
    with pytest.raises(UserError, match=r"asks for 'os\.system'.*Nothing of it was run"):
        read_clips(path)
    path.write_bytes(BROKEN["NEWOBJ"])
    with pytest.raises(UserError, match=r"NEWOBJ \(byte"):
        read_clips(path)
