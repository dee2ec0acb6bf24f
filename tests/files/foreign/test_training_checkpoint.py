"""Checkpoints of training runs: tensors by name, and settings of any kind as plain values."""

import argparse
import json
import pickle
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import pytest
import torch

from signgen.errors import UserError
from signgen.files.foreign.pickle_values import Described, Global, PickleError
from signgen.files.foreign.training_checkpoint import plain_values, read_checkpoint
from tests.material.training_containers import omegaconf, save_container

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


@pytest.mark.parametrize("value", [STATE, {"state_dict": STATE}], ids=["plain", "state_dict"])
def test_plain_files_of_torch(value, tmp_path):
    torch.save(value, tmp_path / "a")
    checkpoint = read_checkpoint(tmp_path / "a")
    assert list(checkpoint.state) == list(STATE)
    assert not checkpoint.settings
    assert checkpoint.epoch is None


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
    node = Described(Global("omegaconf.dictconfig", "DictConfig"))
    node.set_state({"_content": {"a": node}})
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


def test_the_stand_in_leaves_no_modules_behind():
    import sys

    with omegaconf():
        assert "omegaconf.nodes" in sys.modules
    assert "omegaconf.nodes" not in sys.modules
