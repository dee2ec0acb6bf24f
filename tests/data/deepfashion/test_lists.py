"""Names of DeepFashion pictures in all their spellings; lists in another form are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from signgen.data.deepfashion.lists import (
    CATEGORIES,
    ViewName,
    parse_name,
    parse_result,
    read_images,
    read_pairs,
)
from signgen.structures import UserError
from tests.material.places import REAL, needs_real


def test_the_documented_name_in_both_spellings() -> None:
    name = parse_name("img/WOMEN/Blouses_Shirts/id_00003372/03_3_back.jpg")
    assert name == ViewName("WOMEN", "Blouses_Shirts", "00003372", "03", "3", "back")
    assert name.flat() == "fashionWOMENBlouses_Shirtsid0000337203_3back"
    assert name.nested == "WOMEN/Blouses_Shirts/id_00003372/03_3_back"
    assert name.group == "WOMEN-Blouses_Shirts-id_00003372-03"
    assert name.garment == "WOMEN-Blouses_Shirts-id_00003372"


def test_every_spelling_of_every_category_is_one_name() -> None:
    assert len(set(CATEGORIES)) == 17
    for category in CATEGORIES:
        for gender in ("MEN", "WOMEN"):
            name = ViewName(gender, category, "00000080", "01", "7", "additional")
            spellings = [name.nested, f"./img/{name.nested}", f"a/b/{name.nested}"]
            for prefix in ("fashion", "fasion"):
                for underscores in (True, False):
                    flat = name.flat(prefix, underscores=underscores)
                    spellings += [flat, f"train_highres/{flat}"]
            for spelling in spellings:
                for ending in ("", ".jpg", ".png", ".txt"):
                    assert parse_name(spelling + ending) == name, spelling + ending


def test_results_are_named_by_source_and_target_in_three_ways() -> None:
    for category in CATEGORIES:
        source = ViewName("MEN", category, "00000080", "02", "2", "side")
        target = ViewName("MEN", category, "00000080", "02", "7", "additional")
        joined = [view.nested.replace("/", "") for view in (source, target)]
        for name in (
            f"{joined[0]}.jpg_2_{joined[1]}.jpg.png",
            f"{joined[0]}_2_{joined[1]}_vis.png",
            f"{source.flat()}_2_{target.flat()}_vis.png",
            f"{source.flat()}.jpg_2_{target.flat()}.jpg_vis.jpg",
            f"{source.flat()}_to_{target.flat()}.png",
            f"{source.flat('fasion', underscores=False)}_2_{target.flat('fasion')}.png",
        ):
            assert parse_result(name) == (source, target), name


def test_what_is_no_name_is_none() -> None:
    for text in (
        *("", "img", "WOMEN/Dresses/id_1/01_1_front.jpg", "a_2_b.png", "images0001.png"),
        *("KIDS/Dresses/id_00000001/01_1_front.jpg", "fashoinMENDenimid0000008001_1front.jpg"),
        *("WOMEN/Dresses/id_00000001/01_1_front.gif", "fashionWOMENDressesid000000010_1front.jpg"),
        *(
            "WOMEN\\Dresses\\id_00000001\\01_1_front.jpg",
            "WOMEN/Dresses/id_00000001/01_1_front.jpg\n",
        ),
        "fashionWOMENDressesid0000000101_1front.jpg.png",
    ):
        assert parse_name(text) is None, text
        assert parse_result(text) is None, text
    assert parse_result("fashionMENDenimid0000008001_1front.jpg") is None


@needs_real
def test_genuine_names_survive_both_spellings() -> None:
    root = REAL / "deepfashion_fpdm" / "img"
    files = sorted(root.rglob("*.jpg"))
    assert len(files) == 14
    for file in files:
        name = parse_name(file.as_posix())
        assert name is not None
        assert file == root / f"{name.nested}.jpg"
        assert parse_name(name.flat()) == parse_name(name.flat("fasion", underscores=False)) == name


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("grouped", "a.jpg b.jpg\n", "line 1 is 'a.jpg b.jpg'.*separated by commas"),
        ("grouped", "/etc/passwd,/etc/passwd\n", "leads out of the dataset"),
        ("csv", "from;to\na;b\n", "expected the line from,to"),
        ("csv", "from,to\na,b,c\n", "line 2 has 3 fields; expected 2"),
        ("csv", "from,to\na/../../b,c\n", "leads out"),
        ("json", '[{"source": "a", "target": "b"}]', "item 0 is no pair"),
        ("json", '[{"source_image": "a", "target_image": 3}]', "item 0 is no pair"),
        ("json", "[[1, 2]]", "is no pair"),
        ("json", '[{"source_image": "a"', "is not JSON"),
        ("images", "../img/x.jpg\n", "leads out of the dataset"),
    ],
)
def test_lists_in_another_form_are_refused(
    tmp_path: Path, form: str, text: str, message: str
) -> None:
    (tmp_path / "list").write_text(text)
    with pytest.raises(UserError, match=message) as refused:
        read_images(tmp_path / "list") if form == "images" else read_pairs(tmp_path / "list", form)
    assert str(refused.value).startswith(f"{tmp_path / 'list'}")
    assert "\n" not in str(refused.value)
