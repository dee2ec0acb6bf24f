"""Label maps in files, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.human_parsing.label_sets import LABEL_SETS
from signgen.human_parsing.maps import read_label_set, read_labels, resize_labels, save_labels
from signgen.structures import UserError

LABELS = np.arange(20, dtype=np.uint8).reshape(4, 5)
LIP = LABEL_SETS["lip-20"]


def test_maps_come_back_whatever_their_palette(tmp_path: Path) -> None:
    save_labels(tmp_path / "indexed.png", LABELS)
    Image.fromarray(LABELS).save(tmp_path / "grey.png")
    with Image.open(tmp_path / "indexed.png") as picture:
        assert picture.mode == "P"
    for name in ("indexed.png", "grey.png"):
        np.testing.assert_array_equal(read_labels(tmp_path / name, LIP, (4, 5)), LABELS)


def test_resizing_takes_the_label_at_the_centre() -> None:
    np.testing.assert_array_equal(resize_labels(LABELS, (4, 5)), LABELS)
    np.testing.assert_array_equal(
        resize_labels(LABELS, (8, 10)), LABELS.repeat(2, axis=0).repeat(2, axis=1)
    )
    np.testing.assert_array_equal(resize_labels(LABELS, (2, 1)), LABELS[1::2, 2:3])


def test_what_is_no_label_map_is_refused_in_one_line(tmp_path: Path) -> None:
    colour, broken, high = (tmp_path / f"{name}.png" for name in ("colour", "broken", "high"))
    Image.new("RGB", (5, 4)).save(colour)
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    save_labels(high, LABELS + 5)
    cases = {
        (tmp_path / "none.png", None): "does not exist",
        (colour, None): "mode RGB; expected a label map",
        (broken, None): "is not a label map, or is damaged",
        (high, None): "has label 24; expected 0 to 19, because its label set is lip-20",
        (high, (5, 4)): "5 x 4 pixels .* its picture has 4 x 5",
    }
    for (path, size), message in cases.items():
        with pytest.raises(UserError, match=message) as caught:
            read_labels(path, LIP, size)
        assert "\n" not in str(caught.value)


def test_the_label_set_is_told_never_guessed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not say what its labels mean"):
        read_label_set(tmp_path)
    assert read_label_set(tmp_path, "lip-20") is LIP
    (tmp_path / "label_set.txt").write_text("cihp-20\n")
    assert read_label_set(tmp_path).name == "cihp-20"
    with pytest.raises(UserError, match=r"--label-set is lip-20; .* says cihp-20"):
        read_label_set(tmp_path, "lip-20")
    (tmp_path / "label_set.txt").write_text("lip\n")
    with pytest.raises(UserError, match="names label set 'lip'; expected one of lip-20"):
        read_label_set(tmp_path)
