"""Kinds of files: named for what they are, and part of every signature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.config.evaluation import EvalConfig
from signgen.evaluation.command import evaluate
from signgen.evaluation.kinds import kind_of
from signgen.media import save_image, write_video


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 95, 100])
def test_the_quality_of_a_jpeg_is_read_from_its_table(tmp_path: Path, quality: int) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.jpg", quality=quality)
    assert kind_of(tmp_path / "a.jpg") == f"jpeg-q{quality}"


def test_kinds_of_pictures_folders_and_videos(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    save_image(tmp_path / "clip" / "1.png", picture())
    assert kind_of(tmp_path / "clip" / "1.png") == kind_of(tmp_path / "clip") == "png"
    write_video(tmp_path / "a.mp4", [picture(seed) for seed in range(3)], 25)
    assert kind_of(tmp_path / "a.mp4") == "h264"
    tables = [[3] * 64, [5] * 64]
    Image.fromarray(picture()).save(tmp_path / "own.jpg", qtables=tables)
    assert kind_of(tmp_path / "own.jpg") == "jpeg"
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    assert kind_of(tmp_path / "bad.jpg") == kind_of(tmp_path / "none.mp4") == "unknown"


def test_signatures_of_png_and_jpeg_references_differ(tmp_path: Path) -> None:
    for kind, options in (("png", {}), ("jpg", {"quality": 30}), ("made", {})):
        (tmp_path / kind).mkdir()
        ending = "png" if kind == "made" else kind
        Image.fromarray(picture()).save(tmp_path / kind / f"a.{ending}", **options)
    scores = [
        evaluate(
            EvalConfig(generated=str(tmp_path / "made"), reference=str(tmp_path / kind))
        ).score("ssim")
        for kind in ("png", "jpg")
    ]
    assert scores[0].value != scores[1].value
    assert "|reference:png|frames:" in scores[0].signature
    assert "|reference:jpeg-q30|frames:" in scores[1].signature
