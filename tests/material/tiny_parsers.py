"""Human parsers at a size for tests, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation


def tiny_parser(folder: Path, names: tuple[str, ...]) -> Path:
    """Save a random SegFormer that reads pictures of 64 x 48."""
    torch.manual_seed(0)
    labels = dict(enumerate(names))
    config = SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
        id2label=labels,
        label2id={name: number for number, name in labels.items()},
    )
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    size = {"height": 64, "width": 48}
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    return folder
