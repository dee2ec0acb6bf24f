"""Published weights: where they are looked for, and what is refused. Damage: test_hrnet_weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.networks import (
    ALEXNET_WEIGHTS,
    FIDELITY_WEIGHTS,
    TORCHVISION_WEIGHTS,
)
from signgen.files.published_weights import (
    Published,
    check_names,
    find_weights,
    how_to_get,
    read_weights,
)

FILE = Published("net-0a1b2c3d.pth", "https://example.org/files", "--net-weights")
STATE = {"layer.weight": torch.arange(6.0).view(2, 3), "layer.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    ("published", "digest"),
    [
        (FILE, "0a1b2c3d"),
        (ALEXNET_WEIGHTS, "7be5be79"),
        (TORCHVISION_WEIGHTS, "0cc3c7bd"),
        (FIDELITY_WEIGHTS, "6726825d"),
    ],
)
def test_names_hold_the_start_of_the_checksum(published: Published, digest: str) -> None:
    assert published.digest == digest
    assert published.address == f"{published.folder}/{published.file}"
    assert published.address in how_to_get(published)


def test_the_command_puts_the_file_where_it_is_found(no_caches: Path) -> None:
    with pytest.raises(UserError, match="not on this machine") as caught:
        find_weights(None, FILE)
    assert caught.value.code == ExitCode.NO_INPUT
    target = Path(how_to_get(FILE).split('"')[1])
    target.parent.mkdir(parents=True)
    target.touch()
    assert find_weights(None, FILE) == target
    assert no_caches in target.parents


def test_a_named_file_is_not_replaced_by_another(no_caches: Path) -> None:
    with pytest.raises(UserError, match=r"named\.pth: no such file of weights"):
        find_weights(no_caches / "named.pth", FILE)


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_weights_come_with_their_checksum(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_file(STATE, path) if path.suffix == ".safetensors" else torch.save(STATE, path)
    weights = read_weights(path, [FILE], "a test")
    assert weights.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert weights.state.keys() == STATE.keys()
    check_names(weights, STATE, "the network", "nobody")
    with pytest.raises(UserError, match=r"layer\.bias is unexpected .* that nobody publishes"):
        check_names(weights, {"layer.weight": STATE["layer.weight"]}, "the network", "nobody")


def test_a_file_with_a_published_name_must_be_that_file(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / FILE.file)
    with pytest.raises(UserError, match="expected 0a1b2c3d") as caught:
        read_weights(tmp_path / FILE.file, [FILE], "a test")
    assert "\n" not in str(caught.value)


def test_files_with_more_than_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": print}, tmp_path / "code.pth")
    with pytest.raises(UserError, match="print beside tensors"):
        read_weights(tmp_path / "code.pth", [], "a test")
    torch.save({"layer.weight": torch.tensor([float("nan")])}, tmp_path / "nan.pth")
    with pytest.raises(UserError, match="NaN"):
        read_weights(tmp_path / "nan.pth", [], "a test")


@pytest.mark.parametrize("name", ["TORCH_HOME", "XDG_CACHE_HOME", ""])
def test_torch_s_cache_is_where_torch_looks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    if name:
        monkeypatch.setenv(name, "~/some/cache")
    assert f'"{torch.hub.get_dir()}/checkpoints/{FILE.file}"' in how_to_get(FILE)
