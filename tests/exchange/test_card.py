"""What a card says, by what a model is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

from signgen.config.model import SamplingConfig, full_fpdm, tiny_fpdm
from signgen.exchange.card import CardFacts, TrainingData, write_card
from signgen.exchange.licences import base_models


def card(config: Any, *data: str, **facts: Any) -> tuple[dict[str, Any], str]:
    """Return the front matter, and the whole card with its words on one line."""
    corpora = tuple(TrainingData(name, f"terms of {name}") for name in data)
    text = write_card(CardFacts("me/x", config, "epsilon", {"unet": 1234}, "mit", corpora, **facts))
    return yaml.safe_load(text.split("---\n")[1]), " ".join(text.split())


def test_a_model_of_pretrained_parts() -> None:
    bases = base_models(full_fpdm())
    front, words = card(full_fpdm(), "phoenix14t", "deepfashion", bases=bases)
    assert front["base_model"] == list(bases)
    assert front["datasets"] == ["phoenix14t", "deepfashion"]
    assert front["language"] == ["gsg"]
    assert front["tags"][-2:] == ["fpdm", "arxiv:2412.07333"]
    for said in (
        "restrictions in Attachment A",
        "terms of phoenix14t",
        "hands were never its subject",
        "| pose drawing | fpdm, on a canvas of 260 x 210 |",
    ):
        assert said in words
    front, words = card(full_fpdm(), "deepfashion", bases=bases, imported="somebody/program")
    assert front["imported"] == "somebody/program"
    assert "trained with somebody/program and imported into signgen, started from" in words


def test_a_model_of_synthetic_signers_alone() -> None:
    front, words = card(tiny_fpdm(), "synthetic")
    assert not {"base_model", "language", "model-index", "license_name"} & front.keys()
    assert "RAIL" not in words
    for said in ("photographs are new to it", "| all | 1,234 |", "| denoiser | epsilon |"):
        assert said in words


def test_a_model_of_another_kind() -> None:
    @dataclass(frozen=True)
    class ToyConfig:
        kind: ClassVar[str] = "toy"
        title: ClassVar[str] = "a toy"
        size: tuple[int, int] = (8, 8)
        source_size: None = None
        skeleton: str = "coco-wholebody-133"
        pose_style: str = "clean"
        pose_canvas: None = None
        sampling: SamplingConfig = field(default_factory=SamplingConfig)

    front, words = card(ToyConfig(), "synthetic")
    assert front["tags"] == ["sign-language", "pose-guided", "latent-diffusion", "toy"]
    assert "This is a toy, trained with signgen, with nothing pretrained." in words
    assert "| fusion |" not in words


def test_words_of_users_cannot_break_out() -> None:
    hostile = "a: [b\n---\nlicense: mit"
    front, words = card(tiny_fpdm(), hostile, human_evaluation="good | bad\n## {{ No }}")
    assert front["license"] == "mit"
    assert [item["name"] for item in front["training_data"]] == front["datasets"]
    assert "Evaluation by people: good \\| bad ## {{ No }}." in words
