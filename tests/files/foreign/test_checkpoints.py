"""Checkpoints of training runs: tensors that stay in the file, and settings as plain values."""

import argparse
import contextlib
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import pytest
import torch

from signgen.errors import ExitCode, UserError
from signgen.files.foreign import pickles
from signgen.files.foreign.checkpoints import Checkpoint, plain_values, read_checkpoint
from signgen.files.foreign.unpickling import Described, Name, PickleError
from tests.material.tensors import TENSORS
from tests.material.training_containers import save_container

GOLDENS = Path(__file__).resolve().parents[3] / ".." / "shared" / "goldens"
STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}
SETTINGS = {
    "name": "run",
    "lr": 1e-4,
    "steps": 3,
    "on": True,
    "nothing": None,
    "size": [352, 512],
    "nested": {"list": [[1, 2], {"x": "y"}], "empty": {}, "none": []},
}


def test_a_container_of_lightning(tmp_path):
    path = save_container(tmp_path / "last.ckpt", STATE, SETTINGS)
    # torch's own careful loader refuses such a file, so nothing else could read it safely.
    with pytest.raises(pickle.UnpicklingError, match="omegaconf"):
        torch.load(path, weights_only=True)
    checkpoint = read_checkpoint(path)
    assert checkpoint.settings == SETTINGS
    assert (checkpoint.epoch, checkpoint.step) == (3, 7)
    assert checkpoint.shapes == {"a.weight": (2, 3), "a.bias": (2,)}
    np.testing.assert_array_equal(checkpoint.load("a.weight"), STATE["a.weight"])
    assert checkpoint.equal("a.bias", checkpoint, "a.bias")
    assert not checkpoint.equal("a.bias", checkpoint, "a.weight")


@pytest.mark.skipif(
    not (GOLDENS / "stage1_container_sample.ckpt").is_file(), reason="the sample is not here"
)
def test_a_real_container_of_lightning():
    checkpoint = read_checkpoint(GOLDENS / "stage1_container_sample.ckpt")
    golden = json.loads((GOLDENS / "stage1_checkpoint.json").read_text())
    assert checkpoint.settings == golden["hyper_parameters"]
    shapes = {name: tuple(shape) for name, shape in golden["state_dict"]}
    assert len(checkpoint.shapes) == 3
    for name, shape in checkpoint.shapes.items():
        assert shapes[name] == shape
        assert np.isfinite(checkpoint.load(name)).all()


@pytest.mark.parametrize(
    "settings", [SETTINGS, argparse.Namespace(**SETTINGS)], ids=["dictionary", "namespace"]
)
def test_settings_of_other_kinds(settings, tmp_path):
    torch.save({"state_dict": STATE, "hyper_parameters": settings}, tmp_path / "a")
    assert read_checkpoint(tmp_path / "a").settings == SETTINGS


def test_objects_are_named_and_paths_are_texts(tmp_path):
    value = {"path": Path("a/b"), "size": torch.Size([2]), "type": dict, "key": {1: 2}}
    torch.save({"state_dict": STATE, "hyper_parameters": value}, tmp_path / "a")
    assert read_checkpoint(tmp_path / "a").settings == {
        "path": "a/b",
        "size": "<torch.Size>",
        "type": read_checkpoint(tmp_path / "a").settings["type"],
        "key": {"1": 2},
    }
    assert str(read_checkpoint(tmp_path / "a").settings["type"]).endswith("dict>")


def test_types_beside_the_settings_do_no_harm(tmp_path):
    value = {"a": 1, "types": [Optional[int], Union[int, str], type(None), Any]}  # noqa: UP007, UP045
    torch.save({"state_dict": STATE, "hyper_parameters": value}, tmp_path / "a")
    settings = read_checkpoint(tmp_path / "a").settings
    assert settings["a"] == 1
    assert all(text.startswith("<") for text in settings["types"])


def test_settings_nested_in_themselves_are_refused():
    node = Described(Name("omegaconf.dictconfig.DictConfig"))
    node.state = {"_content": {"a": node}}
    with pytest.raises(PickleError, match="nested deeper"):
        plain_values(node)
    wide: list[object] = [1] * 10
    for _ in range(8):
        wide = [wide] * 10
    with pytest.raises(PickleError, match="more than"):
        plain_values(wide)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(2), "holds no state dict"),
        ({}, "holds no state dict"),
        ({"state_dict": {}}, "holds no state dict"),
        ({"state_dict": {"a": 3}}, "'a' of its state dict is no tensor"),
        ({"model": STATE}, "'model' of its state dict is no tensor"),
    ],
)
def test_other_files_are_refused_in_one_line(value, message, tmp_path):
    torch.save(value, tmp_path / "a")
    with pytest.raises(UserError, match=message):
        read_checkpoint(tmp_path / "a")


def test_a_damaged_tensor_is_named(tmp_path):
    path = save_container(tmp_path / "last.ckpt", STATE, SETTINGS)
    data = path.read_bytes()
    path.write_bytes(data.replace(STATE["a.weight"].numpy().tobytes(), bytes(24)))
    checkpoint = read_checkpoint(path)
    with pytest.raises(UserError, match=r"last\.ckpt: a\.weight .*checksum"):
        checkpoint.load("a.weight")


# ----- tensors ------------------------------------------------------------------------------------

VALUES = torch.randn(7, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
OWN = {
    "bfloat16": VALUES.bfloat16(),
    "odd bfloat16": torch.arange(9).bfloat16()[1::2],
    "parameter": torch.nn.Parameter(torch.ones(3)),
}


def save(path: Path, value: object, **options: Any) -> Path:
    torch.save(value, path, **options)
    return path


def repacked(path: Path, change: Callable, kind: int = zipfile.ZIP_STORED) -> Path:
    """Write an archive again after `change(name, bytes)`, which may return None to leave it out."""
    with zipfile.ZipFile(path) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    with zipfile.ZipFile(path, "w", kind) as new:
        for name, data in members.items():
            changed = change(name, data)
            if changed is not None:
                new.writestr(name, changed)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_come_back(protocol, tmp_path):
    got = read_checkpoint(save(tmp_path / "a.ckpt", TENSORS | OWN, pickle_protocol=protocol))
    for name, tensor in (TENSORS | OWN).items():
        wide = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        expected = wide.detach().numpy()
        assert got.shapes[name] == expected.shape, name
        assert got.load(name).dtype == expected.dtype, name
        np.testing.assert_array_equal(got.load(name), expected, err_msg=name)


def test_a_state_dict_of_a_module_comes_back(tmp_path):
    state = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict()
    got = read_checkpoint(save(tmp_path / "a", state))
    assert list(got.state) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(got.load(name), tensor)


def test_aliases_share_their_numbers_and_are_equal_without_being_read(tmp_path):
    value = {"a": VALUES, "b": VALUES, "c": VALUES.clone(), "d": VALUES[1:], "e": -VALUES}
    value |= {
        "n": torch.full((2,), torch.nan),
        "m": torch.full((2,), torch.nan),
        "i": torch.ones(2),
    }
    path = save(tmp_path / "a", value)
    got = read_checkpoint(path)
    for first, second, same in ("ab1", "ac1", "ad0", "ae0", "nm1", "ni0"):
        assert got.equal(first, got, second) == bool(int(same)), first + second
    np.testing.assert_array_equal(got.load("d"), VALUES[1:])
    # With the numbers damaged, `a` still equals `b`, because nothing of them is read.
    path.write_bytes(path.read_bytes().replace(VALUES.numpy().tobytes()[:64], bytes(64)))
    got = read_checkpoint(path)
    assert got.equal("a", got, "b")
    with pytest.raises(UserError, match="checksum"):
        got.equal("a", got, "c")


def test_numbers_are_views_of_the_file(tmp_path):
    got = read_checkpoint(save(tmp_path / "a", {"a": VALUES})).load("a")
    assert not got.flags.owndata
    assert not got.flags.writeable


def test_unwanted_tensors_are_not_touched(tmp_path):
    odd = torch.ones(2, dtype=torch.uint16)  # saved by another function than the others
    path = save(tmp_path / "a", {"state_dict": {"a": torch.ones(4), "b": VALUES, "c": odd}})
    repacked(path, lambda name, data: b"" if len(data) == VALUES.nbytes else data)
    got = read_checkpoint(path)
    assert got.load("a").tolist() == [1, 1, 1, 1]
    with pytest.raises(UserError, match="b announces 105 numbers and has 0 bytes"):
        got.load("b")
    with pytest.raises(UserError, match="c is a tensor of UntypedStorage"):
        got.load("c")


def test_storages_that_are_not_aligned_are_read(tmp_path):
    # torch aligns them, other writers of zip files do not.
    for pad in range(8):
        path = repacked(
            save(tmp_path / ("a" * (pad + 1)), {"a": VALUES.float()}), lambda _, data: data
        )
        np.testing.assert_array_equal(read_checkpoint(path).load("a"), VALUES.float())


def test_torch_is_not_imported(tmp_path):
    path = save(tmp_path / "a", {"a": VALUES})
    code = (
        "import sys; from pathlib import Path\n"
        "from signgen.files.foreign.checkpoints import read_checkpoint\n"
        f"assert read_checkpoint(Path({str(path)!r})).load('a').shape == (7, 5, 3)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


# ----- broken files -------------------------------------------------------------------------------


def load_all(path: Path) -> Checkpoint:
    checkpoint = read_checkpoint(path)
    for name in checkpoint.state:
        checkpoint.load(name)
    return checkpoint


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_all(path)
    text = str(caught.value)
    assert text.startswith(str(path)), text
    assert text.isprintable()
    assert len(text) < 500
    assert caught.value.code == ExitCode.DATA
    return text


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the child process, where a test reads hundreds of files."""
    monkeypatch.setattr(pickles, "_ends", lambda *_: True)


def test_every_truncation_is_noticed(tmp_path, here):
    data = save(tmp_path / "a", {"a": torch.ones(5), "b": VALUES[:1].clone()}).read_bytes()
    for length in range(1, len(data), 37):
        (tmp_path / "a").write_bytes(data[:length])
        refused(tmp_path / "a")


def test_flipped_bytes_never_crash(tmp_path, here):
    data = save(tmp_path / "a", {"a": torch.ones(5), "b": VALUES[:1].clone()}).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            changed[place] ^= int(rng.integers(1, 256))
        (tmp_path / "a").write_bytes(changed)
        with contextlib.suppress(UserError):
            load_all(tmp_path / "a")


def test_other_files_are_named(tmp_path):
    path = tmp_path / "a"
    torch.save({"a": VALUES}, path, _use_new_zipfile_serialization=False)
    assert "is not a zip archive" in refused(path)
    path.write_bytes(b"\n<!DOCTYPE html><html><title>Quota exceeded</title></html>")
    assert "is a web page; expected a checkpoint." in refused(path)
    for names in ([], ["a/data.pkl", "b/data.pkl"]):
        with zipfile.ZipFile(path, "w") as archive:
            for name in [*names, "a.txt"]:
                archive.writestr(name, b"\x80\x02N.")
        assert f"{len(names)} members data.pkl in place of one" in refused(path)
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_checkpoint(tmp_path / "none")
    assert caught.value.code == ExitCode.NO_INPUT


def test_byte_order_is_checked(tmp_path):
    path = save(tmp_path / "a", {"a": VALUES})
    repacked(path, lambda name, data: b"big" if name.endswith("byteorder") else data)
    assert "big-endian" in refused(path)
    repacked(path, lambda name, data: None if name.endswith("byteorder") else data)
    np.testing.assert_array_equal(read_checkpoint(path).load("a"), VALUES)


ONES = torch.ones(5).numpy().tobytes()
CHANGES = {
    "storage is missing": lambda name, data: None if "data/0" in name else data,
    "storage is short": lambda name, data: data[:-4] if "data/0" in name else data,
    "storage is long": lambda name, data: data + b"1234" if "data/0" in name else data,
    "beyond its storage": lambda name, data: data.replace(b"K\x00K\x05\x85", b"K\x01K\x05\x85"),
    "strides beyond": lambda name, data: data.replace(b"K\x05\x85", b"K\x05\x85", 1).replace(
        b"K\x01\x85", b"K\x02\x85"
    ),
    "strides of another shape": lambda name, data: data.replace(b"K\x01\x85", b"K\x01K\x01\x86"),
    "huge": lambda name, data: data.replace(
        b"K\x05\x85", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"
    ),
    "negative": lambda name, data: data.replace(b"K\x05\x85", b"J\xff\xff\xff\xff\x85"),
    "not a storage": lambda name, data: data.replace(b"X\x07\x00\x00\x00storage", b"K\x01"),
    "key outside": lambda name, data: data.replace(
        b"X\x01\x00\x00\x000", b"X\x06\x00\x00\x00../../"
    ),
}


def test_wrong_descriptions_and_damages_are_refused(tmp_path):
    path = save(tmp_path / "a", {"a": torch.ones(5)})
    before = path.read_bytes()
    for name, change in CHANGES.items():
        path.write_bytes(before)
        repacked(path, change)
        assert path.read_bytes() != before, name
        refused(path)
    path.write_bytes(before.replace(ONES, b"\x01" * 20))
    assert "checksum" in refused(path)
    path.write_bytes(before)
    assert "is packed" in refused(repacked(path, lambda _, data: data, zipfile.ZIP_DEFLATED))
    path.write_bytes(before)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/data/0", bytes(20))
    assert "two members of one name" in refused(path)


def test_a_few_bytes_do_not_become_gigabytes(tmp_path):
    path = save(tmp_path / "a", {"a": torch.ones(1).expand(2**15, 2**15)})
    assert "a has 1073741824 numbers of shape [32768, 32768] made of 1" in refused(path)
    zeros = bytes(80 * 2**20)
    repacked(
        path, lambda name, data: zeros if name.endswith(".pkl") else data, zipfile.ZIP_DEFLATED
    )
    assert "pickle of 83886080 bytes" in refused(path)
