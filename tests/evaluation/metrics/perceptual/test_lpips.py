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

from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.networks import Missing
from signgen.evaluation.metrics.perceptual.lpips import LPIPS, lpips_extractor, open_lpips
from signgen.evaluation.metrics.perceptual.network import LPIPSNetwork, load_heads

RNG = np.random.default_rng(3)
SIZE = (65, 52)


@pytest.fixture(scope="module")
def network() -> LPIPSNetwork:
    """A trunk with drawn weights and the published heads."""
    torch.manual_seed(0)
    network = LPIPSNetwork()
    load_heads(network)
    return network


@pytest.fixture(autouse=True)
def no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


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
    metric = LPIPS(lpips_extractor(network, normalize=normalize))
    metric.update(generated, reference, clip="a")
    for value, one, other in zip(metric.latest, generated, reference, strict=True):
        pair = [x / 127.5 - 1 if normalize else x / 255 for x in (one, other)]
        assert value == pytest.approx(slow_lpips(network, *pair), abs=1e-6)
        assert value > 0.01


def test_lpips_equals_torchmetrics_with_the_same_trunk(
    network: LPIPSNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    lpips = pytest.importorskip("torchmetrics.functional.image.lpips")
    trunk = copy.deepcopy(network.features)  # otherwise torchvision's, which need not be there
    monkeypatch.setattr(lpips, "_get_tv_model_features", lambda net, pretrained: trunk)
    theirs = lpips._LPIPS(net="alex", pnet_rand=True)
    generated, reference = frames(3), frames(3)
    pair = [torch.from_numpy(x / 255).permute(0, 3, 1, 2).float() for x in (generated, reference)]
    metric = LPIPS(lpips_extractor(network))
    metric.update(generated, reference)
    expected = theirs(*pair, normalize=True).flatten().numpy()
    np.testing.assert_allclose(metric.latest, expected, atol=1e-6)


def test_equal_pictures_have_no_distance_and_batches_change_nothing(network: LPIPSNetwork) -> None:
    generated, reference = frames(11), frames(11)
    same, whole, single = (LPIPS(lpips_extractor(network)) for _ in range(3))
    same.update(reference, reference)
    assert same.compute().value == 0
    whole.update(generated, reference, clip="a")
    for one, other in zip(generated, reference, strict=True):
        single.update(one[None], other[None], clip="a")
    assert whole.compute().value == pytest.approx(single.compute().value, abs=1e-6)


def test_the_last_incomplete_batch_can_be_left_out(network: LPIPSNetwork) -> None:
    generated, reference = frames(5), frames(5)
    every, full = LPIPS(lpips_extractor(network)), LPIPS(lpips_extractor(network), full_batches=2)
    for clip, part in (("a", slice(0, 3)), ("b", slice(3, 5))):
        every.update(generated[part], reference[part], clip=clip)
        full.update(generated[part], reference[part], clip=clip)
    score = full.compute()
    assert (score.n, score.counts, score.details["dropped"]) == (4, {"a": 3, "b": 1}, 1)
    values = LPIPS(lpips_extractor(network))
    values.update(generated[:4], reference[:4])
    assert score.value == pytest.approx(values.compute().value)
    assert "batches:full-2" in score.signature
    assert every.compute().n == 5


def test_copies_share_the_network(network: LPIPSNetwork) -> None:
    metric = LPIPS(lpips_extractor(network))
    metric.update(frames(1), frames(1), clip="a")
    other = copy.deepcopy(metric)
    other.update(frames(1), frames(1), clip="a")
    assert (metric.compute().n, other.compute().n) == (1, 2)


@pytest.mark.parametrize("name", ["alexnet.pth", "alexnet.safetensors"])
def test_weights_are_read_from_a_named_file(
    network: LPIPSNetwork, tmp_path: Path, name: str
) -> None:
    metric = open_lpips(trunk_file(network, tmp_path / name))
    expected = LPIPS(lpips_extractor(network))
    pair = frames(2), frames(2)
    for one in (metric, expected):
        one.update(*pair)
    np.testing.assert_array_equal(metric.latest, expected.latest)
    digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert f"net:alex-v0.1,weights:{digest[:8]},range:-1..1|" in metric.compute().signature


def test_absent_weights_are_no_failure_but_say_how_to_get_them(tmp_path: Path) -> None:
    metric = open_lpips()
    metric.update(frames(2), frames(2), clip="a")
    score = metric.compute()
    assert (score.value, score.n, metric.latest) == (None, 0, None)
    assert score.unavailable.startswith("needs alexnet-owt-7be5be79.pth, get")
    assert "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth" in score.unavailable
    assert "curl -fL" in score.unavailable
    assert "\n" not in score.unavailable
    assert str(tmp_path / "torch" / "hub" / "checkpoints") in score.unavailable


def test_wrong_files_are_refused(network: LPIPSNetwork, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file") as caught:
        open_lpips(tmp_path / "absent.pth")
    assert caught.value.code == ExitCode.NO_INPUT
    impostor = trunk_file(network, tmp_path / "alexnet-owt-7be5be79.pth")
    with pytest.raises(UserError, match="expected 7be5be79"):
        open_lpips(impostor)
    other: dict[str, Tensor] = {"features.0.weight": torch.zeros(64, 3, 3, 3)}
    torch.save(other, tmp_path / "vgg.pth")
    with pytest.raises(UserError, match="not weights of AlexNet") as caught:
        open_lpips(tmp_path / "vgg.pth")
    assert "\n" not in str(caught.value)


def test_small_frames_are_a_user_error(network: LPIPSNetwork) -> None:
    small = np.zeros((1, 30, 64, 3), np.uint8)
    with pytest.raises(UserError, match="64 x 30"):
        LPIPS(lpips_extractor(network)).update(small, small)
    just = np.zeros((1, 31, 31, 3), np.uint8)
    LPIPS(lpips_extractor(network)).update(just, just)


def test_missing_networks_measure_nothing() -> None:
    metric = LPIPS(Missing("needs weights"))
    metric.update(frames(1), frames(1))
    assert metric.compute().unavailable == "needs weights"
