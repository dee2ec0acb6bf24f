"""Files of HRNet's weights: every layout, names of old and new, and what is refused unrun."""

import builtins
import io
import os
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from signgen.errors import UserError
from signgen.files.published_weights import check_names
from signgen.pose.estimators.hrnet.network import HeatmapNetwork, HRNetSize
from signgen.pose.estimators.hrnet.weights import (
    HAND_WEIGHTS,
    WHOLE_BODY_WEIGHTS,
    find_weights,
    published_names,
    read_weights,
)
from tests.material.hrnet_weights import draw_weights

TINY = HRNetSize("tiny", 4, 5, (64, 64), all_branches=False, modules=(1, 1, 1), blocks=1, stem=8)
TINY_HAND = replace(TINY, all_branches=True)


def state_of(size: HRNetSize = TINY) -> dict[str, Tensor]:
    return draw_weights(HeatmapNetwork(size), 0)


def old_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name tensors as MMPose 0.x does."""
    mixing = [int(m[1]) for name in state if (m := re.match(r"head\.conv_layers\.(\d+)", name))]
    last = f"{max(mixing) + 2}." if mixing else ""  # after the ReLU, which has no tensors
    return {
        re.sub(
            r"^head\.(conv_layers\.|final_layer\.)",
            lambda m: "keypoint_head.final_layer." + (last if m[1] == "final_layer." else ""),
            name,
        ): value
        for name, value in state.items()
    }


def refusal(action: Callable[[], object], file: Path) -> str:
    with pytest.raises(UserError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(file))
    return message


@pytest.mark.parametrize("size", [TINY, TINY_HAND])
def test_old_names_become_new_ones_and_new_ones_stay(size: HRNetSize) -> None:
    state = state_of(size)
    old = old_names(state)
    assert "keypoint_head.final_layer.3.weight" in old or size is TINY
    without_counters = {name: value for name, value in old.items() if "num_batches" not in name}
    for given in (state, old, without_counters):
        renamed = published_names(given)
        assert renamed.keys() == state.keys()
        assert all(torch.equal(renamed[name], state[name]) for name in state)


@pytest.mark.parametrize("layout", ["plain", "checkpoint", "old", "legacy", "safetensors", "half"])
def test_every_layout_is_read_and_every_name_accounted_for(tmp_path: Path, layout: str) -> None:
    state = state_of(TINY_HAND)
    path = tmp_path / ("w.safetensors" if layout == "safetensors" else "w.pth")
    if layout == "safetensors":
        save_file(state, path)
    elif layout == "plain":
        torch.save(state, path)
    elif layout == "half":
        torch.save({name: value.half() for name, value in state.items()}, path)
    else:
        inner = old_names(state) if layout != "checkpoint" else state
        # Numbers of numpy beside the weights are ignored.
        meta = {"epoch": 210, "sigmas": np.arange(3.0), "iter": np.int64(3), "l": np.float32(0.5)}
        document = {"meta": meta, "state_dict": inner}
        torch.save(document, path, _use_new_zipfile_serialization=layout != "legacy")
    weights = read_weights(path)
    check_names(weights, HeatmapNetwork(TINY_HAND).state_dict(), "tiny", "MMPose")
    for name, value in state.items():
        torch.testing.assert_close(weights.state[name].to(value.dtype), value, atol=1e-3, rtol=1e-3)


# ----- files that do not fit ----------------------------------------------------------------------


def test_other_names_and_shapes_are_one_line(tmp_path: Path) -> None:
    shape = {"backbone.conv1.weight": torch.zeros(9, 3, 3, 3)}
    for change, named in (
        (lambda s: s.pop("head.final_layer.bias"), "head.final_layer.bias is missing"),
        (lambda s: s.update(extra=torch.zeros(1)), "extra is unexpected"),
        (
            lambda s: s.update(shape),
            "backbone.conv1.weight has shape (9, 3, 3, 3) and not (8, 3, 3, 3)",
        ),
    ):
        state, path = state_of(), tmp_path / "w.pth"
        change(state)
        torch.save(state, path)
        weights = read_weights(path)
        message = refusal(
            lambda weights=weights: check_names(weights, state_of(), "the network", "MMPose"), path
        )
        assert f": not weights of the network: {named}" in message


def test_files_without_sound_weights_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    bad = state_of()
    bad["backbone.conv2.weight"][0, 0, 0, 0] = float("nan")
    numpy = state_of() | {"head.final_layer.bias": np.zeros(5)}
    for document, message in (
        *((empty, "holds no weights") for empty in ([1, 2], {}, {"state_dict": {}})),
        (torch.zeros(3), "holds no weights"),
        (bad, "backbone.conv2.weight holds NaN"),
        (numpy, "'head.final_layer.bias' is no tensor"),
        ({"state_dict": state_of(), "log": Path("x")}, "names pathlib"),
    ):
        torch.save(document, path)
        assert message in refusal(lambda: read_weights(path), path)
    assert "can run code. Take a published checkpoint" in refusal(lambda: read_weights(path), path)
    assert "is a folder; expected a file of weights" in refusal(
        lambda: read_weights(tmp_path), tmp_path
    )


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_are_one_line_or_still_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save(state_of(), path)
    else:
        save_file(state_of(), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    messages = []
    for trial in range(60):
        data = bytearray(whole[: rng.integers(1, len(whole))] if trial % 3 == 0 else whole)
        for place in rng.integers(0, min(len(data), 4000), 8):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            read_weights(path)
        except UserError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert not [message for message in messages if "\n" in message]


class Evil:
    """Calls a function with arguments when unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call

    def __call__(self) -> None:
        """Only there because pickle asks whether what it should call can be called."""


def test_files_with_code_are_refused_and_not_run(tmp_path: Path) -> None:
    mark, path = tmp_path / "executed", tmp_path / "evil.pth"
    nested = io.BytesIO()
    torch.save(Evil(os.mkdir, str(mark)), nested)
    code = f"__import__('os').mkdir({str(mark)!r})"
    for evil in (
        Evil(os.mkdir, str(mark)),
        Evil(builtins.eval, code),
        Evil(builtins.exec, code),
        Evil(torch.storage._load_from_bytes, nested.getvalue()),
        Evil(os.system, f"mkdir {mark}"),
        # Of names that are read as `_Ignored` alone.
        Evil(Evil(builtins.getattr, np.ndarray, "tofile"), np.arange(3), str(mark)),
        Evil(np.load, str(mark)),
    ):
        for place in ("state_dict", "meta"):
            torch.save({"state_dict": state_of(), "meta": {}} | {place: evil}, path)
            refusal(lambda: read_weights(path), path)
            assert not mark.exists()
        path.write_bytes(pickle.dumps({"state_dict": evil}, protocol=2))
        refusal(lambda: read_weights(path), path)
        assert not mark.exists()


# ----- where they are -----------------------------------------------------------------------------


def test_weights_are_found_in_the_caches(no_caches: Path) -> None:
    for published in (WHOLE_BODY_WEIGHTS, HAND_WEIGHTS):
        with pytest.raises(UserError) as caught:
            find_weights(None, published)
        message = str(caught.value)
        assert message.startswith(f"{published.file}: ")
        assert f" {published.address} " in message
        assert published.address.startswith("https://download.openmmlab.com/mmpose/")
        assert published.flag in message
        snapshot = no_caches / "hub" / "models--a--hrnet" / "snapshots" / "abc" / published.file
        checkpoint = no_caches / "torch" / "hub" / "checkpoints" / published.file
        for path in (snapshot, checkpoint):  # torch's own goes first
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            assert find_weights(None, published) == path
