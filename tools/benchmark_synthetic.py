"""Print how many frames of synthetic signers are drawn per second on one core.

OMP_NUM_THREADS=1 python tools/benchmark_synthetic.py [FRAMES]
"""

from __future__ import annotations

import sys
import time

from signgen.data.synthetic import render_clip


def main() -> None:
    """Draw clips of eight signers and print frames per second and CPU."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 48
    render_clip(0, 0, 2)
    wall, cpu = time.perf_counter(), time.process_time()
    for seed in range(8):
        render_clip(seed, 0, frames)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{8 * frames} frames of 260 x 210 pixels: {8 * frames / wall:.0f} frames/s, "
        f"{8 * frames / cpu:.0f} frames per second of CPU time"
    )


if __name__ == "__main__":
    main()
