"""Make the bundled sample: 40 rendered signers, and the frame and poses that `make demo` renders.

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
DEMO = (481, 1)
"""Seeds of the demo: its signer looks at the camera and starts with both hands in sight."""
DEMO_FRAMES = 60
NOTE = """
Each frame is reduced to {colours} colours of its own, so that the sample is small. `demo/` holds
the first frame and the {frames} poses of another signer's clip.
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
    # The demo
    clip = Studio(assets).render_clip(*DEMO, DEMO_FRAMES)
    (out / "demo").mkdir()
    save_image(out / "demo" / "source.png", clip.frames[0])
    write_poses(clip.poses, out / "demo" / "poses.json")
    with (out / "README.md").open("a", encoding="utf-8") as card:
        card.write(NOTE.format(colours=COLOURS, frames=DEMO_FRAMES))


if __name__ == "__main__":
    main()
