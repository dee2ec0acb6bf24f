"""Human parsers by name: a SegFormer checkpoint, or SCHP as an ONNX file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from signgen.config.pose import Device
from signgen.config.regions import LabelSetName
from signgen.device import choose_device
from signgen.human_parsing.label_sets import LabelSet

__all__ = ["Parser", "is_label_map", "open_parser"]


class Parser(Protocol):
    """What labels pictures."""

    labelled: LabelSet
    """What the labels mean."""

    def parse(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """Yield the labels (H, W) uint8 of frames (H, W, 3) uint8 RGB, in order."""
        ...


def is_label_map(name: str) -> bool:
    """Whether `--parsing` names a picture, and not a network."""
    path = Path(name)
    return path.suffix.lower() == ".png" or (path.is_file() and path.suffix.lower() != ".onnx")


def open_parser(name: str, label_set: LabelSetName | None, device: Device) -> Parser:
    """Load a network.

    Args:
        name: An ONNX file of SCHP, or a SegFormer checkpoint: hub id or folder.
        label_set: What the labels of an ONNX file mean; a checkpoint says it itself.
        device: Where it computes.

    Raises:
        UserError: If it cannot be loaded, or what its labels mean is not known.
    """
    chosen = choose_device(device)
    if name.lower().endswith(".onnx"):
        from signgen.human_parsing.schp import SchpParser

        return SchpParser(name, label_set, str(chosen))
    from signgen.human_parsing.segformer import SegformerParser

    return SegformerParser(name, chosen)
