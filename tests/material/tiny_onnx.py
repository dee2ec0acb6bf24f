"""ONNX networks whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def colour_parser(path: Path, *, side: int, labels: int, channels: int = 3) -> Path:
    """Write an ONNX network that finds 1 where its input (BGR) is red, 2 green, 3 blue.

    Its logits are a quarter of the square's side, as SCHP's are.
    """
    weight = np.zeros((labels, channels, 1, 1), np.float32)
    for label, channel in ((1, 2), (2, 1), (3, 0)):
        weight[label, channel] = 1
    bias = np.full(labels, -9, np.float32)
    bias[:4] = 0
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["small", "weight", "bias"], ["result"]),
    ]
    weights = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")]
    return _save(path, nodes, [1, channels, side, side], [1, labels, side // 4, side // 4], weights)


def colour_embedder(path: Path, *, side: int = 112) -> Path:
    """Write a network that embeds a face as the mean colours of its quarters, (1, 12)."""
    half = [side // 2, side // 2]
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=half, strides=half),
        helper.make_node("Flatten", ["small"], ["result"]),
    ]
    return _save(path, nodes, [1, 3, side, side], [1, 12], [])


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    taken: list[int],
    given: list[int],
    weights: list[onnx.TensorProto],
) -> Path:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, taken)
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, given)
    graph = helper.make_graph(nodes, "tiny", [image], [result], weights)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path
