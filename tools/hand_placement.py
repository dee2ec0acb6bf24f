"""Are the hands where the poses say? Compare the place of moving hands in rendered and true frames.

For every hand that is at least MOVED pixels from where it was in the source frame, the true 60 x 60
patch around the middle knuckle is searched for in the rendered frame (normalised correlation, up to
REACH pixels away); the distance of the best match from where it should be is the error. Copying the
source frame is measured in the same way.

    python tools/hand_placement.py --data runs/corpus --split test [--model mini] [--clips 20]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.checkpoints.models import load_model
from signgen.data.dataset import open_dataset
from signgen.pose.skeleton import MIDDLE_KNUCKLE
from signgen.rendering.renderer import Renderer
from signgen.structures import FrameRef

PATCH, MOVED, REACH, CLOSE = 60, 20.0, 24, 6.0
Frame = NDArray[np.uint8]


def displacement(rendered: Frame, true: Frame, centre: tuple[float, float]) -> float:
    """Return how far from its place a patch of the true frame is found in the rendered frame.

    Args:
        rendered: (H, W, 3) uint8 RGB.
        true: (H, W, 3) uint8 RGB.
        centre: (x, y) of the patch in pixels.

    Returns:
        Distance in pixels, at most REACH times the square root of 2.
    """
    half = PATCH // 2
    border = half + REACH
    wide = cv2.copyMakeBorder(rendered, border, border, border, border, cv2.BORDER_REFLECT_101)
    patch_source = cv2.copyMakeBorder(true, border, border, border, border, cv2.BORDER_REFLECT_101)
    x, y = (round(value) + border for value in centre)
    patch = patch_source[y - half : y + half, x - half : x + half]
    region = wide[y - half - REACH : y + half + REACH, x - half - REACH : x + half + REACH]
    score = cv2.matchTemplate(region, patch, cv2.TM_CCOEFF_NORMED)
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    return float(np.hypot(row - REACH, column - REACH))


def summary(errors: Sequence[float]) -> dict[str, float]:
    """Return number, median (pixels) and share of errors of at most CLOSE pixels."""
    values = np.asarray(errors)
    return {
        "hands": len(values),
        "median_px": round(float(np.median(values)), 2),
        f"within_{CLOSE:g}px": round(float((values <= CLOSE).mean()), 4),
    }


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="sample")
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--clips", type=int, default=0, help="0 takes all")
    options = parser.parse_args()
    dataset, renderer = open_dataset(options.data), Renderer(load_model(options.model))
    errors: dict[str, list[float]] = {"model": [], "copy of the source": []}
    for record in dataset.records(options.split)[: options.clips or None]:
        poses, source = dataset.poses(record), dataset.frame(FrameRef(record, 0))
        for index, frame in enumerate(renderer.render(source, poses, signer=poses.frames([0]))):
            true = dataset.frame(FrameRef(record, index))
            for knuckle in MIDDLE_KNUCKLE.values():
                x, y = poses.keypoints[index, knuckle]
                height, width = poses.size
                moved = float(
                    np.hypot(*(poses.keypoints[index, knuckle] - poses.keypoints[0, knuckle]))
                )
                if (
                    poses.confidence[index, knuckle] >= 0.3
                    and moved >= MOVED
                    and 0 <= x < width
                    and 0 <= y < height
                ):
                    errors["model"].append(displacement(frame, true, (x, y)))
                    errors["copy of the source"].append(displacement(source, true, (x, y)))
    print(
        json.dumps(
            {"data": Path(options.data).name, "split": options.split}
            | {k: summary(v) for k, v in errors.items()}
        )
    )


if __name__ == "__main__":
    main()
