"""Names of DeepFashion In-shop pictures: one picture, two spellings; and of pictures made of two.

    nested   WOMEN/Blouses_Shirts/id_00003372/03_3_back.jpg     the archive, NTED, PIDM, FPDM
    flat     fashionWOMENBlouses_Shirtsid0000337203_3back.jpg   PATN, CFLD, DPTN, MCLD, PCDMs

Older flat lists begin with `fasion` and have no `_` inside the category (`fasionMENShirtsPolosid`).
Results are named by source and target: `A.jpg_2_B.jpg.png` with the nested name without its slashes
(FPDM), `A_2_B_vis.png` (PIDM, NTED, DPTN), `A_to_B.png` (PCDMs).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CATEGORIES", "GENDERS", "ViewName", "parse_name", "parse_result"]

GENDERS = ("MEN", "WOMEN")
CATEGORIES = (
    *("Blouses_Shirts", "Cardigans", "Denim", "Dresses", "Graphic_Tees", "Jackets_Coats"),
    *("Jackets_Vests", "Leggings", "Pants", "Rompers_Jumpsuits", "Shirts_Polos", "Shorts"),
    *("Skirts", "Suiting", "Sweaters", "Sweatshirts_Hoodies", "Tees_Tanks"),
)
"""Every category of the corpus; `MEN` and `WOMEN` each have some of them."""

_SPELLED = {category.replace("_", ""): category for category in CATEGORIES}
_NESTED = re.compile(
    r"(?:[^\\]*/)?(WOMEN|MEN)/([A-Za-z_]+)/id_(\d{8})/(\d{2})_(\d)_([a-z]+)(?:\.(?:jpg|png|txt))?"
)
_FLAT = re.compile(
    r"(?:[^\\]*/)?fash?ion(WOMEN|MEN)([A-Za-z_]+?)id(\d{8})(\d{2})_(\d)([a-z]+)(?:\.(?:jpg|png|txt))?"
)
# Either spelling in one word, however its slashes were replaced.
_WORD = (
    r"(?:\./?)?(?:img[_-]?)?(?:fash?ion)?[_-]?(WOMEN|MEN)[_-]?([A-Za-z_]+?)[_-]?"
    r"id_?(\d{8})[_-]?(\d{2})_(\d)_?([a-z]+)(?:\.(?:jpg|png))?"
)
_RESULT = re.compile(rf"{_WORD}_(?:2|to)_{_WORD}(?:_vis)?(?:\.(?:jpg|jpeg|png|webp))?")


@dataclass(frozen=True, order=True)
class ViewName:
    """One view of one garment.

    Args:
        gender: `MEN` or `WOMEN`.
        category: One of `CATEGORIES`.
        item: Eight digits of the garment.
        variant: Two digits: another colour of the garment, or another person in it.
        view: One digit, 1 front to 7 additional.
        tag: The view in words: `front`, `side`, `back`, `full`, `flat`, `additional`.
    """

    gender: str
    category: str
    item: str
    variant: str
    view: str
    tag: str

    @property
    def group(self) -> str:
        """Name of the record: the same person in the same garment."""
        return f"{self.garment}-{self.variant}"

    @property
    def garment(self) -> str:
        """Name of the garment; its variants may be in different splits."""
        return f"{self.gender}-{self.category}-id_{self.item}"

    @property
    def nested(self) -> str:
        """The name as a path without ending: `WOMEN/Dresses/id_00000001/02_1_front`."""
        folder = f"{self.gender}/{self.category}/id_{self.item}"
        return f"{folder}/{self.variant}_{self.view}_{self.tag}"

    def flat(self, prefix: str = "fashion", underscores: bool = True) -> str:
        """The name in one word without ending: `fashionWOMENDressesid0000000102_1front`.

        Args:
            prefix: `fashion`, or `fasion` as in older lists.
            underscores: Keep the `_` inside the category; older lists lack it.
        """
        category = self.category if underscores else self.category.replace("_", "")
        return f"{prefix}{self.gender}{category}id{self.item}{self.variant}_{self.view}{self.tag}"


def parse_name(text: str) -> ViewName | None:
    """Read a name in either spelling, with or without folders before it and an ending.

    Args:
        text: `./img/WOMEN/...jpg`, `fashionWOMEN...jpg`; the ending may be jpg, png or txt.

    Returns:
        The name, or None if it is none.
    """
    found = _NESTED.fullmatch(text) or _FLAT.fullmatch(text)
    if found is None:
        return None
    return _view(found.groups())


def parse_result(text: str) -> tuple[ViewName, ViewName] | None:
    """Read the name of a generated picture: the names of its source and of its target.

    Args:
        text: File name of a result of FPDM, PIDM, NTED, DPTN or PCDMs, without folders.

    Returns:
        Source and target, or None if it is no such name.
    """
    found = _RESULT.fullmatch(text)
    if found is None:
        return None
    groups = found.groups()
    return _view(groups[:6]), _view(groups[6:])


def _view(groups: Sequence[str]) -> ViewName:
    gender, category, *rest = groups
    return ViewName(gender, _SPELLED.get(category.replace("_", ""), category), *rest)
