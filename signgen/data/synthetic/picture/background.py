"""What is behind a signer, as linear light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from signgen.data.synthetic.signers.appearance import Background

__all__ = ["draw_background"]

Array = NDArray[np.float64]


def draw_background(background: Background, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return (H, W, 3) linear light; the same background gives the same picture."""
    height, width = size
    rng = np.random.default_rng(background.seed)
    main, accent = np.array(background.colour), np.array(background.accent)
    y, x = np.mgrid[0:height, 0:width] / max(size)
    # A soft light somewhere above
    centre = rng.uniform((0.1, -0.3), (0.9, 0.6))
    fall = np.exp(-(((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / rng.uniform(0.4, 1.4)))
    light = (1 - (depth := rng.uniform(0.1, 0.5))) + depth * fall
    if background.kind == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        share = np.clip(0.5 + (x - 0.4) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)
        colours = main + share[..., None] * (accent - main)
    elif background.kind == "noise":
        share = np.zeros(size)
        for scale in (0.15, 0.06, 0.02):
            noise = gaussian_filter(rng.normal(size=size), scale * max(size), mode="wrap")
            share += noise / noise.std() * scale * 2
        colours = main + np.clip(0.5 + share, 0, 1)[..., None] * (accent - main)
    elif background.kind == "room":
        colours = _room(rng, main, accent, size)
    else:
        colours = np.broadcast_to(main, (height, width, 3))
    return np.asarray(colours * light[..., None], np.float32)


def _room(rng: np.random.Generator, main: Array, accent: Array, size: tuple[int, int]) -> Array:
    """A wall with boxes before it, out of focus."""
    height, width = size
    picture = np.tile(main, (height, width, 1))
    for _ in range(int(rng.integers(3, 9))):
        top, left = rng.uniform(-0.1, 0.9) * height, rng.uniform(-0.2, 0.9) * width
        tall, wide = rng.uniform(0.1, 0.7) * height, rng.uniform(0.06, 0.4) * width
        colour = accent * rng.uniform(0.4, 1.3) + rng.normal(0, 0.03, 3)
        rows = slice(max(int(top), 0), max(int(top + tall), 0))
        columns = slice(max(int(left), 0), max(int(left + wide), 0))
        shade = np.linspace(1.1, 0.8, width)[None, columns, None]
        picture[rows, columns] = np.clip(colour, 0.01, 1) * shade
    blur = rng.uniform(0.8, 3.5)
    return np.asarray(gaussian_filter(picture, (blur, blur, 0)))
