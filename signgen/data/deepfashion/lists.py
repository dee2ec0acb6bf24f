"""The lists of DeepFashion In-shop: which pictures are in a split, and which make pairs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from signgen.data.deepfashion.names import ViewName, parse_name
from signgen.data.manifest import Problem
from signgen.files.reading import read_text
from signgen.structures import UserError

__all__ = ["ListForm", "ListedPair", "read_images", "read_pairs"]

ListForm = Literal["grouped", "csv", "json"]
"""`grouped`: lines `target,source1,source2,...`; `csv`: columns `from,to`; `json`: a list of
objects `source_image`, `target_image`."""

_Row = tuple[str, str, str]  # place, source, target
_MAX_BYTES = 64 * 2**20


class ListedPair(NamedTuple):
    """A pair and where it is listed."""

    source: ViewName
    target: ViewName
    place: str


def read_pairs(path: Path, form: ListForm) -> tuple[list[ListedPair], list[Problem]]:
    """Read the pairs of one split.

    Args:
        path: The file.
        form: How it is written.

    Returns:
        The pairs in the order of the file, repetitions too, and one problem for each pair whose
        names are none of DeepFashion.

    Raises:
        UserError: If the file is missing (66), is written in another way, or names a path that
            leads out of the dataset (65).
    """
    readers = {"grouped": _grouped_rows, "csv": _csv_rows, "json": _json_rows}
    pairs, problems = [], []
    for place, *texts in readers[form](read_text(path, _MAX_BYTES, "a list of names"), path):
        names = [_name(text, path, place) for text in texts]
        if names[0] is not None and names[1] is not None:
            pairs.append(ListedPair(names[0], names[1], place))
        else:
            odd = texts[0] if names[0] is None else texts[1]
            what = f"{place} names {odd[:80]!r}; expected a DeepFashion picture. Pair left out."
            problems.append(Problem(path, what))
    return pairs, problems


def read_images(path: Path) -> tuple[list[ViewName], list[Problem]]:
    """Read a list of pictures, one a line: `train.lst` or `test.lst`.

    Returns:
        The names in the order of the file, and one problem for each line that is no name.

    Raises:
        UserError: As `read_pairs`.
    """
    names, problems = [], []
    for number, line in enumerate(read_text(path, _MAX_BYTES, "a list of names").splitlines(), 1):
        if text := line.strip():
            name = _name(text, path, f"line {number}")
            if name is None:
                what = (
                    f"line {number} is {text[:80]!r}; expected the name of a DeepFashion picture."
                )
                problems.append(Problem(path, what))
            else:
                names.append(name)
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


def _grouped_rows(text: str, path: Path) -> Iterator[_Row]:
    """Yield every source of each line `target,source1,source2,...`."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        target, *sources = [part.strip() for part in line.split(",")]
        if not sources:
            raise UserError(
                f"{path}, line {number} is {line[:80]!r}; expected target,source,... separated by "
                "commas. Is it a list of another project?"
            )
        for source in sources:
            yield f"line {number}", source, target


def _csv_rows(text: str, path: Path) -> Iterator[_Row]:
    rows = iter([line.split(",") for line in text.splitlines()])  # as published: no quotes
    header = [cell.strip() for cell in next(rows, [])]
    if header[-2:] != ["from", "to"]:
        raise UserError(
            f"{path} begins with {','.join(header)[:80]!r}; expected the line from,to, separated "
            "by a comma."
        )
    for number, row in enumerate(rows, 2):
        if row == [""]:
            continue
        if len(row) != len(header):
            raise UserError(f"{path}, line {number} has {len(row)} fields; expected {len(header)}.")
        yield f"line {number}", row[-2].strip(), row[-1].strip()


def _json_rows(text: str, path: Path) -> Iterator[_Row]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
    keys = ("source_image", "target_image")
    for number, item in enumerate(items if isinstance(items, list) else [items]):
        texts = [item.get(key) for key in keys] if isinstance(item, dict) else []
        if len(texts) != 2 or not all(isinstance(text, str) for text in texts):
            raise UserError(
                f"{path}, item {number} is no pair; expected a list of objects with source_image "
                "and target_image."
            )
        yield f"item {number}", str(texts[0]), str(texts[1])
