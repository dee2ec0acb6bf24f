"""FID, KID and FVD over clips, with extractors of the size of a test."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from signgen.evaluation.metrics.features.distribution import FID, FVD, KID, gather_statistics
from signgen.evaluation.metrics.features.set_distances import (
    Moments,
    frechet_distance,
    kernel_distance,
)
from signgen.evaluation.metrics.networks import FeatureExtractor, Missing

RNG = np.random.default_rng(6)
MISSING = Missing("needs weights.pth, get it with curl")


def means(items: np.ndarray) -> np.ndarray:
    """Four features: the means of the halves of a picture, or of all frames of a stack."""
    pictures = items.reshape(len(items), -1, 3).astype(float)
    half = pictures.shape[1] // 2
    parts = [pictures[:, :half].mean(axis=1)[:, :2], pictures[:, half:].mean(axis=1)[:, :2]]
    return np.concatenate(parts, axis=1)


def extractor() -> FeatureExtractor:
    return FeatureExtractor(means, "net:means")


def frames(count: int, offset: int = 0) -> np.ndarray:
    """Frames of different brightness, so that their features have a covariance."""
    light = RNG.integers(20, 120, (count, 1, 1, 3))
    return (light + RNG.integers(0, 60, (count, 8, 6, 3)) + offset).astype(np.uint8)


def moments_of(pictures: np.ndarray):
    moments = Moments()
    moments.add(means(pictures))
    return moments.statistics("net:means")


@pytest.mark.parametrize("real", ["reference", "unique-reference"])
def test_fid_star_is_the_distance_to_the_reference_frames(real: str) -> None:
    generated, reference = frames(20), frames(12)
    repeated = reference[np.arange(20) % 12]
    metric = FID(extractor(), real)
    for start in range(0, 20, 6):
        metric.update(generated[start : start + 6], repeated[start : start + 6], clip=f"{start}")
    score = metric.compute()
    counted = repeated if real == "reference" else reference
    expected = frechet_distance(moments_of(generated), moments_of(counted))
    assert score.value == pytest.approx(expected)
    assert (score.name, score.n, score.ci95, score.per_clip) == ("fid_star", 20, None, {})
    assert score.details == {"real": len(counted), "dimensions": 4, "rank_deficient": 0}
    assert score.signature.startswith(f"fid_star|net:means|real:{real}|size:8x6|")


def test_fid_is_the_distance_to_a_given_real_set() -> None:
    generated, real = frames(20), frames(30, offset=40)
    statistics = gather_statistics([real[:13], real[13:]], extractor(), "resize:none")
    assert (statistics.count, statistics.signature) == (30, "net:means|resize:none")
    metric = FID(extractor(), statistics)
    metric.update(generated, generated, clip="a")
    score = metric.compute()
    expected = frechet_distance(moments_of(generated), moments_of(real))
    assert score.value == pytest.approx(expected)
    assert score.value > 1000  # 40 squared, in each of the features
    assert (score.name, score.details["real"]) == ("fid", 30)
    with pytest.raises(ValueError, match="net:other"):
        FID(FeatureExtractor(means, "net:other"), statistics)


class Means(torch.nn.Module):
    """`means` as a network, in the form that torchmetrics takes."""

    num_features = 4

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(means(pixels.movedim(1, -1).numpy()))


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`:UserWarning")
def test_fid_and_kid_agree_with_torchmetrics() -> None:
    fid_module = pytest.importorskip("torchmetrics.image.fid")
    kid_module = pytest.importorskip("torchmetrics.image.kid")
    generated, reference = frames(40), frames(40, offset=9)
    pixels = [torch.from_numpy(x).movedim(-1, 1) for x in (generated, reference)]
    fid = fid_module.FrechetInceptionDistance(feature=Means()).set_dtype(torch.float64)
    kid = kid_module.KernelInceptionDistance(feature=Means(), subsets=1, subset_size=40)
    ours = FID(extractor()), KID(extractor(), subsets=1, size=40)
    for theirs in (fid, kid):
        theirs.update(pixels[0], real=False)
        theirs.update(pixels[1], real=True)
    for metric in ours:
        metric.update(generated, reference, clip="a")
    assert ours[0].compute().value == pytest.approx(float(fid.compute()), rel=1e-6)
    assert ours[1].compute().value == pytest.approx(float(kid.compute()[0]), rel=1e-4)


def test_equal_sets_have_no_distance() -> None:
    pictures = frames(24)
    for metric in (FID(extractor()), FVD(extractor())):
        metric.update(pictures, pictures, clip="a")
        metric.update(pictures[::-1], pictures[::-1], clip="b")
        assert abs(metric.compute().value) < 1e-6


@pytest.mark.parametrize("name", ["fid_star", "fvd", "kid"])
@pytest.mark.parametrize(("batch", "chunk"), [(1, 1), (5, 7), (64, 40)])
def test_batches_and_chunks_change_nothing(name: str, batch: int, chunk: int) -> None:
    def measured(batch: int, chunk: int) -> float:
        network = FeatureExtractor(means, "net:means", batch=batch)
        metric = {"fid_star": FID, "fvd": FVD, "kid": KID}[name](network)
        for start in range(0, 40, chunk):
            part = slice(start, start + chunk)
            metric.update(generated[part], reference[part], clip="a")
        return metric.compute().value

    generated, reference = frames(40), frames(40)
    assert measured(batch, chunk) == pytest.approx(measured(8, 40), rel=1e-6)


def test_kid_equals_the_distance_of_the_features() -> None:
    generated, reference = frames(30), frames(30, offset=30)
    metric = KID(extractor(), subsets=5, size=10, seed=2)
    metric.update(generated[:7], reference[:7], clip="a")
    metric.update(generated[7:], reference[7:], clip="b")
    expected = kernel_distance(means(generated), means(reference), subsets=5, size=10, seed=2)
    score = metric.compute()
    assert score.value == pytest.approx(expected[0], rel=1e-5)  # kept in float32
    assert score.details["deviation"] == pytest.approx(expected[1], rel=1e-4)
    assert "subsets:5x10|seed:2" in score.signature


def test_memory_of_kid_is_bounded() -> None:
    metric = KID(extractor(), size=8, kept=16)
    metric.update(frames(60), frames(60), clip="a")
    score = metric.compute()
    assert (score.n, score.details["real"]) == (60, 60)
    assert len(metric._generated.features()) == 16


def test_fvd_looks_at_full_stacks_of_one_clip() -> None:
    clips = {"a": (frames(40), frames(40)), "b": (frames(20), frames(20)), "c": (frames(9),) * 2}
    metric = FVD(extractor())
    for name, (generated, reference) in clips.items():
        metric.update(generated[:5], reference[:5], clip=name)
        metric.update(generated[5:], reference[5:], clip=name)
    stacks = [
        np.stack([clips["a"][side][:16], clips["a"][side][16:32], clips["b"][side][:16]])
        for side in (0, 1)
    ]
    score = metric.compute()
    assert score.value == pytest.approx(frechet_distance(*(moments_of(x) for x in stacks)))
    assert (score.n, score.details["dropped"]) == (3, 8 + 4 + 9)
    assert score.details["rank_deficient"] == 1
    assert metric.compute() == score


@pytest.mark.parametrize("metric", [FID(extractor()), KID(extractor())])
def test_too_few_frames_are_said(metric: FID | KID) -> None:
    metric.update(frames(1), frames(1), clip="a")
    score = metric.compute()
    assert score.value is None
    assert score.unavailable == "needs at least 2 generated and 2 real frames, got 1 and 1"


def test_few_frames_are_marked() -> None:
    metric = FID(extractor())
    metric.update(frames(4), frames(4), clip="a")
    assert metric.compute().details["rank_deficient"] == 1
    metric.update(frames(4), frames(4), clip="a")
    assert metric.compute().details["rank_deficient"] == 0


@pytest.mark.parametrize("metric", [FID(MISSING), KID(MISSING), FVD(MISSING)])
def test_without_a_network_nothing_is_measured(metric: FID | KID | FVD) -> None:
    metric.update(frames(20), frames(20), clip="a")
    score = metric.compute()
    assert (score.value, score.n) == (None, 0)
    assert score.unavailable == MISSING.reason


def test_copies_share_the_network_and_nothing_else() -> None:
    computed = []

    def counted(items: np.ndarray) -> np.ndarray:
        computed.append(len(items))
        return means(items)

    network = FeatureExtractor(counted, "net:means")
    metrics = [FID(network), KID(network)]
    baselines = copy.deepcopy(metrics)
    generated, reference = frames(6), frames(6)
    for metric in metrics:
        metric.update(generated, reference, clip="a")
    for metric in baselines:
        metric.update(np.broadcast_to(reference[0], reference.shape), reference, clip="a")
    assert sum(computed) == 12, "each frame once, for two metrics and their baselines"
    assert metrics[0].compute().value != baselines[0].compute().value
