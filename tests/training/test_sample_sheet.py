"""Sample sheets: one row per example, everything at the size of the targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.data.dataset import open_dataset
from signgen.data.examples.loading import TripletDataset
from signgen.media import read_image
from signgen.media.resizing import resize_image
from signgen.models import build_model
from signgen.training.sample_sheet import ROWS, write_sheet


@pytest.mark.parametrize("source_size", [None, (56, 56)])
def test_rows_are_source_pose_what_was_made_and_target(
    source_size: tuple[int, int] | None, tmp_path: Path
) -> None:
    config = replace(tiny_fpdm(), source_size=source_size)
    adapter = open_dataset("sample")
    dataset = TripletDataset(adapter, DataConfig(workers=0), config, seed=1)
    write_sheet(build_model(config).eval(), dataset, tmp_path / "sheets" / "a.png")
    sheet = read_image(tmp_path / "sheets" / "a.png")
    assert sheet.shape == (ROWS * 64, 4 * 48, 3)
    for row in range(ROWS):
        triplet = dataset.triplet(row)
        source = resize_image(adapter.frame(triplet.source), source_size or (64, 48), "area")
        cells = np.split(sheet[row * 64 : (row + 1) * 64], 4, axis=1)
        assert np.array_equal(cells[0], resize_image(source, (64, 48), "area"))
        assert np.array_equal(
            cells[3], resize_image(adapter.frame(triplet.target), (64, 48), "area")
        )
        assert cells[1].max() > 100
        assert len({cell.tobytes() for cell in cells}) == 4
