"""Synthetic signers: a drawn corpus that may be shipped and trained on.

A procedural upper-body signer with two articulated hands, a face, exact key points and part
labels, deterministic for a seed. Appearance: `synthetic_signer`; motion: `synthetic_motion` and
`synthetic_body`; drawing: `synthetic_drawing`; files: `synthetic_corpus`.
"""

from __future__ import annotations

from signgen.data.synthetic.clip import SyntheticClip, render_clip, render_poses
from signgen.data.synthetic.corpus import write_corpus
from signgen.data.synthetic.signer import PARTS, Signer, draw_signer

__all__ = [
    "PARTS",
    "Signer",
    "SyntheticClip",
    "draw_signer",
    "render_clip",
    "render_poses",
    "write_corpus",
]
