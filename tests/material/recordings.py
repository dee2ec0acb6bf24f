"""Short videos whose frames are shown when a test says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def ramps(count: int, side: int = 32) -> list[np.ndarray]:
    rows = np.linspace(0, 200, side).astype(np.uint8)[:, None, None]
    return [np.broadcast_to(rows + 5 * t, (side, side, 3)).copy() for t in range(count)]


def record_video(
    path: Path,
    codec: str,
    times: list[int],
    *,
    declared: bool = True,
    stretch: Fraction | None = None,
) -> Path:
    """Write a video whose frames are shown at these milliseconds, the brighter the later.

    What browsers record (`declared=False`) has neither a duration nor a rate.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={} if declared else {"live": "1"}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        unit = 40 if path.suffix == ".avi" else 1  # AVI has whole frames only
        stream.codec_context.time_base = Fraction(unit, 1000)
        if stretch is not None:
            stream.codec_context.sample_aspect_ratio = stretch
        for picture, time in zip(ramps(len(times)), times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time // unit, Fraction(unit, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if not declared:
        data, rate = (
            path.read_bytes(),
            b"\x23\xe3\x83\x84",
        )  # DefaultDuration (RFC 9559, 5.1.4.1.13)
        assert data.count(rate) == 1
        start = data.index(rate)
        path.write_bytes(data[:start] + b"\xec\x86" + bytes(6) + data[start + 8 :])
    return path
