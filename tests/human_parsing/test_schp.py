"""SCHP's way with pictures, by a small ONNX network whose answer is known: colours are labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.human_parsing.parsers import is_label_map, open_parser
from signgen.human_parsing.schp import SchpParser
from signgen.structures import UserError
from tests.material.tiny_onnx import colour_parser


def _picture(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of red, green and blue parts, and which is where (1, 2, 3)."""
    labels = np.ones((height, width), np.uint8)
    labels[height // 2 :, : width // 2] = 2
    labels[height // 2 :, width // 2 :] = 3
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)
    return colours[labels], labels


@pytest.mark.parametrize("size", [(90, 60), (60, 90), (33, 33), (200, 150)])
def test_what_is_where_comes_back_at_the_size_of_the_picture(
    size: tuple[int, int], tmp_path: Path
) -> None:
    path = colour_parser(tmp_path / "schp.onnx", side=64, labels=20)
    parser = open_parser(str(path), "lip-20", "cpu")
    picture, expected = _picture(*size)
    found = next(parser.parse([picture]))
    assert found.shape == size
    # Borders are a cell of the network wide
    wrong = (found != expected).mean()
    assert wrong < 0.12, wrong
    assert {1, 2, 3} <= set(np.unique(found))
    # Mirrored pictures have mirrored labels
    mirrored = next(parser.parse([picture[:, ::-1].copy()]))
    assert (mirrored[:, ::-1] != found).mean() < 0.03


def test_a_network_is_no_label_map(tmp_path: Path) -> None:
    path = colour_parser(tmp_path / "SCHP.ONNX", side=32, labels=20)
    assert not is_label_map(str(path))
    assert not is_label_map("owner/name")
    assert is_label_map("a/b.png")


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = colour_parser(tmp_path / "schp.onnx", side=32, labels=20)
    with pytest.raises(UserError, match="name their set with --label-set"):
        SchpParser(path, None, "cpu")
    atr = SchpParser(path, "atr-18", "cpu")
    with pytest.raises(UserError, match="with L 18, the labels of atr-18"):
        next(atr.parse([np.zeros((8, 8, 3), np.uint8)]))
    wide = colour_parser(tmp_path / "wide.onnx", side=32, labels=20, channels=4)
    with pytest.raises(UserError, match=r"takes \[1, 4, 32, 32\]"):
        SchpParser(wide, "lip-20", "cpu")
    (tmp_path / "other.onnx").write_bytes(b"no network")
    with pytest.raises(UserError, match="not an ONNX file that can be run"):
        SchpParser(tmp_path / "other.onnx", "lip-20", "cpu")
