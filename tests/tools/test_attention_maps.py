"""Where attention falls, by region of the source, of a tiny model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from signgen.checkpoints.models import save_pretrained
from signgen.config.model import tiny_fpdm, tiny_parsing
from signgen.media import read_image
from signgen.models import build_model
from tests.material.tools import load_tool

attention_maps = load_tool("attention_maps")


@pytest.mark.parametrize("site", [0, 2, -1])
def test_shares_of_regions_are_shown(
    site: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    save_pretrained(build_model(tiny_parsing()), tmp_path / "model")
    words = ["--run", str(tmp_path / "model"), "--data", "sample", "--examples", "2"]
    picture = tmp_path / "maps.png"
    more = ["--site", str(site), "--out", str(picture)]
    monkeypatch.setattr(sys, "argv", ["attention_maps", *words, *more])
    attention_maps.main()
    assert "source, target, rest, face, cloth, body" in capsys.readouterr().out
    shown = read_image(picture).astype(int)
    height, width = tiny_parsing().size
    assert shown.shape == (2 * height, 6 * width, 3)
    # Every cell looks somewhere: its shares are one white in all
    shares = shown.reshape(2 * height, 6, width, 3)[:, 2:, :, 0]
    assert abs(shares.sum(axis=1) - 255).max() <= 2
    assert shares.std(axis=(0, 2)).max() > 0


def test_another_kind_of_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_pretrained(build_model(tiny_fpdm()), tmp_path / "model")
    words = ["--run", str(tmp_path / "model"), "--data", "sample", "--out", "maps.png"]
    monkeypatch.setattr(sys, "argv", ["attention_maps", *words])
    with pytest.raises(SystemExit, match="of kind fpdm; expected parsing-guided"):
        attention_maps.main()
