"""Human parsers at a size for tests, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
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


def colour_parser(path: Path, *, side: int, labels: int, channels: int = 3) -> Path:
    """Write an ONNX network that finds 1 where its input (BGR) is red, 2 green, 3 blue.

    Its logits are a quarter of the square's side, as SCHP's are.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.zeros((labels, channels, 1, 1), np.float32)
    for label, channel in ((1, 2), (2, 1), (3, 0)):
        weight[label, channel] = 1
    bias = np.full(labels, -9, np.float32)
    bias[:4] = 0
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["small", "weight", "bias"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, side, side])
    logits = helper.make_tensor_value_info(
        "logits", TensorProto.FLOAT, [1, labels, side // 4, side // 4]
    )
    weights = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")]
    graph = helper.make_graph(nodes, "colours", [image], [logits], weights)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path
