"""Pairing images: by equal names in trees, and results on DeepFashion in everybody's naming."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.data.deepfashion.lists import ViewName
from signgen.errors import UserError
from signgen.evaluation.images import has_results, pair_images
from signgen.media import save_image

FRONT = ViewName("WOMEN", "Blouses_Shirts", "00003372", "02", "2", "side")
BACK = ViewName("WOMEN", "Blouses_Shirts", "00003372", "02", "3", "back")


def picture(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(path, np.full((12, 10, 3), value, np.uint8))
    return path


def result_name(style: str, source: ViewName, target: ViewName) -> str:
    joined = [view.nested.replace("/", "") for view in (source, target)]
    return {
        "fpdm": f"{joined[0]}.jpg_2_{joined[1]}.jpg.png",
        "pidm": f"{source.flat()}_2_{target.flat()}_vis.png",
        "pcdms": f"{source.flat()}_to_{target.flat()}.png",
    }[style]


def test_images_of_trees_are_paired_by_stem(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b.png", "c/mine.png"):
        picture(tmp_path / "ours" / name)
    for name in ("a/1.jpg", "a/2.webp", "b.png", "d.png", ".hidden/x.png"):
        picture(tmp_path / "truth" / name)
    found = pair_images(tmp_path / "ours", tmp_path / "truth")
    assert found.images
    assert [pair.id for pair in found.clips] == ["a/1", "a/2", "b"]
    assert [one.id for one in found.failed] == ["c/mine", "d"]
    assert found.counts == {"matched": 3, "only_generated": 1, "only_reference": 1}
    assert len(list(found.clips[0].open().reference)) == 1


@pytest.mark.parametrize("style", ["fpdm", "pidm", "pcdms"])
@pytest.mark.parametrize("reference", ["nested", "flat", "same"])
def test_results_on_deepfashion_find_their_targets(
    style: str, reference: str, tmp_path: Path
) -> None:
    pairs = [(FRONT, BACK), (BACK, FRONT)]
    for source, target in pairs:
        picture(tmp_path / "ours" / result_name(style, source, target))
    values = {FRONT: 10, BACK: 20}
    for view, value in values.items():
        names = {"nested": f"img/{view.nested}.jpg", "flat": f"{view.flat()}.png"}
        if reference in names:
            picture(tmp_path / "truth" / names[reference], value)
        if reference == "nested":
            picture(tmp_path / "truth" / "pose_img" / f"{view.nested}.jpg", 99)
    if reference == "same":
        for source, target in pairs:
            picture(tmp_path / "truth" / result_name("pcdms", source, target), values[target])
    assert has_results(tmp_path / "ours")
    found = pair_images(tmp_path / "ours", tmp_path / "truth")
    assert [pair.id for pair in found.clips] == [
        f"{FRONT.nested}_2_{BACK.nested}",
        f"{BACK.nested}_2_{FRONT.nested}",
    ]
    for pair, target, source in zip(found.clips, (20, 10), (10, 20), strict=True):
        opened = pair.open()
        assert next(iter(opened.reference))[0, 0, 0] == target
        if reference != "same":
            assert next(iter(opened.source))[0, 0, 0] == source
    assert found.counts == {"matched": 2, "only_generated": 0, "only_reference": 0}


def test_results_without_target_and_odd_names_are_failures(tmp_path: Path) -> None:
    other = ViewName("MEN", "Denim", "00000080", "01", "1", "front")
    for names in ((FRONT, BACK), (other, FRONT)):
        picture(tmp_path / "ours" / result_name("pidm", *names))
    picture(tmp_path / "ours" / "readme.png")
    for view in (BACK, other):
        picture(tmp_path / "truth" / f"{view.flat()}.jpg")
    found = pair_images(tmp_path / "ours", tmp_path / "truth")
    assert [pair.id for pair in found.clips] == [f"{FRONT.nested}_2_{BACK.nested}"]
    assert [one.id for one in found.failed] == [
        "readme.png",
        f"{other.nested}_2_{FRONT.nested}",
    ]
    assert found.counts == {"matched": 1, "only_generated": 1, "only_reference": 1}


def test_folders_that_cannot_be_paired_are_user_errors(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png")
    picture(tmp_path / "b" / "2.png")
    picture(tmp_path / "twice" / "1.png")
    picture(tmp_path / "twice" / "1.jpg")
    picture(tmp_path / "results" / result_name("fpdm", FRONT, BACK))
    (tmp_path / "empty").mkdir()
    cases = [
        ("a", "b", "no name in common"),
        ("a", "empty", "holds no pictures"),
        ("a", "missing", "is not a folder"),
        ("a", "twice", "the same name"),
        ("results", "a", "no pictures with names of DeepFashion"),
    ]
    for ours, truth, message in cases:
        with pytest.raises(UserError, match=message):
            pair_images(tmp_path / ours, tmp_path / truth)
