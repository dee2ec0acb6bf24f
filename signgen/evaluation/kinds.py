"""What kind of files frames come from, for signatures: losses of JPEG and video are in the scores.

The same frames as PNG and as JPEG differ by .05 SSIM.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from PIL import Image

from signgen.data.adapter import DatasetAdapter
from signgen.data.dataset import ManifestDataset
from signgen.errors import UserError
from signgen.media import list_pictures, looks_like_video, probe_video
from signgen.media.decoding import opened
from signgen.media.video import PICTURE_SUFFIXES
from signgen.pose.summary import SAME_RATE
from signgen.structures import Record

__all__ = ["UNKNOWN", "check_rates", "kind_of", "kind_of_record"]

log = logging.getLogger(__name__)

UNKNOWN = "unknown"
_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57),
    *(69, 56, 14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64),
    *(81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of luma of JPEG's standard (ITU-T T.81, table K.1), of quality 50."""


def kind_of(path: Path) -> str:
    """Return the kind of a picture, of the first of a folder, or of a video: `png`, `jpeg-q75`...

    The quality of a JPEG is named where it has the standard's table of one. A file that cannot be
    read is of an unknown kind; reading its frames says why.
    """
    try:
        first = list_pictures(path)[0] if path.is_dir() else path
        if first.suffix.lower() in PICTURE_SUFFIXES:
            with Image.open(first) as picture:
                return _picture_kind(picture)
        with opened(first) as (_, stream):
            return str(stream.codec_context.name)
    except (UserError, OSError, ValueError, LookupError, Image.DecompressionBombError):
        return UNKNOWN


def check_rates(generated: Path, reference: Path) -> None:
    """Warn of two videos whose frames pass at different rates: they are compared one by one."""
    if not (looks_like_video(generated) and looks_like_video(reference)):
        return
    try:
        ours, true = (probe_video(path).fps for path in (generated, reference))
    except UserError:
        return  # reading the frames says why
    if abs(ours - true) > SAME_RATE * true:
        log.warning(
            "%s has %.4g frames per second, %s %.4g: frames are compared one by one, whatever "
            "their times. Resample one of them if both are to last as long.",
            *(generated, ours, reference, true),
        )


def kind_of_record(adapter: DatasetAdapter, record: Record) -> str:
    """Return the kind of the frames of a record, where the dataset has them in files."""
    if not isinstance(adapter, ManifestDataset):
        return UNKNOWN
    return kind_of(adapter.manifest.root / adapter.entry(record).frame_path(0))


def _picture_kind(picture: Image.Image) -> str:
    kind = (picture.format or UNKNOWN).lower()
    tables: dict[int, list[int]] = getattr(picture, "quantization", {})
    if kind != "jpeg" or 0 not in tables:
        return kind
    found = sorted(tables[0])
    for quality in range(1, 101):
        # The scale of the Independent JPEG Group's library, which everybody has
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        table = np.clip((np.array(_LUMINANCE) * scale + 50) // 100, 1, 255)
        if sorted(table.tolist()) == found:
            return f"jpeg-q{quality}"
    return kind
