"""Rendered signers: a corpus that may be shipped and trained on.

A body of any shape, dressed and haired, signs before a camera; key points, part labels and hand
boxes are exact, and everything is the same for the same seed. Appearance: `population`, `dressing`;
motion: `motion`, `expression`, `posing`; a clip: `clip`; files: `corpus`.
"""

from __future__ import annotations

from signgen.data.rendered.clip import LABELS, RenderedClip, Studio
from signgen.data.rendered.corpus import CorpusPlan, write_corpus

__all__ = ["LABELS", "CorpusPlan", "RenderedClip", "Studio", "write_corpus"]
