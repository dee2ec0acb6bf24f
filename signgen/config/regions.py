"""Names of label sets of human parsing, and of the regions that a model tells apart."""

from __future__ import annotations

from typing import Literal

__all__ = ["LabelSetName", "Region"]

LabelSetName = Literal["lip-20", "atr-18", "cihp-20", "deepfashion-24", "fashn-18", "signgen-10"]
"""What the numbers in a label map mean; `signgen.human_parsing.label_sets` says it."""

Region = Literal["face", "cloth", "body", "hands"]
"""Parts of a person; `face` has hair, hat and glasses, `body` is skin elsewhere and limbs."""
