"""The picture of the README: source, poses above results, and the mark of synthetic media."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.media import side_by_side, write_video
from tests.material.tools import load_tool

ROOT = Path(__file__).resolve().parents[2]


def test_each_part_is_where_it_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Source black, pose grey, result bright; each frame of poses and results a little brighter
    parts = [
        [np.full((64, 46, 3), grey, np.uint8) for grey in (0, 80 + 5 * t, 200 + 5 * t)]
        for t in range(9)
    ]
    for name in ("one", "two"):
        write_video(tmp_path / f"{name}.mp4", [side_by_side(*row) for row in parts], 25)
    out = tmp_path / "strip.webp"
    files = [str(tmp_path / f"{name}.mp4") for name in ("one", "two")]
    monkeypatch.setattr(sys, "argv", ["make_pictures", *files, "--out", str(out)])
    load_tool("make_pictures").main()
    with Image.open(out) as picture:
        assert b"trainedAlgorithmicMedia" in picture.info["xmp"]
        pixels = np.asarray(picture.convert("L")).astype(int)
    # Two strips of a source of 132 x 95 and four columns
    assert pixels.shape == (2 * 132 + 16, 95 + 8 + 4 * 46 + 3 * 4)
    for top in (0, 148):
        assert abs(pixels[top + 60, 40] - 0) < 8
        for column, frame in enumerate((2, 4, 6, 8)):
            left = 95 + 8 + column * 50 + 20
            assert abs(pixels[top + 30, left] - (80 + 5 * frame)) < 8
            assert abs(pixels[top + 100, left] - (200 + 5 * frame)) < 8


def test_pictures_are_small_and_marked() -> None:
    pictures = list((ROOT / "docs" / "pictures").iterdir())
    assert sum(path.stat().st_size for path in pictures) <= 300_000
    with Image.open(ROOT / "docs" / "pictures" / "demo.webp") as picture:
        assert b"trainedAlgorithmicMedia" in picture.info["xmp"]
