"""SegFormer at a size for tests, against the library's own processing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.human_parsing.label_sets import LABEL_SETS
from signgen.human_parsing.segformer import SegformerParser
from signgen.structures import UserError
from tests.material.tiny_parsers import tiny_parser

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 40, 30, 3), dtype=np.uint8)


def test_labels_are_those_of_the_processing_written_out(tmp_path: Path) -> None:
    folder = tiny_parser(tmp_path / "net", LABEL_SETS["atr-18"].labels)
    parser = SegformerParser(str(folder))
    assert parser.labelled.name == "atr-18"
    labels = list(parser.parse(FRAMES))
    assert [one.shape for one in labels] == [(40, 30)] * 6

    # One picture, as SegformerImageProcessor and the model's card do it
    squashed = np.array(Image.fromarray(FRAMES[5]).resize((48, 64), Image.Resampling.BILINEAR))
    unit = (squashed / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    pixels = torch.from_numpy(unit.transpose(2, 0, 1)).float()[None]
    with torch.no_grad():
        logits = parser.network(pixels).logits
    large = torch.nn.functional.interpolate(logits, (40, 30), mode="bilinear")
    assert (labels[5] == large.argmax(1)[0].numpy()).mean() > 0.999
    assert len(np.unique(labels[5])) > 1


def test_a_network_of_unknown_labels_is_refused(tmp_path: Path) -> None:
    folder = tiny_parser(tmp_path / "net", ("wall", "building", "sky"))
    with pytest.raises(UserError, match=r"has 3 labels \(wall, building, sky, ...\)"):
        SegformerParser(str(folder))
