"""Published weights of HRNet: which files there are, and how their names match.

The names of MMPose 1.x (`backbone.*`, `head.*`) are the names of `HeatmapNetwork`. Files of MMPose
0.x differ in the head, which they call `keypoint_head`; where that head has a convolution before
the last one, they number both in one list (`published_names`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from signgen.files import published_weights
from signgen.files.published_weights import Published, Weights, find_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "HAND_WEIGHTS",
    "WHOLE_BODY_WEIGHTS",
    "find_weights",
    "published_names",
    "read_weights",
    "weights_for",
]

_SERVER = "https://download.openmmlab.com/mmpose"
WHOLE_BODY_WEIGHTS = Published(
    "hrnet_w48_coco_wholebody_384x288_dark-f5726563_20200918.pth",
    f"{_SERVER}/top_down/hrnet",
    "--weights, in eval with --estimator-weights",
)
HAND_WEIGHTS = Published(
    "hrnetv2_w18_coco_wholebody_hand_256x256_dark-a9228c9c_20210908.pth",
    f"{_SERVER}/hand/dark",
    "--estimator-weights",
)


class _Ignored:
    """Stands for what a training run left beside its weights: takes anything and keeps nothing."""

    def __new__(cls, *_: object) -> _Ignored:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


#: Files of MMEngine name these in their log and their description of the data set. They are read as
#: `_Ignored`: NumPy's own would trust the file's word on where in memory objects lie.
_IGNORED = (
    *("_codecs.encode", "builtins.getattr", "mmengine.logging.history_buffer.HistoryBuffer"),
    *("numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar"),
    *("numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar"),
    *("numpy.dtype", "numpy.ndarray"),
)


def weights_for(
    network: nn.Module, title: str, weights: Path | None, published: Published
) -> Weights:
    """Read the weights of a network, called `title` in messages, from a file or the published one.

    The network says the names and shapes; its own weights are not looked at.
    """
    read = read_weights(find_weights(weights, published))
    published_weights.check_names(read, network.state_dict(), title, "MMPose")
    return read


def read_weights(path: Path) -> Weights:
    """Read a file as `published_weights.read_weights` does, by the names of MMPose 1.x."""
    read = published_weights.read_weights(
        path,
        (WHOLE_BODY_WEIGHTS, HAND_WEIGHTS),
        "HRNet from MMPose",
        [(_Ignored, name) for name in _IGNORED],
    )
    return replace(read, state=published_names(read.state))


def published_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of an MMPose 0.x file as MMPose 1.x does; others keep their names.

    `keypoint_head.final_layer.weight` becomes `head.final_layer.weight`. Where the old head is a
    list (`keypoint_head.final_layer.0.weight` ...), its last entry becomes `head.final_layer` and
    the others `head.conv_layers.0` .... Batch norms get the counter of batches that files of old
    training runs lack; only training reads it.
    """
    import torch

    old = re.compile(r"keypoint_head\.final_layer\.(\d+)\.(\w+)")
    places = [int(match[1]) for name in state if (match := old.fullmatch(name))]
    renamed = {}
    for name, value in state.items():
        match = old.fullmatch(name)
        if match is None:
            new = re.sub(r"^keypoint_head\.", "head.", name)
        elif int(match[1]) == max(places):
            new = f"head.final_layer.{match[2]}"
        else:
            new = f"head.conv_layers.{match[1]}.{match[2]}"
        renamed[new] = value
        if new.endswith(".running_var"):
            counter = new.removesuffix("running_var") + "num_batches_tracked"
            renamed.setdefault(counter, torch.tensor(0))
    return renamed
