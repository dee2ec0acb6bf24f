"""Pickles of numbers come back as they were written, without torch."""

import collections
import gzip
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.errors import UserError
from signgen.files.foreign.byte_source import MAX_GZIP_RATIO, ByteSource
from signgen.files.foreign.pickle_rules import Rules
from signgen.files.foreign.pickle_values import Array, Blob, PickleError
from signgen.files.foreign.restricted_pickle import NUMBERS, read_pickle
from signgen.pose.formats import read_clips

PROTOCOLS = (2, 3, 4, 5)
RULES = Rules(calls=NUMBERS, purpose="files of numbers")


def read(path: Path, data: bytes) -> object:
    path.write_bytes(data)
    return read_pickle(ByteSource(path), RULES)


RNG = np.random.default_rng(0)
FLOATS = RNG.normal(size=(7, 133, 3))
TENSOR = torch.from_numpy(FLOATS)
ARRAYS = {
    "float64": FLOATS,
    "float32": FLOATS.astype("f4"),
    "float16": FLOATS.astype("f2"),
    "int64": np.arange(12).reshape(3, 4),
    "uint8": np.arange(12, dtype="u1"),
    "big-endian": np.arange(5, dtype=">f4"),
    "Fortran": np.asfortranarray(FLOATS[0]),
    "strided": FLOATS[::2, ::3],
    "transposed": FLOATS.transpose(1, 2, 0),
    "bool": np.array([True, False]),
    "empty": np.zeros((0, 133, 3), "f4"),
    "small": np.array([1.5], "f4"),
}
TENSORS = {
    "float64": TENSOR,
    "float32": TENSOR.float(),
    "float16": TENSOR.half(),
    "int64": torch.arange(12).view(3, 4),
    "int32": torch.arange(12, dtype=torch.int32),
    "int16": torch.arange(12, dtype=torch.int16),
    "int8": torch.arange(12, dtype=torch.int8),
    "uint8": torch.arange(12, dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "permuted": TENSOR.permute(2, 0, 1),
    "strided": TENSOR[::2, ::3],
    "slice of a shared storage": TENSOR[3:5],
    "expanded": torch.arange(3.0).expand(4, 3),
    "one number": torch.tensor(2.5),
    "empty": torch.zeros(0, 133, 3),
    "gradient": torch.ones(3, requires_grad=True),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back(name, protocol, tmp_path):
    written = ARRAYS[name]
    got = read(tmp_path / "a", pickle.dumps({"a": written}, protocol=protocol))["a"].load()
    assert got.dtype == written.dtype
    np.testing.assert_array_equal(got, written)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", TENSORS)
def test_tensors_come_back(name, protocol, tmp_path):
    written = TENSORS[name].detach().numpy()
    got = read(tmp_path / "a", pickle.dumps([TENSORS[name]], protocol=protocol))[0].load()
    assert got.size == 0 or got.dtype == written.dtype
    np.testing.assert_array_equal(got, written)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back(protocol, tmp_path):
    values = {
        "texts": ["", "äöü \U0001f91f", "x" * 300, "lone \ud800"],
        "numbers": (0, 255, 256, 65536, -1, 2**40, -(2**70), 1.5, True, False, None),
        "nested": {"a": {"b": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]}},
        "ordered": collections.OrderedDict(a=1, b=2),
        "scalars": [np.float32(2.5), np.int64(3)],
        "bytes": b"\0\xff short",
    }
    assert read(tmp_path / "a", pickle.dumps(values, protocol=protocol)) == values


def test_names_of_numpy_1(tmp_path):
    data = pickle.dumps({"a": FLOATS}, protocol=2)
    assert data.count(b"numpy._core") == 1
    old = data.replace(b"numpy._core", b"numpy.core")
    np.testing.assert_array_equal(read(tmp_path / "a", old)["a"].load(), FLOATS)


def test_strings_of_python_2(tmp_path):
    data = b"\x80\x02}(U\x01aU\x02\xff\x00u."
    assert read(tmp_path / "a", data) == {"a": b"\xff\0"}


def test_large_strings_stay_in_the_file(tmp_path):
    value = read(tmp_path / "a", pickle.dumps({"a": b"x" * 5000, "t": "y" * 5000}))
    assert isinstance(value["a"], Blob)
    assert value["a"].load() == b"x" * 5000
    with pytest.raises(PickleError, match="a text in the place"):
        value["t"].load()


def test_arrays_are_not_loaded_with_the_file(tmp_path):
    path = tmp_path / "a"
    array = read(path, pickle.dumps({"a": FLOATS}))["a"]
    assert isinstance(array, Array)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(PickleError, match="truncated"):
        array.load()


def test_every_truncation_is_noticed(tmp_path):
    data = pickle.dumps({"a": torch.ones(2, 3), "b": FLOATS[:1]})
    for length in range(2, len(data)):
        with pytest.raises(UserError):
            read(tmp_path / "a", data[:length])


def test_torch_is_not_imported(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(pickle.dumps({"train/a": {"keypoint": TENSOR.float()}}))
    code = (
        "import sys; from pathlib import Path; from signgen.pose.formats import read_poses\n"
        "from signgen.files.foreign import pickle_machine\n"
        f"assert len(read_poses(Path({str(path)!r}))) == 7\n"
        "assert 'torch' not in sys.modules and 'pickle' not in pickle_machine.__dict__"
    )
    # numpy imports pickle for itself; ours must not.
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_gzip_may_expand_as_far_as_numbers_do(tmp_path):
    path = tmp_path / "clips.pkl"
    data = gzip.compress(pickle.dumps({"train/a": np.repeat(FLOATS, 50, axis=0)}))
    path.write_bytes(data)
    assert len(read_clips(path)["train/a"]) == 350
    assert MAX_GZIP_RATIO == 200
