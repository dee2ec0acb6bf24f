"""Which metrics flags and protocols make, what each needs, and settings that fit together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.config.evaluation import EvalConfig
from signgen.errors import ExitCode, UserError
from signgen.evaluation.metric_choice import (
    METRICS,
    MetricFactory,
    choose_metrics,
    chosen_protocol,
    named_metrics,
)
from signgen.evaluation.metrics.features.distribution import fid
from signgen.evaluation.metrics.features.statistics import load_statistics
from signgen.evaluation.metrics.networks import FeatureExtractor
from signgen.evaluation.protocols import Choice, View
from signgen.evaluation.settings import check_settings
from signgen.media import save_image
from tests.material.scoring import score_of

pytestmark = pytest.mark.usefixtures("no_caches")
PLAIN = ["ssim", "psnr", "flicker", "brightness_jitter", "second_difference", "tcd"]


def names(config: EvalConfig, *, images: bool = False) -> list[str]:
    return [one.name for one in choose_metrics(config, images=images)]


def test_flags_add_metrics() -> None:
    assert names(EvalConfig()) == PLAIN
    assert names(EvalConfig(motion=False)) == ["ssim", "psnr"]
    assert names(EvalConfig(), images=True) == ["ssim", "psnr"]
    flags = {
        "hand_metrics": {"hand_ssim", "hand_pe", "hand_pe_penalty"},
        "faces": {"face_ssim", "mouth_ssim"},
        "regions": {
            f"{region}_region_{kind}"
            for region in ("face", "cloth")
            for kind in ("ssim", "ciede2000")
        },
        "keypoints": {"keypoint_error", "keypoint_dtw"},
        "warping": {"warping_error"},
    }
    for flag, added in flags.items():
        assert set(names(EvalConfig(**{flag: True}))) - set(PLAIN) == added


def test_a_protocol_scores_with_and_without_the_source() -> None:
    chosen = {
        one.name: one for one in choose_metrics(EvalConfig(protocol="phoenix-fpdm", faces=True))
    }
    assert chosen["ssim"].view == View((260, 210))
    assert chosen["ssim_without_source"].view.frames == "without-source"
    assert chosen["ssim_without_source"].metric is chosen["ssim"].metric
    assert chosen["face_ssim"].view.frames == "all"
    assert "face_ssim_without_source" not in chosen
    assert chosen["hand_ssim"].metric.unavailable.startswith("needs --hand-metrics")
    assert chosen["hand_ssim"].metric.score({}, []).signature == "hand_ssim"


def test_a_size_is_for_what_no_protocol_fixes() -> None:
    assert {one.view for one in choose_metrics(EvalConfig(size=(40, 30)))} == {View((40, 30))}
    frames = choose_metrics(EvalConfig(), frames="without-source")
    assert {one.view for one in frames} == {View(frames="without-source")}
    assert {one.view.frames for one in choose_metrics(EvalConfig(frames="all"))} == {"all"}
    assert chosen_protocol(EvalConfig(protocol="cfld", size=(512, 352))).sizes == ((512, 352),)
    with pytest.raises(UserError, match="is no size of protocol signvip") as caught:
        chosen_protocol(EvalConfig(protocol="signvip", size=(40, 30)))
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_be_made_and_has_its_name(name: str) -> None:
    config = EvalConfig(device="cpu", estimator="hrnet", hand_metrics=True)
    metric = MetricFactory(config, "the training pictures").make(Choice(name), View())
    score = metric.score({}, [])
    assert metric.name == score.name == name
    assert score.value is None
    networks = ("lpips", "fid", "kid", "fvd", "identity", "hand_pe", "keypoint")
    assert bool(metric.unavailable) == name.startswith(networks)
    if metric.unavailable:
        assert score.unavailable == metric.unavailable
        ways = ("get it with", "curl -fL", "give it with")
        assert any(way in score.unavailable for way in ways)
        assert "\n" not in score.unavailable


def test_weights_that_are_named_must_be_good(tmp_path: Path) -> None:
    absent = str(tmp_path / "weights.pth")
    settings = {
        "lpips": {"lpips_weights": absent},
        "fid": {"inception_weights": absent},
        "kid": {"fid_weights": absent},
        "fvd": {"i3d_weights": absent},
        "hand_pe": {"estimator": "hrnet", "estimator_weights": absent},
        "keypoint_error": {"estimator": "hrnet", "estimator_weights": absent},
    }
    for name, given in settings.items():
        factory = MetricFactory(EvalConfig(device="cpu", hand_metrics=True, **given))
        with pytest.raises(UserError, match=r"no such file|does not exist"):
            factory.make(Choice(name), View())


def test_names_choose_metrics_too() -> None:
    one, other = named_metrics(("hand_ssim", "lpips"), View((40, 30)))
    assert (one.name, one.view) == ("hand_ssim", View((40, 30)))
    assert other.metric.unavailable.startswith("needs alexnet")
    with pytest.raises(UserError, match="'sim' is no metric; expected some of ssim, ") as caught:
        named_metrics(("ssim", "sim"), View())
    assert caught.value.code == ExitCode.USAGE


def test_fid_takes_the_real_set_that_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = FeatureExtractor(lambda items: items.reshape(len(items), -1, 3).mean(1), "net:mean")
    monkeypatch.setattr(MetricFactory, "_inception", lambda factory, kind: network)
    rng = np.random.default_rng(0)
    real, ours, truth = rng.integers(0, 256, (3, 6, 24, 20, 3), np.uint8)
    (tmp_path / "real").mkdir()
    for place, frame in enumerate(real):
        save_image(tmp_path / "real" / f"{place}.png", frame)
    missing = MetricFactory(EvalConfig(), "the training pictures").make(Choice("fid"), View())
    assert "the training pictures" in missing.unavailable

    statistics = str(tmp_path / "real.npz")
    first = EvalConfig(fid_reference=str(tmp_path / "real"), save_statistics=statistics)
    values = [
        score_of(MetricFactory(config).make(Choice("fid"), View()), ours, truth).value
        for config in (first, EvalConfig(fid_reference=statistics))
    ]
    assert values == pytest.approx([score_of(fid(network), ours, real).value] * 2)
    assert load_statistics(statistics, "net:mean|resize:none").count == 6
    factory = MetricFactory(EvalConfig(fid_reference=statistics))
    with pytest.raises(UserError, match="this evaluation computes"):
        factory.make(Choice("fid"), View((12, 10)))


PATHS = {"generated": "a.mp4", "reference": "b.mp4"}


@pytest.mark.parametrize(
    "settings",
    [
        {"generated": "a.mp4"},
        {"reference": "a.mp4"},
        {"poses": "a.json"},
        {**PATHS, "source_poses": "c.json"},
        {**PATHS, "poses": "c.json", "source_poses": "d.json"},
        {"source_poses": "c.json"},
        {**PATHS, "hand_metrics": True},
        {**PATHS, "faces": True},
        {**PATHS, "steps": 4},
        {**PATHS, "sampler": "ddim"},
        {**PATHS, "official_noise": True},
        {**PATHS, "precision": "bf16"},
        {**PATHS, "compare": ("c", "c")},
        {**PATHS, "compare": ("generated",)},
        {**PATHS, "compare": ("reference",)},
        {**PATHS, "compare": ("warp of the source",)},
        {"compare": ("b",)},
        {"source": "a.png"},
        {"items": "images"},
        {"back_translate": "translate"},
        {"generated_poses": "a.json"},
        {"protocol": "cfld", "frames": "all"},
        {"size": (0, 3)},
        {"per_hand": True},
        {"texts": "a.tsv"},
        {"save_statistics": "a.npz"},
        {"fid_reference": "real.npz"},
        {"fid_reference": "real.npz", "lpips_weights": "lpips.pth"},
        {"report": "page.txt"},
        {"latex": "table.txt"},
        {"retrieval_queries": 5},
        {"retrieval": True, **PATHS},
        {"retrieval": True, "hand_metrics": True},
        {"retrieval": True, "seed": 3},
        {"retrieval": True, "retrieval_queries": -1},
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object]) -> None:
    with pytest.raises(UserError) as caught:
        check_settings(EvalConfig(**settings))
    assert caught.value.code == ExitCode.USAGE
    assert "\n" not in str(caught.value)
