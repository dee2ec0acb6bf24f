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
from signgen.files.foreign import pickles
from signgen.files.foreign.arrays import Array, read_arrays
from signgen.files.foreign.pickles import MAX_GZIP_RATIO
from signgen.files.foreign.unpickling import PickleError
from signgen.pose.formats import read_clips
from tests.material.tensors import ARRAYS, FLOATS, TENSOR, TENSORS

PROTOCOLS = (2, 3, 4, 5)


def read(path: Path, data: bytes) -> object:
    path.write_bytes(data)
    return read_arrays(path, 2**20, "numbers")[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_and_tensors_come_back(protocol, tmp_path):
    written = {**ARRAYS, **{f"tensor {name}": value for name, value in TENSORS.items()}}
    got = read(tmp_path / "a", pickle.dumps(written, protocol=protocol))
    for name, value in written.items():
        expected = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        assert got[name].load().dtype == expected.dtype, name
        np.testing.assert_array_equal(got[name].load(), expected, err_msg=name)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back(protocol, tmp_path):
    values = {
        "texts": ["", "äöü \U0001f91f", "x" * 300, "lone \ud800"],
        "numbers": (0, 255, 256, 65536, -1, 2**40, -(2**70), 1.5, True, False, None),
        "nested": {"a": {"b": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]}},
        "ordered": collections.OrderedDict(a=1, b=2),
        "bytes": b"\0\xff short" if protocol > 2 else b"",
    }
    got = read(tmp_path / "a", pickle.dumps(values, protocol=protocol))
    if protocol == 2:
        values["bytes"] = got["bytes"]  # a call that nobody needs
    assert got == values


def test_names_of_numpy_1_and_strings_of_python_2(tmp_path):
    data = pickle.dumps({"a": FLOATS}, protocol=2)
    assert data.count(b"numpy._core") == 1
    old = data.replace(b"numpy._core", b"numpy.core")
    np.testing.assert_array_equal(read(tmp_path / "a", old)["a"].load(), FLOATS)
    small = np.array([1.5, -2.5], "f4")
    head, _, tail = pickle.dumps({"a": small}, protocol=3).partition(b"C\x08" + small.tobytes())
    for string in (b"U\x08", b"T\x08\0\0\0"):
        got = read(tmp_path / "a", head + string + small.tobytes() + tail)
        np.testing.assert_array_equal(got["a"].load(), small)


def test_arrays_are_not_loaded_with_the_file(tmp_path):
    path = tmp_path / "a"
    for value in (FLOATS, TENSOR):
        array = read(path, pickle.dumps({"a": value}))["a"]
        assert isinstance(array, Array)
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(PickleError):
            array.load()


def test_every_truncation_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "_ends", lambda *_: True)  # hundreds of processes
    data = pickle.dumps({"a": torch.ones(2, 3), "b": FLOATS[:1, :15]})
    for length in range(2, len(data)):
        with pytest.raises(UserError):
            read(tmp_path / "a", data[:length])


def test_torch_is_not_imported(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(pickle.dumps({"train/a": {"keypoint": TENSOR.float()}}))
    code = (
        "import sys; from pathlib import Path; from signgen.pose.formats import read_poses\n"
        f"assert len(read_poses(Path({str(path)!r}))) == 7\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_gzip_may_expand_as_far_as_numbers_do(tmp_path):
    path = tmp_path / "clips.pkl"
    data = gzip.compress(pickle.dumps({"train/a": np.repeat(FLOATS, 50, axis=0)}))
    path.write_bytes(data)
    assert len(read_clips(path)["train/a"]) == 350
    assert MAX_GZIP_RATIO == 200
