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

from signgen.errors import ExitCode, UserError
from signgen.files.published_weights import Published, check_names
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


def one_line(action: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ----- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [TINY, TINY_HAND])
def test_old_names_become_new_ones_and_new_ones_stay(size: HRNetSize) -> None:
    state = state_of(size)
    old = old_names(state)
    assert "keypoint_head.final_layer.3.weight" in old or size is TINY
    for given in (state, old):
        renamed = published_names(given)
        assert renamed.keys() == state.keys()
        assert all(torch.equal(renamed[name], state[name]) for name in state)


def test_counters_of_batches_may_be_absent() -> None:
    state = state_of()
    kept = {name: value for name, value in state.items() if "num_batches" not in name}
    assert published_names(kept).keys() == state.keys()


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
        zipped = layout != "legacy"
        torch.save(
            {"meta": {"epoch": 210, "config": "x"}, "state_dict": inner},
            path,
            _use_new_zipfile_serialization=zipped,
        )
    weights = read_weights(path)
    check_names(weights, HeatmapNetwork(TINY_HAND).state_dict(), "tiny", "MMPose")
    for name, value in state.items():
        torch.testing.assert_close(weights.state[name].to(value.dtype), value, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.pop("head.final_layer.bias"), "head.final_layer.bias is missing"),
        (lambda s: s.update(extra=torch.zeros(1)), "extra is unexpected"),
        (
            lambda s: s.update({"backbone.conv1.weight": torch.zeros(9, 3, 3, 3)}),
            "backbone.conv1.weight has shape (9, 3, 3, 3) and not (8, 3, 3, 3)",
        ),
    ],
)
def test_other_names_and_shapes_are_one_line(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], named: str
) -> None:
    state = state_of()
    change(state)
    torch.save(state, tmp_path / "w.pth")
    weights = read_weights(tmp_path / "w.pth")
    message = one_line(lambda: check_names(weights, state_of(), "the tiny network", "MMPose"))
    assert message.startswith(f"{tmp_path / 'w.pth'}: not weights of the tiny network")
    assert named in message


# ----- files that do not fit ----------------------------------------------------------------------


class Evil:
    """Calls a function with arguments when unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call

    def __call__(self) -> None:
        """Only there because pickle asks whether what it should call can be called."""


def evil_objects(mark: Path) -> dict[str, object]:
    nested = io.BytesIO()
    torch.save(Evil(os.mkdir, str(mark)), nested)
    code = f"__import__('os').mkdir({str(mark)!r})"
    return {
        "mkdir": Evil(os.mkdir, str(mark)),
        "eval": Evil(builtins.eval, code),
        "exec": Evil(builtins.exec, code),
        "nested": Evil(torch.storage._load_from_bytes, nested.getvalue()),
        "system": Evil(os.system, f"mkdir {mark}"),
        # Of names that are read as `_Ignored` alone.
        "getattr": Evil(Evil(builtins.getattr, np.ndarray, "tofile"), np.arange(3), str(mark)),
        "numpy": Evil(np.load, str(mark)),
    }


@pytest.mark.parametrize("kind", ["mkdir", "eval", "exec", "nested", "system", "getattr", "numpy"])
@pytest.mark.parametrize("place", ["state_dict", "meta", "plain pickle"])
def test_file_with_code_is_refused_and_not_run(tmp_path: Path, kind: str, place: str) -> None:
    mark = tmp_path / "executed"
    path = tmp_path / "evil.pth"
    evil = evil_objects(mark)[kind]
    if place == "plain pickle":
        path.write_bytes(pickle.dumps({"state_dict": evil}, protocol=2))
    else:
        torch.save({"state_dict": state_of(), "meta": {}} | {place: evil}, path)
    message = one_line(lambda: read_weights(path))
    assert message.startswith(f"{path}: ")
    assert not mark.exists()


def test_refused_file_says_what_to_take_instead(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"state_dict": state_of(), "log": Path("x")}, path)
    message = one_line(lambda: read_weights(path))
    assert "names pathlib" in message
    assert "can run code" in message
    assert "a file of tensors alone" in message


def test_numbers_of_numpy_beside_the_weights_are_ignored(tmp_path: Path) -> None:
    meta = {"sigmas": np.arange(3.0), "iter": np.int64(3), "loss": np.float32(0.5)}
    torch.save({"state_dict": state_of(), "meta": meta}, tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.pth").state.keys() == state_of().keys()


def test_numbers_of_numpy_among_the_weights_are_refused(tmp_path: Path) -> None:
    state = state_of() | {"head.final_layer.bias": np.zeros(5)}
    torch.save(state, tmp_path / "w.pth")
    assert "'head.final_layer.bias' is no tensor" in one_line(
        lambda: read_weights(tmp_path / "w.pth")
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    state = state_of()
    state["backbone.conv2.weight"][0, 0, 0, 0] = value
    torch.save(state, tmp_path / "w.pth")
    assert "backbone.conv2.weight holds NaN" in one_line(lambda: read_weights(tmp_path / "w.pth"))


@pytest.mark.parametrize("document", [[1, 2], {}, {"state_dict": {}}, torch.zeros(3)])
def test_file_without_weights_is_refused(tmp_path: Path, document: object) -> None:
    torch.save(document, tmp_path / "w.pth")
    assert "holds no weights" in one_line(lambda: read_weights(tmp_path / "w.pth"))


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


# ----- where they are -----------------------------------------------------------------------------


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.mark.parametrize("published", [WHOLE_BODY_WEIGHTS, HAND_WEIGHTS])
def test_missing_weights_say_which_file_and_how_to_get_it(
    caches: Path, published: Published
) -> None:
    with pytest.raises(UserError) as caught:
        find_weights(None, published)
    message = str(caught.value)
    assert caught.value.code == ExitCode.NO_INPUT
    assert "\n" not in message
    assert message.startswith(f"{published.file}: ")
    assert published.address.startswith("https://download.openmmlab.com/mmpose/")
    assert f" {published.address} " in message
    assert str(caches / "torch" / "hub" / "checkpoints") in message
    assert published.flag in message


def test_weights_are_found_in_the_caches(caches: Path) -> None:
    file = WHOLE_BODY_WEIGHTS.file
    snapshot = caches / "hub" / "models--someone--hrnet" / "snapshots" / "abc" / file
    snapshot.parent.mkdir(parents=True)
    snapshot.touch()
    assert find_weights(None, WHOLE_BODY_WEIGHTS) == snapshot
    checkpoint = caches / "torch" / "hub" / "checkpoints" / file
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    assert find_weights(None, WHOLE_BODY_WEIGHTS) == checkpoint


def test_named_file_must_exist(caches: Path) -> None:
    message = one_line(lambda: find_weights(caches / "no.pth", HAND_WEIGHTS))
    assert message.startswith(f"{caches / 'no.pth'}: ")
    assert HAND_WEIGHTS.address in message


def test_unreadable_file_is_one_line(tmp_path: Path) -> None:
    assert "is a folder; expected a file of weights" in one_line(lambda: read_weights(tmp_path))


def test_published_file_must_have_its_published_checksum(tmp_path: Path) -> None:
    path = tmp_path / HAND_WEIGHTS.file
    torch.save(state_of(), path)
    assert "expected a9228c9c" in one_line(lambda: read_weights(path))
