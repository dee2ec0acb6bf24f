"""Print how many frames of synthetic signers are rendered per second on one core, files included.

OMP_NUM_THREADS=1 python tools/benchmark_synthetic.py [FRAMES] [MAKEHUMAN_ASSETS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from signgen.data.synthetic import CorpusPlan, write_corpus


def main() -> None:
    """Write a corpus of eight signers twice, once to warm up, and print its frames per second."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    assets = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    plan = CorpusPlan(8, frames=frames, assets=assets)
    with tempfile.TemporaryDirectory() as name:
        write_corpus(Path(name) / "warm", CorpusPlan(3, frames=1, assets=assets))
        wall, cpu = time.perf_counter(), time.process_time()
        write_corpus(Path(name) / "corpus", plan)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    count = 8 * frames
    print(
        f"{count} frames of 260 x 210 pixels: {count / wall:.1f} frames/s, "
        f"{count / cpu:.1f} frames per second of CPU time"
    )


if __name__ == "__main__":
    main()
