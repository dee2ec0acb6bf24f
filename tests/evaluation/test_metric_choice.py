"""Which metrics flags and protocols make, and metrics that wait for full batches."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from signgen.config.evaluation import EvalConfig
from signgen.errors import ExitCode, UserError
from signgen.evaluation.metric_choice import build_slots, chosen_protocol
from signgen.evaluation.metric_factories import FACTORIES, FullBatches, NotComputed, Wanted
from signgen.evaluation.metrics import FID, FeatureExtractor
from signgen.evaluation.metrics.features.statistics import load_statistics
from signgen.evaluation.protocols import View
from signgen.evaluation.settings import check_settings
from signgen.media import save_image


def names(config: EvalConfig, *, images: bool = False) -> list[str]:
    protocol = chosen_protocol(config)
    return [s.name for s in build_slots(config, protocol, frames="all", images=images)]


def clip(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 24, 20, 3), np.uint8)


def mean_colours() -> FeatureExtractor:
    return FeatureExtractor(lambda items: items.reshape(len(items), -1, 3).mean(1), "net:mean")


def test_flags_add_metrics() -> None:
    plain = ["ssim", "psnr", "flicker", "brightness_jitter", "second_difference", "tcd"]
    assert names(EvalConfig()) == plain
    assert names(EvalConfig(motion=False)) == ["ssim", "psnr"]
    assert names(EvalConfig(), images=True) == ["ssim", "psnr"]
    flags = {
        "hand_metrics": {"hand_ssim", "hand_pe", "hand_pe_penalty"},
        "faces": {"face_ssim", "mouth_ssim"},
        "keypoints": {"keypoint_error", "keypoint_dtw"},
        "warping": {"warping_error"},
    }
    for flag, added in flags.items():
        assert set(names(EvalConfig(**{flag: True}))) - set(plain) == added


def test_a_protocol_scores_with_and_without_the_source() -> None:
    config = EvalConfig(protocol="phoenix-fpdm", faces=True)
    slots = {
        slot.name: slot
        for slot in build_slots(config, chosen_protocol(config), frames="all", images=False)
    }
    assert slots["ssim"].view == View((260, 210))
    assert slots["ssim_without_source"].view.frames == "without-source"
    assert slots["face_ssim"].view.frames == "all"
    assert "face_ssim_without_source" not in slots
    assert slots["hand_ssim"].metric.compute().unavailable.startswith("needs --hand-metrics")


def test_a_size_is_for_what_no_protocol_fixes() -> None:
    config = EvalConfig(size=(40, 30))
    views = {slot.view for slot in build_slots(config, None, frames="all", images=False)}
    assert views == {View((40, 30))}
    assert chosen_protocol(EvalConfig(protocol="cfld", size=(512, 352))).sizes == ((512, 352),)
    with pytest.raises(UserError, match="is no size of protocol signvip") as caught:
        chosen_protocol(EvalConfig(protocol="signvip", size=(40, 30)))
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize("name", FACTORIES)
def test_every_metric_can_be_made_and_has_its_name(name: str) -> None:
    metric = FACTORIES[name](Wanted(EvalConfig(device="cpu"), real_set="the training pictures"))
    score = metric.compute()
    assert metric.name == score.name == name
    assert score.value is None
    assert copy.deepcopy(metric).compute() == score


def test_full_batches_leave_the_rest_out() -> None:
    ours, truth = clip(11, 1), clip(11, 2)
    batched, plain = FullBatches(FID(mean_colours()), 4), FID(mean_colours())
    for start in range(0, 11, 3):
        part = slice(start, start + 3)
        batched.update(ours[part], truth[part], clip=str(start))
    plain.update(ours[:8], truth[:8])
    found = batched.compute()
    assert found.value == pytest.approx(plain.compute().value, abs=1e-9)
    assert found.n == 8
    assert found.details["left_out"] == 3
    assert found.signature.endswith("|batches:full-4")


def test_fid_takes_the_real_set_that_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "signgen.evaluation.metric_factories._extractor", lambda wanted, kind: mean_colours()
    )
    real, ours, truth = clip(6, 1), clip(6, 2), clip(6, 3)
    for place, frame in enumerate(real):
        save_image(tmp_path / f"{place}.png", frame)
    missing = FACTORIES["fid"](Wanted(real_set="the training pictures"))
    assert isinstance(missing, NotComputed)
    assert "the training pictures" in missing.compute().unavailable

    statistics = tmp_path / "real.npz"
    config = EvalConfig(fid_reference=str(tmp_path), save_statistics=str(statistics))
    values = []
    for settings in (config, EvalConfig(fid_reference=str(statistics))):
        metric = FACTORIES["fid"](Wanted(settings, view=View()))
        metric.update(ours, truth)
        values.append(metric.compute().value)
    direct = FID(mean_colours())
    direct.update(ours, real)
    assert values == pytest.approx([direct.compute().value] * 2)
    assert load_statistics(statistics, "net:mean|resize:none").count == 6
    with pytest.raises(UserError, match="this evaluation computes"):
        FACTORIES["fid"](Wanted(EvalConfig(fid_reference=str(statistics)), view=View((12, 10))))


@pytest.mark.parametrize(
    "settings",
    [
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
        {"generated": "a", "reference": "b", "compare": ("c", "c")},
        {"generated": "a", "reference": "b", "compare": ("generated",)},
        {"generated": "a", "reference": "b", "faces": True},
        {"report": "page.txt"},
        {"latex": "table.txt"},
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object]) -> None:
    with pytest.raises(UserError) as caught:
        check_settings(EvalConfig(**settings))
    assert caught.value.code == ExitCode.USAGE
    assert "\n" not in str(caught.value)
