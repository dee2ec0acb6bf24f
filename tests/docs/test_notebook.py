"""The notebook runs from its first cell to its last, offline, where it is opened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from signgen.media import probe_video
from signgen.rendering.provenance.record import read_provenance

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "signgen.ipynb"


def printed(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def test_it_is_committed_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells] == [[]] * len(cells)


@pytest.mark.slow
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
    parameters.source = "FRAMES = 3"
    nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    # What it made and showed
    for name, model in (("demo", "mini"), ("mine", "mini")):
        assert probe_video(tmp_path / f"{name}.mp4", count=True).num_frames == 3
        assert read_provenance(tmp_path / f"{name}.mp4").settings.get("model", "mini") == model
    shown = [
        key
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        for key in output.get("data", {})
    ]
    assert shown.count("image/png") == 1
    assert sum("<video" in output.data.get("text/html", "") for output in displays(notebook)) == 2
    texts = [printed(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert any("trainedAlgorithmicMedia" in text for text in texts)
    assert re.search(r"(?m)^ssim .*0\.\d+", texts[-1])


def displays(notebook: Any) -> list[Any]:
    return [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "display_data"
    ]
