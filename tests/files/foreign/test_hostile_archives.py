"""Hostile pickles in torch's zip files: refused on one line, and nothing of them runs."""

import contextlib
import time
import zipfile
from pathlib import Path

import pytest
import torch

from signgen.errors import ExitCode, UserError
from signgen.files.foreign.torch_archive import read_archive
from signgen.files.foreign.training_checkpoint import read_checkpoint
from tests.material.hostile_pickles import BROKEN, NAMES, named, running


def archive(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("last/data.pkl", data)
        file.writestr("last/byteorder", "little")
        file.writestr("last/version", "3\n")
    return path


def check_refused(path: Path) -> str:
    start = time.perf_counter()
    with pytest.raises(UserError) as caught:
        read_checkpoint(path)
    assert time.perf_counter() - start < 10
    text = str(caught.value)
    assert text.startswith(str(path)), text
    assert text.isprintable()
    assert len(text) < 600
    assert caught.value.code == ExitCode.DATA
    return text


def test_payloads_run_in_torchs_loader_and_not_here(tmp_path):
    canary = tmp_path / "canary"
    for name, data in running(canary).items():
        path = archive(tmp_path / "last.ckpt", data)
        check_refused(path)
        assert not canary.exists(), name
        # The same file does run elsewhere, so this test can fail.
        with contextlib.suppress(Exception):
            torch.load(path, weights_only=False)
        assert canary.exists(), name
        canary.rmdir() if canary.is_dir() else canary.unlink()


def test_payloads_beside_good_weights_are_refused(tmp_path):
    canary = tmp_path / "canary"
    for name, data in running(canary).items():
        if not data.startswith(b"\x80\x04"):
            continue
        # {"state_dict": {}, "callbacks": payload}: what comes after PROTO and before STOP.
        inner = data[11:-1] if data[2:3] == b"\x95" else data[2:-1]
        whole = b"\x80\x04}(\x8c\x0astate_dict}\x8c\x09callbacks" + inner + b"u."
        check_refused(archive(tmp_path / "last.ckpt", whole))
        assert not canary.exists(), name


@pytest.mark.parametrize("name", NAMES)
def test_names_are_refused(name, tmp_path):
    module, _, attribute = name.rpartition(".")
    text = check_refused(archive(tmp_path / "last.ckpt", named(module, attribute)))
    # A few stand for descriptions, so that the file is harmless and only no checkpoint.
    described = {
        "builtins.complex",
        "builtins.object",
        "collections.deque",
        "torch.FloatStorage",
    }
    assert ("Nothing of it was run" in text) == (name not in described)


@pytest.mark.parametrize("name", [name for name in BROKEN if "without end" not in name])
def test_broken_and_hostile_pickles_are_refused(name, tmp_path):
    text = check_refused(archive(tmp_path / "last.ckpt", BROKEN[name]))
    assert "Nothing of it was run" in text or "state dict" in text


def test_names_of_known_packages_are_descriptions_and_their_attributes_are_not(tmp_path):
    path = archive(tmp_path / "last.ckpt", named("omegaconf.base", "Container"))
    assert read_archive(path).made.name == "Container"
    for module, name in (
        ("omegaconf", "os.system"),
        ("omegaconf.base.__dict__", "a b"),
        ("omegaconf_evil", "Container"),
        ("typing", "sys.modules"),
    ):
        text = check_refused(archive(tmp_path / "last.ckpt", named(module, name)))
        assert "asks for" in text
