"""What torch.save writes comes back, without torch's loader and only as far as it is asked for."""

import contextlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.errors import ExitCode, UserError
from signgen.files.foreign.pickle_values import Described, PickleError
from signgen.files.foreign.torch_archive import StoredTensor, read_archive

VALUES = torch.randn(7, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TENSORS = {
    "float64": VALUES,
    "float32": VALUES.float(),
    "float16": VALUES.half(),
    "bfloat16": VALUES.bfloat16(),
    "int64": torch.arange(12).view(3, 4),
    "int32": torch.arange(12, dtype=torch.int32),
    "int16": torch.arange(12, dtype=torch.int16),
    "int8": torch.arange(12, dtype=torch.int8),
    "uint8": torch.arange(12, dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "permuted": VALUES.permute(2, 0, 1),
    "strided": VALUES[::2, ::3],
    "slice of a shared storage": VALUES[3:5],
    "expanded": torch.arange(3.0).expand(4, 3),
    "one number": torch.tensor(2.5),
    "empty": torch.zeros(0, 5),
    "parameter": torch.nn.Parameter(torch.ones(3)),
    "odd bfloat16": torch.arange(9).bfloat16()[1::2],
}


def save(path: Path, value: object, **options: object) -> Path:
    torch.save(value, path, **options)
    return path


def repacked(path: Path, change, kind: int = zipfile.ZIP_STORED) -> Path:
    """Write an archive again after `change(name, bytes)`, which may return None to leave it out."""
    with zipfile.ZipFile(path) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    with zipfile.ZipFile(path, "w", kind) as new:
        for name, data in members.items():
            changed = change(name, data)
            if changed is not None:
                new.writestr(name, changed)
    return path


def expected(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_come_back(name, tmp_path):
    got = read_archive(save(tmp_path / "a.ckpt", {"a": [TENSORS[name]]}))["a"][0]
    assert got.shape == tuple(TENSORS[name].shape)
    np.testing.assert_array_equal(got.load(), expected(TENSORS[name]))
    assert got.load().dtype == expected(TENSORS[name]).dtype


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_protocols(protocol, tmp_path):
    value = {"a": VALUES, "b": (1, 2.5, "text", None, True), 3: torch.Size([1])}
    got = read_archive(save(tmp_path / "a", value, pickle_protocol=protocol))
    np.testing.assert_array_equal(got["a"].load(), VALUES)
    assert got["b"] == value["b"]
    assert isinstance(got[3], Described)
    assert got[3].args == ((1,),)


def test_a_state_dict_of_a_module_comes_back(tmp_path):
    state = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict()
    got = read_archive(save(tmp_path / "a", state))
    assert list(got) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(got[name].load(), tensor)


def test_types_without_a_storage_of_their_own_are_read_or_named(tmp_path):
    # uint16 and float8 are saved as an untyped storage, by another function than the others.
    save(tmp_path / "a", {"ok": torch.ones(2), "no": torch.ones(2, dtype=torch.uint16)})
    got = read_archive(tmp_path / "a")
    with pytest.raises(PickleError, match="is a tensor of uint16"):
        got["no"].load()
    with zipfile.ZipFile(tmp_path / "a") as archive:
        old = archive.read("a/data.pkl")
    assert old.count(b"uint16") == 1
    repacked(
        tmp_path / "a",
        lambda name, data: data.replace(b"uint16", b"int16") if name.endswith(".pkl") else data,
    )
    assert read_archive(tmp_path / "a")["no"].load().tolist() == [1, 1]


def test_aliases_share_their_numbers_and_are_equal_without_being_read(tmp_path):
    value = {"a": VALUES, "b": VALUES, "c": VALUES.clone(), "d": VALUES[1:], "e": -VALUES}
    path = save(tmp_path / "a", value)
    got = read_archive(path)
    assert got["a"].equals(got["b"])
    assert got["a"].equals(got["c"])
    assert not got["a"].equals(got["d"])
    assert not got["a"].equals(got["e"])
    np.testing.assert_array_equal(got["d"].load(), VALUES[1:])
    nan = read_archive(save(tmp_path / "n", [torch.full((2,), torch.nan) for _ in range(2)]))
    assert nan[0].equals(nan[1])
    # With the numbers damaged, `a` still equals `b`, because nothing of them is read.
    path.write_bytes(path.read_bytes().replace(VALUES.numpy().tobytes()[:64], bytes(64)))
    got = read_archive(path)
    assert got["a"].equals(got["b"])
    with pytest.raises(PickleError, match="checksum"):
        got["a"].equals(got["c"])


def test_numbers_are_views_of_the_file(tmp_path):
    got = read_archive(save(tmp_path / "a", {"a": VALUES}))["a"].load()
    assert not got.flags.owndata
    assert not got.flags.writeable


def test_unwanted_tensors_are_not_touched(tmp_path):
    path = save(tmp_path / "a", {"state_dict": {"a": torch.ones(4)}, "optimizer": VALUES})
    repacked(path, lambda name, data: b"" if len(data) == VALUES.nbytes else data)
    got = read_archive(path)
    assert got["state_dict"]["a"].load().tolist() == [1, 1, 1, 1]
    with pytest.raises(PickleError, match="announces 840 bytes and has 0"):
        got["optimizer"].load()


def test_compressed_members_are_read(tmp_path):
    path = repacked(save(tmp_path / "a", {"a": VALUES}), lambda _, data: data, zipfile.ZIP_DEFLATED)
    np.testing.assert_array_equal(read_archive(path)["a"].load(), VALUES)


def test_storages_that_are_not_aligned_are_read(tmp_path):
    # torch aligns them, other writers of zip files do not.
    for pad in range(8):
        path = repacked(
            save(tmp_path / ("a" * (pad + 1)), {"a": VALUES.float()}), lambda _, data: data
        )
        np.testing.assert_array_equal(read_archive(path)["a"].load(), VALUES.float())


def test_torch_is_not_imported(tmp_path):
    path = save(tmp_path / "a", {"a": VALUES})
    code = (
        "import sys; from pathlib import Path\n"
        "from signgen.files.foreign.torch_archive import read_archive\n"
        f"assert read_archive(Path({str(path)!r}))['a'].load().shape == (7, 5, 3)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


# ----- broken files -------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        loaded(read_archive(path), path)
    text = str(caught.value)
    assert text.startswith(str(path)), text
    assert text.isprintable()
    assert len(text) < 500
    assert caught.value.code == ExitCode.DATA
    return text


def loaded(value: object, path: Path) -> None:
    try:
        for tensor in value.values() if isinstance(value, dict) else ():
            if isinstance(tensor, StoredTensor):
                tensor.load()
    except PickleError as error:
        raise UserError(f"{path} {error}") from None


def test_every_truncation_is_noticed(tmp_path):
    data = save(tmp_path / "a", {"a": torch.ones(5), "b": VALUES[:1].clone()}).read_bytes()
    for length in range(1, len(data), 37):
        (tmp_path / "a").write_bytes(data[:length])
        refused(tmp_path / "a")


def test_flipped_bytes_never_crash(tmp_path):
    data = save(tmp_path / "a", {"a": torch.ones(5), "b": VALUES[:1].clone()}).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            changed[place] ^= int(rng.integers(1, 256))
        (tmp_path / "a").write_bytes(changed)
        with contextlib.suppress(UserError):
            loaded(read_archive(tmp_path / "a"), tmp_path / "a")


def test_damaged_numbers_are_noticed(tmp_path):
    path = save(tmp_path / "a", {"a": torch.ones(5)})
    data = path.read_bytes()
    path.write_bytes(data.replace(torch.ones(5).numpy().tobytes(), b"\x01" * 20))
    assert "checksum" in refused(path)


def test_other_files_are_named(tmp_path):
    path = tmp_path / "a"
    torch.save({"a": VALUES}, path, _use_new_zipfile_serialization=False)
    assert "is not a zip archive" in refused(path)
    path.write_bytes(b"\n<!DOCTYPE html><html><title>Quota exceeded</title></html>")
    assert "is a web page; expected a checkpoint." in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")
    assert "0 members data.pkl in place of one" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02N.")
        archive.writestr("b/data.pkl", b"\x80\x02N.")
    assert "2 members data.pkl" in refused(path)
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_archive(tmp_path / "none")
    assert caught.value.code == ExitCode.NO_INPUT


def test_byte_order_is_checked(tmp_path):
    path = save(tmp_path / "a", {"a": VALUES})
    repacked(path, lambda name, data: b"big" if name.endswith("byteorder") else data)
    assert "big-endian" in refused(path)
    repacked(path, lambda name, data: None if name.endswith("byteorder") else data)
    np.testing.assert_array_equal(read_archive(path)["a"].load(), VALUES)


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


@pytest.mark.parametrize("name", CHANGES)
def test_wrong_descriptions_are_refused(name, tmp_path):
    path = save(tmp_path / "a", {"a": torch.ones(5)})
    before = path.read_bytes()
    repacked(path, CHANGES[name])
    assert path.read_bytes() != before
    refused(path)


def test_members_of_one_name_are_refused(tmp_path):
    path = save(tmp_path / "a", {"a": torch.ones(5)})
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/data/0", bytes(20))
    assert "two members of one name" in refused(path)


def test_a_few_bytes_do_not_become_gigabytes(tmp_path):
    got = read_archive(save(tmp_path / "a", {"a": torch.ones(1).expand(2**15, 2**15)}))["a"]
    with pytest.raises(PickleError, match="repeats the 4 bytes of its storage"):
        got.load()


def test_bombs_are_refused(tmp_path):
    path = save(tmp_path / "a", {"a": torch.ones(5)})
    zeros = bytes(80 * 2**20)
    repacked(
        path, lambda name, data: zeros if name.endswith(".pkl") else data, zipfile.ZIP_DEFLATED
    )
    assert "pickle of 83886080 bytes" in refused(path)
    save(path, {"a": torch.zeros(3 * 2**18)})
    repacked(path, lambda _, data: data, zipfile.ZIP_DEFLATED)
    assert "expands from" in refused(path)
    # A list of members that would fill the memory.
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a/data.pkl", b"N.")
    end = data.getvalue().rfind(b"PK\x05\x06")
    broken = bytearray(data.getvalue())
    filler = bytes(17 * 2**20)
    broken[end + 12 : end + 16] = len(filler).to_bytes(4, "little")
    path.write_bytes(bytes(broken[:end]) + filler + bytes(broken[end:]))
    assert "list of members" in refused(path)
