"""Make the bundled sample: 40 rendered signers, and two frames and poses that `make demo` renders.

python tools/make_sample.py MAKEHUMAN_ASSETS [OUT]

The corpus is that of `signgen prepare synthetic --signers 40 --clips-per-signer 1 --seed 2026
--frames 12`; to be small, each of its frames is reduced to 112 colours of its own (39 dB).
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from signgen.data.synthetic import CorpusPlan, write_corpus
from signgen.data.synthetic.clip import Studio
from signgen.media import save_image
from signgen.pose.formats import write_poses

COLOURS = 112
DEMOS = {"demo": (481, 1), "demo/other": (494, 1)}
"""Folders and seeds of the demo: its signers look at the camera, both hands in sight at first."""
DEMO_FRAMES = 60
NOTE = """
Each frame is reduced to {colours} colours of its own, so that the sample is small. `demo/` holds
the first frame and the {frames} poses of another signer's clip, `demo/other/` those of one more.
"""


def main() -> None:
    """Write the sample to a new folder."""
    assets = Path(sys.argv[1])
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("sample")
    write_corpus(out, CorpusPlan(40, seed=2026, frames=12, assets=assets))
    for path in sorted((out / "features").rglob("*.png")):
        with Image.open(path) as picture:
            picture.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
                path, optimize=True
            )
    write_demos(assets, out)
    with (out / "README.md").open("a", encoding="utf-8") as card:
        card.write(NOTE.format(colours=COLOURS, frames=DEMO_FRAMES))


def write_demos(assets: Path, out: Path) -> None:
    """Write the first frame and the poses of each demo into its folder in `out`."""
    for name, seeds in DEMOS.items():
        clip = Studio(assets).render_clip(*seeds, DEMO_FRAMES)
        (out / name).mkdir()
        save_image(out / name / "source.png", clip.frames[0])
        write_poses(clip.poses, out / name / "poses.json")


if __name__ == "__main__":
    main()
