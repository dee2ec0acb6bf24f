"""Peak memory of short and long renders: python tools/measure_memory.py [FRAMES ...].

Renders so many frames (300 and 3,000) of the bundled sample with the warp, 64 x 52 pixels, each in
a process of its own, from poses as NPZ and as JSON, and prints the largest resident memory of each
and its ratio to the first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from signgen.media import read_image, save_image
from signgen.media.resizing import resize_image
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.transforms import fit_to_source

DEMO = Path(__file__).parents[1] / "signgen" / "assets" / "sample" / "demo"
SIZE = (64, 52)


def peak(words: list[str]) -> float:
    """Run a command; return its largest resident memory in MiB."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} ended with {status}")
    return usage.ru_maxrss / 1024


def write(path: Path, length: int) -> None:
    """Write so many poses, there and back again."""
    poses = fit_to_source(read_poses(DEMO / "poses.json"), SIZE)
    last = len(poses) - 1
    order = np.resize(np.r_[0:last, last:0:-1], length)
    write_poses(replace(poses.frames(order.tolist()), fps=25.0), path)


def main(lengths: list[int]) -> None:
    """Print a line for every length."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_image(folder / "s.png", resize_image(read_image(DEMO / "source.png"), SIZE, "area"))
        write(folder / "s.json", 1)
        words = [sys.executable, "-m", "signgen", "render", "--model", "warp", "--no-resume"]
        words += ["--source", str(folder / "s.png"), "--source-poses", str(folder / "s.json")]
        for kind in ("npz", "json"):
            first = 0.0
            for length in lengths:
                # Elsewhere: a process begins with the largest memory of the one that starts it
                writing = get_context("fork").Process(
                    target=write, args=(folder / f"p.{kind}", length)
                )
                writing.start()
                writing.join()
                files = ["--poses", str(folder / f"p.{kind}"), "--out", str(folder / "o.mp4")]
                found = peak([*words, *files])
                first = first or found
                print(
                    f"{kind:4} {length:6} frames {found:6.1f} MiB  x{found / first:.3f}", flush=True
                )


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [300, 3000])
