"""FID, KID and FVD over clips, with extractors of the size of a test."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from signgen.evaluation.metrics.features.accumulation import FeatureStatistics, Moments
from signgen.evaluation.metrics.features.distribution import fid, fvd, gather_statistics, kid
from signgen.evaluation.metrics.features.set_distances import frechet_distance, kernel_distance
from signgen.evaluation.metrics.networks import FeatureExtractor
from tests.material.scoring import chunks, measured, score_of

RNG = np.random.default_rng(6)


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


def moments_of(pictures: np.ndarray) -> FeatureStatistics:
    return Moments().add(means(pictures)).statistics("net:means")


@pytest.mark.parametrize("real", ["reference", "unique-reference"])
def test_fid_star_is_the_distance_to_the_reference_frames(real: str) -> None:
    generated, reference = frames(20), frames(12)
    repeated = reference[np.arange(20) % 12]
    parts = [slice(start, start + 6) for start in range(0, 20, 6)]
    clips = {f"{part.start}": (generated[part], repeated[part]) for part in parts}
    score, _ = measured(fid(extractor(), real), clips, size=4)
    counted = repeated if real == "reference" else reference
    expected = frechet_distance(moments_of(generated), moments_of(counted))
    assert score.value == pytest.approx(expected)
    assert (score.name, score.n, score.ci95, score.per_clip) == ("fid_star", 20, None, {})
    assert score.details == {"real": len(counted), "dimensions": 4, "rank_deficient": 0}
    assert score.signature == f"fid_star|net:means|real:{real}|size:8x6|version:1"


def test_frames_of_a_clip_that_fails_are_no_known_ones() -> None:
    """FPDM's FID* counts equal reference frames once: but not those of a clip that was dropped."""
    metric, results = fid(extractor(), "unique-reference"), {}
    generated, reference = frames(6), frames(6)
    for _ in range(2):
        bad, good = (metric.begin("", results) for _ in range(2))
        for measure in (bad, good):
            for pair in chunks("", generated, reference):
                measure.add(*pair)
        results |= good.results()
    assert metric.score(results, []).details["real"] == 6
    assert metric.score(results, []).n == 12


def test_fid_is_the_distance_to_a_given_real_set() -> None:
    generated, real = frames(20), frames(30, offset=40)
    statistics = gather_statistics([real[:13], real[13:]], extractor(), "resize:none")
    assert (statistics.count, statistics.signature) == (30, "net:means|resize:none")
    score = score_of(fid(extractor(), statistics), generated, generated)
    assert score.value == pytest.approx(frechet_distance(moments_of(generated), moments_of(real)))
    assert score.value > 1000  # 40 squared, in each of the features
    assert (score.name, score.details["real"]) == ("fid", 30)


def test_full_batches_leave_the_rest_out() -> None:
    generated, real = frames(11), moments_of(frames(9))
    clips = {f"{t}": (generated[t : t + 3],) * 2 for t in range(0, 11, 3)}
    score, _ = measured(fid(extractor(), real, full_batches=4), clips)
    assert score.value == pytest.approx(frechet_distance(moments_of(generated[:8]), real))
    assert (score.n, score.details["left_out"]) == (8, 3)
    assert score.signature.endswith("|batches:full-4")


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
    torch_fid = fid_module.FrechetInceptionDistance(feature=Means()).set_dtype(torch.float64)
    torch_kid = kid_module.KernelInceptionDistance(feature=Means(), subsets=1, subset_size=40)
    for theirs in (torch_fid, torch_kid):
        theirs.update(pixels[0], real=False)
        theirs.update(pixels[1], real=True)
    ours = [
        score_of(m, generated, reference)
        for m in (fid(extractor()), kid(extractor(), subsets=1, size=40))
    ]
    assert ours[0].value == pytest.approx(float(torch_fid.compute()), rel=1e-6)
    assert ours[1].value == pytest.approx(float(torch_kid.compute()[0]), rel=1e-4)


def test_kid_equals_the_distance_of_the_features() -> None:
    generated, reference = frames(30), frames(30, offset=30)
    clips = {"a": (generated[:7], reference[:7]), "b": (generated[7:], reference[7:])}
    score, _ = measured(kid(extractor(), subsets=5, size=10, seed=2), clips)
    expected = kernel_distance(means(generated), means(reference), subsets=5, size=10, seed=2)
    assert score.value == pytest.approx(expected[0], rel=1e-5)  # kept in float32
    assert score.details["deviation"] == pytest.approx(expected[1], rel=1e-4)
    assert "subsets:5x10|seed:2" in score.signature


def test_memory_of_kid_is_bounded() -> None:
    metric = kid(extractor(), size=8, kept=16)
    measure = metric.begin("a", {})
    for pair in chunks("a", frames(60), frames(60)):
        measure.add(*pair)
    (sets,) = measure.results().values()
    assert len(sets.generated.features) == len(sets.real.features) == 16
    score = metric.score(measure.results(), [])
    assert (score.n, score.details["real"]) == (60, 60)


def test_fvd_looks_at_full_stacks_of_one_clip() -> None:
    clips = {"a": (frames(40), frames(40)), "b": (frames(20), frames(20)), "c": (frames(9),) * 2}
    score, _ = measured(fvd(extractor()), clips, size=5)
    stacks = [
        np.stack([clips["a"][side][:16], clips["a"][side][16:32], clips["b"][side][:16]])
        for side in (0, 1)
    ]
    assert score.value == pytest.approx(frechet_distance(*(moments_of(x) for x in stacks)))
    assert (score.n, score.details["dropped"]) == (3, 8 + 4 + 9)
    assert score.details["rank_deficient"] == 1


def test_too_few_frames_are_said_and_few_are_marked() -> None:
    for metric in (fid(extractor()), kid(extractor())):
        score = score_of(metric, frames(1), frames(1))
        assert score.value is None
        assert score.unavailable == "needs at least 2 generated and 2 real frames, got 1 and 1"
    for count, deficient in ((4, 1), (8, 0)):
        score = score_of(fid(extractor()), frames(count), frames(count))
        assert score.details["rank_deficient"] == deficient
