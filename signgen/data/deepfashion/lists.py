"""The lists of DeepFashion In-shop, and the names in them: one picture, two spellings.

    nested   WOMEN/Blouses_Shirts/id_00003372/03_3_back.jpg     the archive, NTED, PIDM, FPDM
    flat     fashionWOMENBlouses_Shirtsid0000337203_3back.jpg   PATN, CFLD, DPTN, MCLD, PCDMs

Older flat lists begin with `fasion` and have no `_` inside the category (`fasionMENShirtsPolosid`).
Results are named by source and target: `A.jpg_2_B.jpg.png` with the nested name without its slashes
(FPDM), `A_2_B_vis.png` (PIDM, NTED, DPTN), `A_to_B.png` (PCDMs).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from signgen.data.manifest import Problem
from signgen.files.reading import read_text
from signgen.structures import UserError

__all__ = [
    "CATEGORIES",
    "ListForm",
    "ListedPair",
    "ViewName",
    "parse_name",
    "parse_result",
    "read_images",
    "read_pairs",
]

CATEGORIES = (
    *("Blouses_Shirts", "Cardigans", "Denim", "Dresses", "Graphic_Tees", "Jackets_Coats"),
    *("Jackets_Vests", "Leggings", "Pants", "Rompers_Jumpsuits", "Shirts_Polos", "Shorts"),
    *("Skirts", "Suiting", "Sweaters", "Sweatshirts_Hoodies", "Tees_Tanks"),
)
"""Every category of the corpus; `MEN` and `WOMEN` each have some of them."""

_SPELLED = {category.replace("_", ""): category for category in CATEGORIES}
_ENDING = r"(?:\.(?:jpg|png|txt))?"
_NESTED = re.compile(
    rf"(?:[^\\]*/)?(WOMEN|MEN)/([A-Za-z_]+)/id_(\d{{8}})/(\d{{2}})_(\d)_([a-z]+){_ENDING}"
)
_FLAT = re.compile(
    rf"(?:[^\\]*/)?fash?ion(WOMEN|MEN)([A-Za-z_]+?)id(\d{{8}})(\d{{2}})_(\d)([a-z]+){_ENDING}"
)
# Either spelling in one word, however its slashes were replaced.
_WORD = (
    r"(?:\./?)?(?:img[_-]?)?(?:fash?ion)?[_-]?(WOMEN|MEN)[_-]?([A-Za-z_]+?)[_-]?"
    r"id_?(\d{8})[_-]?(\d{2})_(\d)_?([a-z]+)(?:\.(?:jpg|png))?"
)
_RESULT = re.compile(rf"{_WORD}_(?:2|to)_{_WORD}(?:_vis)?(?:\.(?:jpg|jpeg|png|webp))?")
_MAX_BYTES = 64 * 2**20


# ----- names --------------------------------------------------------------------------------------


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
    def garment(self) -> str:
        """Name of the garment; its variants may be in different splits."""
        return f"{self.gender}-{self.category}-id_{self.item}"

    @property
    def group(self) -> str:
        """Name of the record: the same person in the same garment."""
        return f"{self.garment}-{self.variant}"

    @property
    def nested(self) -> str:
        """The name as a path without ending: `WOMEN/Dresses/id_00000001/02_1_front`."""
        folder = f"{self.gender}/{self.category}/id_{self.item}"
        return f"{folder}/{self.variant}_{self.view}_{self.tag}"

    def flat(self, prefix: str = "fashion", underscores: bool = True) -> str:
        """The name in one word without ending: `fashionWOMENDressesid0000000102_1front`.

        Older lists have the prefix `fasion` and no underscores inside the category.
        """
        category = self.category if underscores else self.category.replace("_", "")
        return f"{prefix}{self.gender}{category}id{self.item}{self.variant}_{self.view}{self.tag}"


def parse_name(text: str) -> ViewName | None:
    """Read a name in either spelling, whatever folders go before it; jpg, png, txt or no ending."""
    match = _NESTED.fullmatch(text) or _FLAT.fullmatch(text)
    return match and _view(match.groups())


def parse_result(text: str) -> tuple[ViewName, ViewName] | None:
    """Read source and target in the name of a generated picture, without folders."""
    match = _RESULT.fullmatch(text)
    return match and (_view(match.groups()[:6]), _view(match.groups()[6:]))


def _view(groups: Sequence[str]) -> ViewName:
    gender, category, *rest = groups
    return ViewName(gender, _SPELLED.get(category.replace("_", ""), category), *rest)


# ----- lists --------------------------------------------------------------------------------------

ListForm = Literal["grouped", "csv", "json"]
"""`grouped`: lines `target,source1,source2,...`; `csv`: columns `from,to`; `json`: a list of
objects `source_image`, `target_image`."""


class ListedPair(NamedTuple):
    """A pair and where it is listed."""

    source: ViewName
    target: ViewName
    place: str


class _Row(NamedTuple):
    place: str
    source: str
    target: str


def read_pairs(path: Path, form: ListForm) -> tuple[list[ListedPair], list[Problem]]:
    """Read the pairs of one split.

    Returns:
        The pairs in the order of the file, repetitions too, and one problem for each pair whose
        names are none of DeepFashion.
    """
    rows = {"grouped": _grouped_rows, "csv": _csv_rows, "json": _json_rows}[form]
    pairs, problems = [], []
    for row in rows(read_text(path, _MAX_BYTES, "a list of names"), path):
        source, target = (_name(text, path, row.place) for text in (row.source, row.target))
        if source is not None and target is not None:
            pairs.append(ListedPair(source, target, row.place))
        else:
            odd = row.source if source is None else row.target
            message = f"names {odd[:80]!r}; expected a DeepFashion picture. Pair left out."
            problems.append(Problem(path, f"{row.place} {message}"))
    return pairs, problems


def read_images(path: Path) -> tuple[list[ViewName], list[Problem]]:
    """Read a list of pictures, `train.lst` or `test.lst`; a line that is no name is a problem."""
    names, problems = [], []
    for place, text in _lines(read_text(path, _MAX_BYTES, "a list of names")):
        if name := _name(text, path, place):
            names.append(name)
        else:
            message = f"is {text[:80]!r}; expected the name of a DeepFashion picture."
            problems.append(Problem(path, f"{place} {message}"))
    return names, problems


def _name(text: str, path: Path, place: str) -> ViewName | None:
    """Parse a name; only its parts are ever used, but a list that leads elsewhere is refused."""
    parts = PurePosixPath(text)
    if parts.is_absolute() or ".." in parts.parts or "\0" in text:
        raise UserError(
            f"{path}, {place} names {text[:80]!r}, a path that leads out of the dataset; expected "
            "names below its folder. Write the list again."
        )
    return parse_name(text)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield the lines that are not empty, each with its place."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"line {number}", line.strip()


def _grouped_rows(text: str, path: Path) -> Iterator[_Row]:
    """Yield every source of each line `target,source1,source2,...`."""
    for place, line in _lines(text):
        target, *sources = [part.strip() for part in line.split(",")]
        if not sources:
            raise UserError(
                f"{path}, {place} is {line[:80]!r}; expected target,source,... separated by "
                "commas. Is it a list of another project?"
            )
        for source in sources:
            yield _Row(place, source, target)


def _csv_rows(text: str, path: Path) -> Iterator[_Row]:
    lines = text.splitlines()
    header = [cell.strip() for cell in lines[0].split(",")] if lines else []
    if header[-2:] != ["from", "to"]:
        raise UserError(
            f"{path} begins with {','.join(header)[:80]!r}; expected the line from,to, separated "
            "by a comma."
        )
    for number, line in enumerate(lines[1:], 2):
        cells = line.split(",")  # as published: no quotes
        if line and len(cells) != len(header):
            raise UserError(
                f"{path}, line {number} has {len(cells)} fields; expected {len(header)}."
            )
        if line:
            yield _Row(f"line {number}", cells[-2].strip(), cells[-1].strip())


def _json_rows(text: str, path: Path) -> Iterator[_Row]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
    for number, item in enumerate(items if isinstance(items, list) else [items]):
        match item:
            case {"source_image": str(source), "target_image": str(target)}:
                yield _Row(f"item {number}", source, target)
            case _:
                raise UserError(
                    f"{path}, item {number} is no pair; expected a list of objects with "
                    "source_image and target_image."
                )
