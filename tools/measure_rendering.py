"""Scores and cost of presets, with and without `--steady`, on the bundled sample.

python tools/measure_rendering.py [--clips 2] [--model mini] [--presets quality fast]

Each clip is rendered from its first frame with its own poses, then filtered. Scores are those of
`signgen eval` against the true frames, means over the clips; seconds are processor time a frame.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from signgen import evaluate_frames
from signgen.config.sampling import PRESETS
from signgen.data.dataset import open_dataset
from signgen.rendering.finishing.filters import steady
from signgen.rendering.loading import load_renderer
from signgen.structures import FrameRef

METRICS = ("flicker", "brightness_jitter", "second_difference", "psnr", "ssim", "hand_ssim")


def measure(clips: int, model: str, preset: str) -> dict[str, list[float]]:
    """Return the means of all scores as rendered and steadied, the seconds a frame first."""
    dataset = open_dataset("sample", ("train",))
    renderer = load_renderer(model, "cpu", PRESETS[preset])  # type: ignore[index]
    scores: dict[str, list[list[float]]] = {"": [], " --steady": []}
    for record in dataset.records("train")[:clips]:
        # Render, and filter
        poses = dataset.poses(record)
        truth = [dataset.frame(FrameRef(record, t)) for t in range(record.num_frames)]
        start = time.process_time()
        frames = list(renderer.render(truth[0], poses, signer=poses.frames([0])))
        rendered = time.process_time()
        calm = list(steady(frames, poses))
        seconds = (rendered - start, time.process_time() - start)

        # Score
        for name, shown, spent in zip(scores, (frames, calm), seconds, strict=True):
            found = evaluate_frames(shown, truth, METRICS, poses=poses)
            values = [found[metric].value for metric in METRICS]
            known = [np.nan if value is None else value for value in values]
            scores[name].append([spent / len(truth), *known])
    return {f"{preset}{name}": np.nanmean(rows, axis=0).tolist() for name, rows in scores.items()}


def main() -> None:
    """Print a row for every preset, as rendered and steadied."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--presets", nargs="+", choices=tuple(PRESETS), default=tuple(PRESETS))
    options = parser.parse_args()
    print(f"{options.model}, {options.clips} clips of the sample")
    print(f"{'':18}{'seconds':>9}" + "".join(f"{metric:>19}" for metric in METRICS))
    for preset in options.presets:
        for name, (spent, *values) in measure(options.clips, options.model, preset).items():
            cells = "".join(f"{value:19.3f}" for value in values)
            print(f"{name:18}{spent:9.2f}{cells}", flush=True)


if __name__ == "__main__":
    main()
