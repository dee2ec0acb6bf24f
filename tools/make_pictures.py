"""Make the picture of the README: source, driving poses and results of comparisons.

    python tools/make_pictures.py demo.compare.mp4 demo.other.compare.mp4 --out demo.webp

`make pictures` renders the bundled demo and calls it. Frames are spread evenly over each clip, the
first one left out, which is the source: none is chosen for its looks. The picture carries the mark
of synthetic media, as the videos do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import signgen
from signgen.files.writing import atomic_path
from signgen.media import contact_sheet, read_frames
from signgen.rendering.provenance.marks import digital_source_type, xmp_packet

FRAMES = 4
GAP = 4
"""Pixels between the three parts of a comparison."""


def strip(comparison: Path) -> NDArray[np.uint8]:
    """Return the source, large, beside poses above the frames that were made of them."""
    frames = list(read_frames(comparison))  # (H, 3 W + 2 gaps, 3) each
    width = (frames[0].shape[1] - 2 * GAP) // 3
    source, poses, results = (
        [frame[:, start : start + width] for frame in frames]
        for start in (0, width + GAP, 2 * (width + GAP))
    )
    chosen = np.linspace(0, len(frames) - 1, FRAMES + 1).round().astype(int)[1:]
    grid = contact_sheet([part[t] for part in (poses, results) for t in chosen], columns=FRAMES)
    large = contact_sheet([source[0]], scale=len(grid) / len(source[0]))
    return contact_sheet([large, grid], columns=2, gap=2 * GAP)


def main() -> None:
    """Write the picture of all comparisons, one below the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("comparisons", nargs="+", type=Path, help="OUT.compare.mp4 of renders")
    parser.add_argument("--out", type=Path, required=True, help="picture to write (WebP)")
    options = parser.parse_args()
    sheet = contact_sheet(map(strip, options.comparisons), columns=1, gap=4 * GAP)
    packet = xmp_packet(f"signgen {signgen.__version__}", digital_source_type("mini"))
    with atomic_path(options.out) as temporary:
        Image.fromarray(sheet).save(temporary, format="WEBP", quality=82, method=6, xmp=packet)


if __name__ == "__main__":
    main()
