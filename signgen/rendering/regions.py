"""Regions of the pictures that a render starts from, by human parsing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.config.regions import Region
from signgen.config.render import RenderConfig
from signgen.data.framing import Crop
from signgen.human_parsing.maps import Parts, read_label_set, read_labels
from signgen.human_parsing.parsers import is_label_map, open_parser
from signgen.media import read_image
from signgen.rendering.base import Frame, PartsOf
from signgen.rendering.editing import Donor, region_mask, shows
from signgen.structures import ExitCode, UserError

__all__ = ["open_donors", "open_mask", "open_parsing", "regions_of", "required"]


def regions_of(
    names: Sequence[Region],
    parts: PartsOf | None,
    whole: tuple[int, int],
    crop: Crop | None,
    size: tuple[int, int],
) -> NDArray[np.int64] | None:
    """Return the regions of a source as a model wants them.

    Args:
        names: The model's regions; without any, nothing is asked for.
        parts: Gives the human parsing of the picture.
        whole: (H, W) of the picture.
        crop: The part of it that is rendered, or None for all.
        size: (Hs, Ws) of the result.

    Returns:
        (Hs, Ws): 0 elsewhere, then the regions in their order; None for models without any.

    Raises:
        UserError: If the model needs a parsing and there is none, or it is of another size or
            shows nobody.
    """
    if not names:
        return None
    given = required(parts)()
    if given.labels.shape != whole:
        height, width = given.labels.shape
        raise UserError(
            f"{given.where} is {width} x {height} pixels (width x height); its picture has "
            f"{whole[1]} x {whole[0]}. Expected the same size."
        )
    given.check_person()
    if crop is not None:
        given = Parts(crop.cut(given.labels), given.labelled, given.where)
    return given.regions(names, size)


def required(parts: PartsOf | None) -> PartsOf:
    """Return what gives the human parsing of a source, which the model needs."""
    if parts is None:
        raise UserError(
            "the model tells apart regions of the source and needs its human parsing. Give "
            "--parsing a label map (PNG), a SegFormer checkpoint or an ONNX file of SCHP.",
            ExitCode.NO_INPUT,
        )
    return parts


def open_parsing(config: RenderConfig, name: str, picture: Frame) -> PartsOf | None:
    """Return what gives the human parsing of a picture; a label map is read now.

    Args:
        config: What the numbers in label maps mean, and where networks compute.
        name: A label map or a network, see `open_parser`; None is returned for none.
        picture: (H, W, 3) uint8 RGB.
    """
    if not name:
        return None
    path = Path(name)
    if is_label_map(name):
        labelled = read_label_set(path.parent, config.label_set or "")
        size = (picture.shape[0], picture.shape[1])
        read = Parts(read_labels(path, labelled, size), labelled, path)
        return lambda: read

    @cache
    def parse() -> Parts:
        parser = open_parser(name, config.label_set, config.device)
        return Parts(next(parser.parse([picture])), parser.labelled, name)

    return parse


def open_donors(config: RenderConfig) -> tuple[Donor, ...]:
    """Return the pictures that regions are taken from, checked.

    Raises:
        UserError: If one has no human parsing, or does not show its region.
    """
    wanted: dict[Region, tuple[str, str]] = {
        "cloth": (config.clothes_from, config.clothes_parsing),
        "face": (config.face_from, config.face_parsing),
    }
    donors = []
    for region, (name, labels) in wanted.items():
        flag = "clothes" if region == "cloth" else region
        if not name:
            continue
        picture = read_image(name)
        # A network serves all pictures, a label map is of one
        shared = "" if is_label_map(config.parsing) else config.parsing
        parts = open_parsing(config, labels or shared, picture)
        if parts is None:
            raise UserError(
                f"--{flag}-from needs the human parsing of {name}. Give --{flag}-parsing a label "
                "map (PNG), or --parsing a network.",
                ExitCode.NO_INPUT,
            )
        if labels:
            shows(parts(), region)
        donors.append(Donor(region, picture, parts))
    return tuple(donors)


def open_mask(
    config: RenderConfig, source: Frame, parts: PartsOf | None
) -> NDArray[np.bool_] | None:
    """Return where the source (H, W, 3) is made anew, (H, W); None for everywhere."""
    size = (source.shape[0], source.shape[1])
    if config.mask:
        mask = read_image(config.mask).max(axis=-1) > 0
        if mask.shape != size:
            raise UserError(
                f"{config.mask} is {mask.shape[1]} x {mask.shape[0]} pixels (width x height); the "
                f"source has {size[1]} x {size[0]}. Expected the same size."
            )
        if not mask.any():
            raise UserError(f"{config.mask} is black all over; expected where to edit.")
        return np.asarray(mask)
    if config.edit_region is None:
        return None
    return region_mask(required(parts)(), config.edit_region)
