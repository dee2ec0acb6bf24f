"""The recipes of `configs/` are FPDM's published runs, and its ablations differ as they should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config, to_mapping
from signgen.training.schedule import check_settings, learning_rate

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def recipe(name: str) -> TrainConfig:
    return load_config(CONFIGS / f"{name}.yaml", TrainConfig)


def flat(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Settings by dotted name."""
    found: dict[str, object] = {}
    for name, value in values.items():
        is_group = isinstance(value, dict)
        found |= flat(value, f"{prefix}{name}.") if is_group else {f"{prefix}{name}": value}
    return found


def test_numbers_fit_together() -> None:
    for path in CONFIGS.glob("*.yaml"):
        check_settings(load_config(path, TrainConfig))


@pytest.mark.parametrize(
    ("name", "pairs", "epochs", "batch"),
    [
        ("train-ipf-phoenix14t", 100_000, 5, (48, 1)),
        ("train-ipf-deepfashion", 101_966, 5, (48, 1)),
        ("train-fpdm-phoenix14t", 100_000, 20, (42, 3)),
        ("train-fpdm-deepfashion-512", 101_966, 100, (42, 3)),
        ("train-fpdm-deepfashion-256", 101_966, 10, (42, 3)),
    ],
)
def test_published_number_of_examples(
    name: str, pairs: int, epochs: int, batch: tuple[int, int]
) -> None:
    config = recipe(name)
    assert (config.batch_size, config.accumulate) == batch
    assert config.steps * batch[0] * batch[1] / pairs == pytest.approx(epochs, rel=1e-3)
    assert config.clip_gradient == 0
    assert config.precision == "fp16"
    assert config.weight_decay == (1e-4 if config.stage == "ipf" else 0)
    assert config.data.identity_rate == (0 if config.stage == "ipf" else 0.05)


@pytest.mark.parametrize(
    ("name", "steps", "first"),
    [
        ("train-fpdm-deepfashion-512", 809, 0),
        ("train-fpdm-phoenix14t", 794, 0),
        ("train-fpdm-deepfashion-256", 809, 100),
    ],
)
def test_rate_of_stage_2_by_epoch(name: str, steps: int, first: int) -> None:
    config = recipe(name)
    by_epoch = [2e-5, 4e-5, 6e-5, 8e-5, *[1e-4] * 51, *[1e-5] * 50, *[1e-6] * 5]
    epochs = config.steps // steps
    rates = [learning_rate(config, epoch * steps) for epoch in range(epochs)]
    assert rates == pytest.approx(by_epoch[first : first + epochs], rel=1e-9)


STAGE_1, STAGE_2 = "train-ipf-deepfashion", "train-fpdm-deepfashion-512"
NO_FUSION = {"model.fusion": "none", "start_from": []}
CLIP = "openai/clip-vit-large-patch14"


@pytest.mark.parametrize(
    ("name", "base", "changes"),
    [
        ("a1", STAGE_1, {"model.ipf.loss": "none"}),
        ("a2", STAGE_1, {"model.ipf.loss": "baseline"}),
        ("a3", STAGE_1, {}),
        (
            "b1",
            STAGE_2,
            {
                **NO_FUSION,
                "model.source_encoder.kind": "clip",
                "model.source_encoder.pretrained": CLIP,
                "model.source_encoder.image_size": 224,
                "model.source_encoder.table_size": 0,
            },
        ),
        ("b2", STAGE_2, {**NO_FUSION, "model.source_encoder.image_size": 224}),
        ("b3", STAGE_2, NO_FUSION),
        ("b4", STAGE_2, {"model.fusion": "source", "model.ipf.loss": "none", "start_from": []}),
        ("b5", STAGE_2, {"start_from": ["runs/ablation-a2"]}),
        ("b6", STAGE_2, {"start_from": ["runs/ablation-a3"]}),
    ],
)
def test_ablation_changes_what_its_row_says(
    name: str, base: str, changes: dict[str, object]
) -> None:
    config = recipe(f"ablation-{name}")
    assert config.out == f"runs/ablation-{name}"
    found, expected = (flat(to_mapping(replace(one, out=""))) for one in (config, recipe(base)))
    assert {key: value for key, value in found.items() if value != expected[key]} == changes
