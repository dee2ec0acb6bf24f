"""Learning curves of a run as a picture: `curves.png` beside its log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.reports.plots import Axis
from signgen.media import save_image

__all__ = ["read_curves", "write_curves"]

Curve = list[tuple[int, float]]
PANEL = (260, 440)
"""(H, W) of one plot in pixels."""
COLUMNS = 3
LIGHT, DARK, HELD_OUT = (170, 195, 225), (25, 80, 150), (200, 80, 20)
"""Of every logged step, of their running mean, of validations; RGB."""
LOGARITHMIC = 30
"""A curve whose largest value is so many times its smallest gets a logarithmic axis."""


def read_curves(
    history: Sequence[Mapping[str, object]],
) -> dict[str, tuple[Curve, Curve]]:
    """Return the training and the validation curve of each loss, score and rate by name.

    Args:
        history: Lines of log.jsonl.
    """
    curves: dict[str, tuple[Curve, Curve]] = {}
    for line in history:
        step = line["step"]
        held_out = line.get("validation")
        values = held_out if isinstance(held_out, Mapping) else line
        for name, value in values.items():
            if isinstance(step, int) and name != "step" and isinstance(value, int | float):
                pair = curves.setdefault(str(name), ([], []))
                pair[values is held_out].append((step, float(value)))
    return curves


def write_curves(history: Sequence[Mapping[str, object]], path: Path) -> None:
    """Draw a plot for each loss, score and rate of a run: training blue, validation orange.

    Args:
        history: Lines of log.jsonl; nothing is written where there are none.
        path: PNG to write.
    """
    plots = [_plot(name, *pair) for name, pair in read_curves(history).items()]
    if not plots:
        return
    columns = min(COLUMNS, len(plots))
    blank = np.full((*PANEL, 3), 255, np.uint8)
    plots += [blank] * (-len(plots) % columns)
    rows = [np.concatenate(plots[i : i + columns], axis=1) for i in range(0, len(plots), columns)]
    save_image(path, np.concatenate(rows))


def _plot(name: str, training: Curve, held_out: Curve) -> NDArray[np.uint8]:
    """Return one plot, (*PANEL, 3)."""
    # Axes
    height, width = PANEL
    picture = np.full((height, width, 3), 255, np.uint8)
    steps, values = zip(*training, *held_out, strict=True)
    logarithmic = min(values) > 0 and max(values) > LOGARITHMIC * min(values)
    across = Axis([0, max(steps)], 64, width - 12)
    shown = [_scaled(value, logarithmic) for value in values]
    up = Axis(shown if len(set(shown)) > 1 else [0.0, *shown], height - 30, 34)
    _write(picture, name, (64, 22), 0.5)
    for place, label in across.ticks():
        _write(picture, _short(float(label)), (int(place) - 8, height - 10))
    for place, label in up.ticks():
        cv2.line(picture, (64, int(place)), (width - 12, int(place)), (225, 225, 225), 1)
        value = 10 ** float(label) if logarithmic else float(label)
        _write(picture, _short(value), (6, int(place) + 4))

    # Curves
    def points(curve: Curve) -> NDArray[np.int32]:
        places = [
            (across.place(step), up.place(_scaled(value, logarithmic))) for step, value in curve
        ]
        return np.round(places).astype(np.int32)

    for curve, colour in (
        (training, LIGHT),
        (_running_mean(training), DARK),
        (held_out, HELD_OUT),
    ):
        if curve:
            cv2.polylines(picture, [points(curve)], False, colour, 1, cv2.LINE_AA)
    for x, y in points(held_out) if held_out else ():
        cv2.circle(picture, (int(x), int(y)), 2, HELD_OUT, -1, cv2.LINE_AA)
    return picture


def _scaled(value: float, logarithmic: bool) -> float:
    return math.log10(value) if logarithmic else value


def _running_mean(curve: Curve) -> Curve:
    """Return the exponential running mean over a fiftieth of a curve, without its bias."""
    decay = 1 - 1 / max(1, len(curve) / 50)
    smooth, total, weight = [], 0.0, 0.0
    for step, value in curve:
        total, weight = decay * total + (1 - decay) * value, decay * weight + (1 - decay)
        smooth.append((step, total / weight))
    return smooth


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:.4g}"


def _write(picture: NDArray[np.uint8], text: str, at: tuple[int, int], size: float = 0.38) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (60, 60, 60), 1, cv2.LINE_AA)
