"""Synthetic signers: a rendered corpus that may be shipped and trained on.

A body of any shape (`body`), dressed and haired (`signers`), signs (`motion`) before a camera
(`picture`); key points, labels and hand boxes are exact, and the same seed gives the same clip
(`clip`). Files: `corpus`.
"""

from __future__ import annotations

from signgen.data.synthetic.corpus import CorpusPlan, write_corpus

__all__ = ["CorpusPlan", "write_corpus"]
