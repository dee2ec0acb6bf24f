"""Splitting strips: made here, and the two that were published with FPDM."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.media import list_pictures, read_image, save_image
from tests.material.tools import load_tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("split_strips")


@pytest.fixture
def strip(tmp_path: Path) -> Path:
    """A folder of three strips; column k of strip t is grey 10 t + k."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for t in range(3):
        columns = [np.full((6, 5, 3), 10 * t + k, np.uint8) for k in range(4)]
        save_image(folder / f"{t}.png", np.concatenate(columns, axis=1))
    return folder


def test_columns_become_folders_of_pictures(tool: ModuleType, strip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert tool.main([str(strip), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["generated", "pose", "source", "truth"]
    for k, name in enumerate(("source", "pose", "truth", "generated")):
        pictures = [read_image(path) for path in list_pictures(out / name / "clip")]
        assert [picture.shape for picture in pictures] == [(6, 5, 3)] * 3
        assert [int(picture.max()) for picture in pictures] == [k, 10 + k, 20 + k]
        assert [int(picture.min()) for picture in pictures] == [k, 10 + k, 20 + k]


def test_columns_and_names_can_be_given(tool: ModuleType, strip: Path, tmp_path: Path) -> None:
    tool.split(strip, tmp_path / "out", tool.column_names(["left", "right"], 2))
    assert read_image(tmp_path / "out" / "right" / "clip" / "000000.png").shape == (6, 10, 3)
    assert tool.column_names(None, 3) == ("column0", "column1", "column2")
    assert tool.column_names(None, None) == tool.column_names(None, 4) == tool.NAMES


def test_a_width_that_does_not_divide_is_refused(
    tool: ModuleType, strip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert tool.main([str(strip), "--out", str(out), "--columns", "3"]) == ExitCode.DATA
    assert "20 pixels wide, which 3 equal columns cannot be" in capsys.readouterr().err
    assert not out.exists()


def test_nothing_is_replaced_and_nothing_half_written_stays(
    tool: ModuleType, strip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (strip / "1.png").write_bytes((strip / "1.png").read_bytes()[:60])
    with pytest.raises(UserError, match="damaged"):
        tool.split(strip, out)
    assert list(out.iterdir()) == []
    (out / "truth" / "clip").mkdir(parents=True)
    with pytest.raises(UserError, match="already there") as caught:
        tool.split(strip, out)
    assert caught.value.code == ExitCode.CANNOT_CREATE


def test_an_output_that_is_a_file_is_refused(tool: ModuleType, strip: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(UserError, match="cannot be created: File exists"):
        tool.split(strip, tmp_path / "out")


@pytest.mark.parametrize(
    ("names", "columns"), [(["a", "b"], 3), (["a", "a"], None), (["../a"], None), (None, 0)]
)
def test_names_that_cannot_be_folders_are_refused(
    tool: ModuleType, names: list[str] | None, columns: int | None
) -> None:
    with pytest.raises(UserError) as caught:
        tool.column_names(names, columns)
    assert caught.value.code == ExitCode.USAGE
