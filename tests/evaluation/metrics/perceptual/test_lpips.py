"""LPIPS against a slow restatement and torchmetrics; its protocols and its weights."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from signgen.errors import UserError
from signgen.evaluation.metrics.networks import ALEXNET_WEIGHTS, published_file
from signgen.evaluation.metrics.perceptual.lpips import (
    lpips,
    lpips_extractor,
    lpips_metric,
    open_lpips,
)
from signgen.evaluation.metrics.perceptual.network import LPIPSNetwork, load_heads
from tests.material.scoring import measured

RNG = np.random.default_rng(3)
SIZE = (65, 52)


@pytest.fixture(scope="module")
def network() -> LPIPSNetwork:
    """A trunk with drawn weights and the published heads."""
    torch.manual_seed(0)
    network = LPIPSNetwork()
    load_heads(network)
    return network


def frames(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, *SIZE, 3), np.uint8)


def trunk_file(network: LPIPSNetwork, path: Path) -> Path:
    """Save the trunk as torchvision does, with a layer of the classifier, which LPIPS lacks."""
    state = {f"features.{name}": value for name, value in network.features.state_dict().items()}
    state["classifier.1.weight"] = torch.zeros(4, 4)
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return path


def slow_lpips(network: LPIPSNetwork, one: np.ndarray, other: np.ndarray) -> float:
    """Zhang et al. 2018, Eq. 1, pixel by pixel in float64, for pictures in [-1, 1]."""
    trunk = copy.deepcopy(network.features).double()
    mean, deviation = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    pictures = [
        torch.from_numpy((picture - mean) / deviation).permute(2, 0, 1)[None]
        for picture in (one, other)
    ]
    distance, stage = 0.0, 0
    for layer in trunk:
        pictures = [layer(picture) for picture in pictures]
        if not isinstance(layer, torch.nn.ReLU):
            continue
        weights = network.heads[stage].double().flatten().numpy()
        maps = [picture[0].numpy() for picture in pictures]
        _, rows, columns = maps[0].shape
        total = 0.0
        for row in range(rows):
            for column in range(columns):
                a, b = (values[:, row, column] for values in maps)
                a, b = a / (np.sqrt((a**2).sum()) + 1e-10), b / (np.sqrt((b**2).sum()) + 1e-10)
                total += float((weights * (a - b) ** 2).sum())
        distance += total / (rows * columns)
        stage += 1
    assert stage == 5
    return distance


@pytest.mark.parametrize("normalize", [True, False])
def test_lpips_equals_the_slow_reference(network: LPIPSNetwork, normalize: bool) -> None:
    generated, reference = frames(2), frames(2)
    values = lpips(generated, reference, lpips_extractor(network, normalize=normalize))
    for value, one, other in zip(values, generated, reference, strict=True):
        pair = [x / 127.5 - 1 if normalize else x / 255 for x in (one, other)]
        assert value == pytest.approx(slow_lpips(network, *pair), abs=1e-6)
        assert value > 0.01


def test_lpips_equals_torchmetrics_with_the_same_trunk(
    network: LPIPSNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = pytest.importorskip("torchmetrics.functional.image.lpips")
    trunk = copy.deepcopy(network.features)  # otherwise torchvision's, which need not be there
    monkeypatch.setattr(module, "_get_tv_model_features", lambda net, pretrained: trunk)
    theirs = module._LPIPS(net="alex", pnet_rand=True)
    generated, reference = frames(3), frames(3)
    pair = [torch.from_numpy(x / 255).permute(0, 3, 1, 2).float() for x in (generated, reference)]
    expected = theirs(*pair, normalize=True).flatten().numpy()
    found = lpips(generated, reference, lpips_extractor(network))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_last_incomplete_batch_can_be_left_out(network: LPIPSNetwork) -> None:
    generated, reference = frames(5), frames(5)
    extractor = lpips_extractor(network)
    clips = {"a": (generated[:3], reference[:3]), "b": (generated[3:], reference[3:])}
    score, _ = measured(lpips_metric(extractor, full_batches=2), clips, size=2)
    assert (score.n, score.counts, score.details["dropped"]) == (4, {"a": 3, "b": 1}, 1)
    assert score.value == pytest.approx(lpips(generated[:4], reference[:4], extractor).mean())
    assert "batches:full-2" in score.signature
    assert measured(lpips_metric(extractor), clips)[0].n == 5


@pytest.mark.parametrize("name", ["alexnet.pth", "alexnet.safetensors"])
def test_weights_are_read_from_a_named_file(
    network: LPIPSNetwork, tmp_path: Path, name: str
) -> None:
    pair = frames(2), frames(2)
    extractor = open_lpips(trunk_file(network, tmp_path / name))
    expected = lpips(*pair, lpips_extractor(network))
    np.testing.assert_array_equal(lpips(*pair, extractor), expected)
    digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert extractor.signature == f"net:alex-v0.1,weights:{digest[:8]},range:-1..1"


def test_wrong_files_are_refused(network: LPIPSNetwork, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        published_file(tmp_path / "absent.pth", ALEXNET_WEIGHTS)
    impostor = trunk_file(network, tmp_path / "alexnet-owt-7be5be79.pth")
    with pytest.raises(UserError, match="expected 7be5be79"):
        open_lpips(impostor)
    other: dict[str, Tensor] = {"features.0.weight": torch.zeros(64, 3, 3, 3)}
    torch.save(other, tmp_path / "vgg.pth")
    with pytest.raises(UserError, match="not weights of AlexNet") as caught:
        open_lpips(tmp_path / "vgg.pth")
    assert "\n" not in str(caught.value)


def test_small_frames_are_a_user_error(network: LPIPSNetwork) -> None:
    small, just = np.zeros((1, 30, 64, 3), np.uint8), np.zeros((1, 31, 31, 3), np.uint8)
    with pytest.raises(UserError, match="64 x 30"):
        lpips(small, small, lpips_extractor(network))
    lpips(just, just, lpips_extractor(network))
