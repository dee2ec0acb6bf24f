from __future__ import annotations

from pathlib import Path

import pytest

from signgen.data.deepfashion.names import CATEGORIES, GENDERS, ViewName, parse_name, parse_result

REAL = Path(__file__).resolve().parents[3].parent / "shared" / "real" / "deepfashion_fpdm"


def test_the_documented_name_in_both_spellings() -> None:
    name = parse_name("img/WOMEN/Blouses_Shirts/id_00003372/03_3_back.jpg")
    assert name == ViewName("WOMEN", "Blouses_Shirts", "00003372", "03", "3", "back")
    assert name.flat() == "fashionWOMENBlouses_Shirtsid0000337203_3back"
    assert name.nested == "WOMEN/Blouses_Shirts/id_00003372/03_3_back"
    assert name.group == "WOMEN-Blouses_Shirts-id_00003372-03"
    assert name.garment == "WOMEN-Blouses_Shirts-id_00003372"


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("gender", GENDERS)
def test_every_spelling_of_every_category_is_one_name(gender: str, category: str) -> None:
    name = ViewName(gender, category, "00000080", "01", "7", "additional")
    spellings = [name.nested, f"./img/{name.nested}", f"a/b/{name.nested}"]
    for prefix in ("fashion", "fasion"):
        for underscores in (True, False):
            flat = name.flat(prefix, underscores=underscores)
            spellings += [flat, f"train_highres/{flat}"]
    for spelling in spellings:
        for ending in ("", ".jpg", ".png", ".txt"):
            assert parse_name(spelling + ending) == name, spelling + ending


def test_there_are_seventeen_categories() -> None:
    assert len(set(CATEGORIES)) == 17


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "img",
            "WOMEN/Dresses/id_1/01_1_front.jpg",
            "KIDS/Dresses/id_00000001/01_1_front.jpg",
        ),
        *("fashionWOMENDressesid000000010_1front.jpg", "fashoinMENDenimid0000008001_1front.jpg"),
        *(
            "WOMEN/Dresses/id_00000001/01_1_front.gif",
            "WOMEN\\Dresses\\id_00000001\\01_1_front.jpg",
        ),
        *(
            "fashionWOMENDressesid0000000101_1front.jpg.png",
            "WOMEN/Dresses/id_00000001/01_1_front.jpg\n",
        ),
    ],
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert parse_name(text) is None


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the genuine DeepFashion sample is not on this machine"
)
def test_genuine_names_survive_both_spellings() -> None:
    files = sorted((REAL / "img").rglob("*.jpg"))
    assert len(files) == 14
    for file in files:
        name = parse_name(file.as_posix())
        assert name is not None
        assert file == REAL / "img" / f"{name.nested}.jpg"
        assert parse_name(name.flat()) == parse_name(name.flat("fasion", underscores=False)) == name


@pytest.mark.parametrize("category", CATEGORIES)
def test_results_are_named_by_source_and_target_in_three_ways(category: str) -> None:
    source = ViewName("MEN", category, "00000080", "02", "2", "side")
    target = ViewName("MEN", category, "00000080", "02", "7", "additional")
    joined = [view.nested.replace("/", "") for view in (source, target)]
    names = [
        f"{joined[0]}.jpg_2_{joined[1]}.jpg.png",
        f"{joined[0]}_2_{joined[1]}_vis.png",
        f"{source.flat()}_2_{target.flat()}_vis.png",
        f"{source.flat()}.jpg_2_{target.flat()}.jpg_vis.jpg",
        f"{source.flat()}_to_{target.flat()}.png",
        f"{source.flat('fasion', underscores=False)}_2_{target.flat('fasion')}.png",
    ]
    for name in names:
        assert parse_result(name) == (source, target), name


@pytest.mark.parametrize(
    "text", ["", "a_2_b.png", "fashionMENDenimid0000008001_1front.jpg", "images0001.png"]
)
def test_what_is_no_result_is_none(text: str) -> None:
    assert parse_result(text) is None
