"""Label maps: indexed or grey pictures, one number a pixel, beside the name of their label set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from signgen.config.regions import Region
from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input, one_line
from signgen.files.writing import atomic_path
from signgen.human_parsing.label_sets import LABEL_SETS, LabelSet, label_set

__all__ = [
    "LABEL_SET_FILE",
    "Parts",
    "read_label_set",
    "read_labels",
    "resize_labels",
    "save_labels",
]

LABEL_SET_FILE = "label_set.txt"
"""File in a folder of label maps that holds the name of their label set."""

# Colours to look at label maps with; the first ten are those of the rendered signers.
_COLOURS = (
    *((0, 0, 0), (255, 200, 160), (120, 70, 30), (230, 150, 110), (60, 110, 200)),
    *((90, 200, 90), (200, 90, 90), (160, 255, 60), (255, 60, 160), (90, 90, 130)),
    *((240, 220, 60), (60, 200, 200), (150, 60, 200), (250, 140, 40), (30, 130, 90)),
    *((200, 200, 200), (110, 160, 250), (180, 120, 180), (130, 130, 40), (250, 120, 120)),
    *((40, 60, 120), (200, 240, 160), (120, 40, 70), (90, 60, 200)),
)


@dataclass(frozen=True)
class Parts:
    """The human parsing of a picture.

    Args:
        labels: (H, W) uint8.
        labelled: What they mean.
        where: Where they come from, for messages.
    """

    labels: NDArray[np.uint8]
    labelled: LabelSet
    where: object

    def regions(self, names: Sequence[Region], size: tuple[int, int]) -> NDArray[np.int64]:
        """Return (H, W) numbers of regions at a size; see `LabelSet.in_regions`."""
        labels = resize_labels(self.labels, size)
        return self.labelled.in_regions(labels, names, self.where)

    def check_person(self) -> None:
        """Refuse a picture that shows nobody."""
        if not self.labels.any():
            raise UserError(
                f"{self.where} shows nobody: all of it is background. Expected a person; parse the "
                "picture again, or choose another."
            )

    def mirrored(self) -> Parts:
        """Return the parsing of the mirrored picture."""
        return Parts(self.labelled.mirrored(self.labels), self.labelled, self.where)


def read_labels(
    path: str | Path, labelled: LabelSet, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Read a label map, (H, W) uint8.

    Args:
        path: An indexed or 8-bit grey PNG; the palette of an indexed one means nothing.
        labelled: What its numbers mean.
        size: (H, W) that it must have.

    Raises:
        UserError: If it is missing (66), is none, has another size or a label that there is not.
    """
    path = check_input(path, "label map")
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            mode = picture.mode
            if mode in {"P", "L"}:
                labels: NDArray[np.uint8] = np.array(picture)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UserError(
            f"{path} is not a label map, or is damaged ({one_line(error)}); expected an indexed or "
            "8-bit grey PNG."
        ) from error
    if mode not in {"P", "L"}:
        raise UserError(
            f"{path} is a picture of mode {mode}; expected a label map, an indexed or 8-bit grey "
            "PNG with one number a pixel."
        )
    if size is not None and labels.shape != size:
        raise UserError(
            f"{path} is {labels.shape[1]} x {labels.shape[0]} pixels (width x height); its picture "
            f"has {size[1]} x {size[0]}. Expected the same size."
        )
    labelled.check(labels, path)
    return labels


def save_labels(path: Path, labels: NDArray[np.uint8]) -> None:
    """Write a label map (H, W) as an indexed PNG."""
    picture = Image.fromarray(labels).convert("P")
    picture.putpalette([value for colour in _COLOURS for value in colour])
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")


def read_label_set(folder: Path, given: str = "") -> LabelSet:
    """Return the label set of a folder of label maps.

    Args:
        folder: Holds `label_set.txt` with its name, if none is given.
        given: Its name, from the user; it must not contradict that file.

    Raises:
        UserError: If there is no name, an unknown one, or two.
    """
    path = folder / LABEL_SET_FILE
    noted = ""
    if path.is_file():
        noted = path.read_bytes()[:100].decode("utf-8", "replace").strip()
        label_set(noted, path)
    if given and noted and given != noted:
        raise UserError(
            f"--label-set is {given}; {path} says {noted}. Expected one name for both.",
            ExitCode.USAGE,
        )
    if not given and not noted:
        raise UserError(
            f"{folder} does not say what its labels mean; expected the name of their label set in "
            f"{LABEL_SET_FILE}, one of {', '.join(LABEL_SETS)}.",
            ExitCode.NO_INPUT,
        )
    return label_set(given or noted, "--label-set" if given else path)


def resize_labels(labels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a label map at another size (H, W): each pixel has the label at its centre."""
    rows, columns = (
        (np.arange(new) + 0.5) * old / new for new, old in zip(size, labels.shape, strict=True)
    )
    chosen: NDArray[np.uint8] = labels[rows.astype(int)[:, None], columns.astype(int)]
    return chosen
