"""What a camera does to light."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.signers.appearance import Sensor

__all__ = ["expose"]


def expose(
    light: NDArray[np.float32], sensor: Sensor, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Turn linear light (H, W, 3) into a picture as a camera would.

    Args:
        light: From 0 to about 1.
        sensor: Exposure, tone curve, blur, noise and JPEG.
        rng: Of the noise.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    warm = np.array([sensor.warmth**0.5, 1.0, sensor.warmth**-0.5], np.float32)
    light = np.clip(light * (sensor.exposure * warm), 0, 2)
    # Highlights roll off, then the curve of sRGB
    levels = np.linspace(0, 2, 2048, dtype=np.float32) ** 2 / 2
    soft = np.where(levels > 0.7, 0.7 + 0.3 * np.tanh((levels - 0.7) / 0.3), levels)
    curve = np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * soft ** (1 / 2.4) - 0.055)
    index = np.sqrt(light * 2) * (2047 / 2)
    tone: NDArray[Any] = (255 * curve**sensor.gamma).astype(np.float32)[index.astype(np.int32)]
    if sensor.blur > 0.15:
        tone = np.asarray(cv2.GaussianBlur(tone, (0, 0), sensor.blur))
    tone = tone + sensor.noise * rng.standard_normal(tone.shape, np.float32)
    picture = np.clip(np.rint(tone), 0, 255).astype(np.uint8)
    if sensor.quality is None:
        return np.asarray(picture)
    packed = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, sensor.quality])[1]
    unpacked = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(unpacked[..., ::-1])
