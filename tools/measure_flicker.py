"""Flicker before and after `--steady`: python tools/measure_flicker.py [CLIPS] [MODEL] [STEPS].

Each clip of the bundled sample is rendered from its first frame with its own poses, then filtered.
Scores are those of `signgen eval` against the true frames, means over the clips.
"""

from __future__ import annotations

import sys

import numpy as np

from signgen import evaluate_frames
from signgen.config.sampling import Sampling
from signgen.data.dataset import open_dataset
from signgen.rendering.filters import steady
from signgen.rendering.loading import load_renderer
from signgen.structures import FrameRef

METRICS = ("flicker", "brightness_jitter", "second_difference", "psnr", "ssim", "hand_ssim")


def main(clips: int, model: str, steps: int) -> None:
    """Render clips, print the scores of both."""
    dataset = open_dataset("sample", ("train",))
    renderer = load_renderer(model, "cpu", None if model == "warp" else Sampling(steps=steps))
    scores: dict[str, list[list[float]]] = {"as rendered": [], "--steady": []}
    for record in dataset.records("train")[:clips]:
        poses = dataset.poses(record)
        truth = [dataset.frame(FrameRef(record, t)) for t in range(record.num_frames)]
        frames = list(renderer.render(truth[0], poses, signer=poses.frames([0])))
        for name, shown in (("as rendered", frames), ("--steady", list(steady(frames, poses)))):
            found = evaluate_frames(shown, truth, METRICS, poses=poses)
            values = [found[metric].value for metric in METRICS]
            scores[name].append([np.nan if value is None else value for value in values])
    print(f"{clips} clips, {model}, {steps} steps")
    print(f"{'':12}" + "".join(f"{metric:>19}" for metric in METRICS))
    for name, rows in scores.items():
        print(f"{name:12}" + "".join(f"{value:19.3f}" for value in np.nanmean(rows, axis=0)))


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        int(words[0]) if words else 6,
        words[1] if len(words) > 1 else "mini",
        int(words[2]) if len(words) > 2 else 4,
    )
