"""The parts of a picture that are painted once per clip: background, and torso with neck."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.body import stage
from signgen.data.synthetic.canvas import Canvas, as_big, capsule, circle, smooth
from signgen.data.synthetic.signer import PARTS, Signer, blend, tint

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Layers:
    """Pictures painted once: all of the supersampled size except `labels`.

    Args:
        backdrop: (2 H, 2 W, 3) uint8 background.
        torso: (2 H, 2 W, 3) uint8 torso and neck in their reference place.
        weight: (2 H, 2 W) float32 opacity of the torso.
        labels: (H, W) uint8 part labels of the torso.
        shoulders: (2, 2) left and right shoulder in the torso picture, in pixels of the frame.
    """

    backdrop: NDArray[np.uint8]
    torso: NDArray[np.uint8]
    weight: NDArray[np.float32]
    labels: NDArray[np.uint8]
    shoulders: Array


def paint_backdrop(signer: Signer, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint a smooth background, (2 H, 2 W, 3) uint8.

    Args:
        signer: Whose background.
        size: (H, W) of the frame.
    """
    height, width = 2 * size[0], 2 * size[1]
    first, second = (np.asarray(colour, dtype=np.float64) for colour in signer.background_colours)
    down, across = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    if signer.background == "vertical":
        share = np.broadcast_to(down, (height, width))
    elif signer.background == "horizontal":
        share = np.broadcast_to(across, (height, width))
    elif signer.background == "studio":
        # A lit wall above a soft horizon, and a soft panel at one side.
        wall = 1 / (1 + np.exp(-(down - 0.66) * 26))
        panel = 1 / (1 + np.exp(-(across - 0.8) * 34)) * 0.35
        share = np.clip(0.75 * wall + panel * (1 - wall), 0, 1)
    else:
        share = np.zeros((height, width))
    picture = first + share[..., None] * (second - first)
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def _torso_outline(signer: Signer) -> Array:
    """Right half of the torso in the picture, mirrored to a closed outline in reference units."""
    half, top = signer.shoulders, signer.shoulder_height
    side = np.array(
        [
            [9, top - 16],
            [12, top - 13.5],
            [0.55 * half, top - 12],
            [half - 3, top - 10],
            [half + 7, top - 6],
            [half + 12, top + 5],
            [half + 9, top + 24],
            [half + 1, top + 44],
            [half - 2, top + 90],
            [half - 2, top + 128],
            [half + 3, top + 160],
            [half + 4, top + 230],
        ]
    )
    return smooth(np.concatenate([side, side[::-1] * np.array([-1.0, 1.0])]))


def _neckline(signer: Signer) -> Array:
    """Skin seen in the neckline, in reference units."""
    top = signer.shoulder_height - 14
    if signer.neckline == "v":
        return np.array(
            [
                [-11.0, top],
                [11, top],
                [9, top + 6],
                [0.5, top + 31],
                [-0.5, top + 31],
                [-9, top + 6],
            ]
        )
    depth = 17.0 if signer.neckline == "round" else 12.0
    outline = np.array(
        [
            [-12.0, top],
            [12, top],
            [11, top + 0.6 * depth],
            [4, top + depth],
            [-4, top + depth],
            [-11, top + 0.6 * depth],
        ]
    )
    return smooth(outline, 1)


def _paint_pattern(canvas: Canvas, signer: Signer, place: _Place) -> None:
    """Stripes, letters or nothing, over the whole torso; cut to its outline by the opacity."""
    top = signer.shoulder_height
    if signer.pattern == "striped":
        for y in np.arange(top + 14, top + 200, 20):
            bar = np.array([[-90.0, y], [90, y], [90, y + 6.5], [-90, y + 6.5]])
            canvas.fill(place(bar), signer.accent)
    elif signer.pattern == "lettered":
        scale = place.scale
        font, thickness = cv2.FONT_HERSHEY_DUPLEX, max(1, round(5.0 * scale))
        (width, height), _ = cv2.getTextSize(signer.letters, font, 1.0, thickness)
        wanted = min(60 * 2 * scale / width, 22 * 2 * scale / height)
        middle = as_big(place(np.array([[0.0, top + 66]])))[0]
        origin = (round(middle[0] - wanted * width / 2), round(middle[1] + wanted * height / 2))
        cv2.putText(
            canvas.big, signer.letters, origin, font, wanted, signer.accent, thickness, cv2.LINE_AA
        )


@dataclass(frozen=True)
class _Place:
    """Reference units of the standing signer -> pixels of the frame."""

    scale: float
    x: float
    y: float

    def __call__(self, points: Array) -> Array:
        return np.asarray(points * self.scale + np.array([self.x, self.y]))


def _shade(picture: NDArray[np.uint8], signer: Signer, place: _Place) -> NDArray[np.uint8]:
    """Light from the upper left and soft folds, as a smooth factor on the colours."""
    height, width = picture.shape[:2]
    x = ((np.arange(width) - 0.5) / 2 - place.x) / place.scale / signer.shoulders
    y = ((np.arange(height) - 0.5) / 2 - place.y) / place.scale - signer.shoulder_height
    x, y = x[None], y[:, None]
    factor = 1.06 - 0.2 * (x + 0.25) ** 2 - 0.0006 * np.clip(y, 0, None)
    rng = np.random.default_rng((signer.seed, 0xF01D))
    for _ in range(5):
        place_x, place_y = rng.uniform(-0.8, 0.8), rng.uniform(30, 150)
        slope = rng.uniform(14, 40) * -np.sign(place_x)
        across = (y - place_y - slope * (x - place_x)) / 6
        along = (x - place_x) / 0.28
        factor = factor + rng.choice([-0.1, 0.09]) * np.exp(-(across**2) - along**2)
    # Dark cloth needs an offset too, or its shading cannot be seen.
    shaded = picture * factor[..., None] + 60 * (factor[..., None] - 1)
    return np.asarray(np.clip(shaded, 0, 255), dtype=np.uint8)


def _paint_neck(canvas: Canvas, signer: Signer, place: _Place) -> None:
    """Neck column, neckline and collar over the cloth."""
    skin, line = signer.skin, tint(signer.skin, 0.5)
    top, scale = signer.shoulder_height, place.scale
    half = 0.47 * signer.head[0]
    column = np.array(
        [[-half, top - 50], [half, top - 50], [half * 1.04, top - 12], [-half * 1.04, top - 12]]
    )
    dark = blend(skin, (96, 40, 40), 0.25)
    neckline = _neckline(signer)
    if signer.neckline != "collar":
        rim = neckline + np.sign(neckline - neckline.mean(0)) * 2.2
        canvas.fill(place(rim), tint(signer.cloth, 1.12 if sum(signer.cloth) < 330 else 0.85))
    canvas.fill(place(neckline), skin, PARTS["neck"])
    canvas.stroke(place(neckline), line, 0.6 * scale, closed=True)
    canvas.fill(place(column), line, PARTS["neck"])
    canvas.fill(place(column + np.sign(column) * [-0.8, 0] + [0, 0.4]), skin, PARTS["neck"])
    canvas.fill(
        place(
            np.array(
                [
                    [-half * 0.9, top - 34],
                    [half * 0.9, top - 34],
                    [half * 0.5, top - 19],
                    [-half * 0.6, top - 20],
                ]
            )
        ),
        dark,
    )
    if signer.neckline == "collar":
        edge, fold = (
            tint(signer.cloth, 0.6),
            tint(signer.cloth, 1.14 if sum(signer.cloth) < 330 else 0.92),
        )
        for side in (-1.0, 1.0):
            flap = np.array(
                [
                    [half + 0.5, top - 18],
                    [half + 5, top - 12],
                    [15, top + 3],
                    [8, top + 8],
                    [1, top - 3],
                ]
            )
            flap = flap * np.array([side, 1.0])
            canvas.fill(place(flap), fold, PARTS["upper_clothing"])
            canvas.stroke(place(flap), edge, 0.8 * scale, closed=True)
        canvas.stroke(place(np.array([[0.0, top - 2], [0.0, top + 200]])), edge, 0.9 * scale)
        for y in np.arange(top + 16, top + 190, 30):
            canvas.fill(circle(place(np.array([2.6, y])), 1.5 * scale), signer.accent)


def paint_layers(signer: Signer, size: tuple[int, int]) -> Layers:
    """Paint background and torso of a signer.

    Args:
        signer: Whose.
        size: (H, W) of the frame.
    """
    scale, left, top = stage(size)
    place = _Place(scale, left + scale * signer.offset, top)
    outline = place(_torso_outline(signer))
    canvas = Canvas(np.full((2 * size[0], 2 * size[1], 3), signer.cloth, dtype=np.uint8))
    canvas.fill(outline, signer.cloth, PARTS["upper_clothing"])
    _paint_pattern(canvas, signer, place)
    canvas.big = _shade(canvas.big, signer, place)
    edge = tint(signer.cloth, 0.5) if sum(signer.cloth) > 120 else (6, 6, 8)
    canvas.stroke(outline, edge, 1.0 * scale, closed=True)
    _paint_neck(canvas, signer, place)
    opacity = Canvas(np.zeros_like(canvas.big))
    opacity.fill(outline, (255, 255, 255))
    neck = np.array([[0.0, signer.shoulder_height - 34], [0.0, signer.shoulder_height - 8]])
    ends = place(neck)
    half = 0.47 * signer.head[0] * scale
    opacity.fill(capsule(ends[0], ends[1], half, half * 1.04), (255, 255, 255))
    weight = np.asarray(opacity.big[..., 0] / 255, dtype=np.float32)
    shoulders = place(
        np.array(
            [
                [signer.shoulders, signer.shoulder_height],
                [-signer.shoulders, signer.shoulder_height],
            ]
        )
    )
    return Layers(paint_backdrop(signer, size), canvas.big, weight, canvas.labels, shoulders)
