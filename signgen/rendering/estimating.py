"""What a render takes on this machine: measured by each render, kept for the plans of later ones.

Kept in `renders.json` of the user's cache folder, so that a plan needs neither model nor torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import signgen
from signgen.config.render import RenderConfig
from signgen.device import choose_device
from signgen.errors import UserError
from signgen.files.reading import read_json
from signgen.files.writing import make_folder, save_text
from signgen.pose.extraction.cache import cache_folder
from signgen.rendering.base import WARP
from signgen.rendering.inputs import Inputs
from signgen.rendering.provenance.contents import model_digest

__all__ = ["Estimate", "estimated", "remember"]

MAX_BYTES = 1 << 20
MOST = 200
"""Measurements kept; older ones are forgotten."""
COPIES = 2
"""While a video is finished it lies beside what it is made of."""
COUNTED = (
    *("align", "frame", "steady", "background", "person_mask", "compare", "chunk", "audio"),
    *("clothes_from", "face_from", "mask"),
)
"""Settings that change what a frame takes, besides model, device, sampling and sizes."""


@dataclass(frozen=True)
class Estimate:
    """What a render would take.

    Args:
        seconds: Time, without loading.
        memory_mib: Largest memory of the process, which hardly grows with the frames.
        disk_mib: Room for all files while they are written.
    """

    seconds: float
    memory_mib: int
    disk_mib: float


def estimated(config: RenderConfig, inputs: Inputs) -> Estimate | None:
    """Return what a render would take, if one like it was done here; else None.

    Args:
        config: Its settings.
        inputs: What it starts from.
    """
    found = _kept().get(_key(config, inputs))
    if found is None:
        return None
    frames = len(inputs.poses)
    return Estimate(
        seconds=round(found["seconds"] * frames, 1),
        memory_mib=round(found["memory_mib"]),
        disk_mib=round(found["bytes"] * frames * COPIES / 2**20, 2),
    )


def remember(config: RenderConfig, inputs: Inputs, seconds: float, files: Sequence[Path]) -> None:
    """Keep what a whole render took, per frame.

    Args:
        config: Its settings.
        inputs: What it started from.
        seconds: What its frames took, from the first to the last file.
        files: What it wrote.
    """
    frames = max(1, len(inputs.poses))
    measured = {
        "seconds": seconds / frames,
        "memory_mib": _peak_memory(),
        "bytes": sum(map(_size, files)) / frames,
    }
    kept, key = dict(_kept()), _key(config, inputs)
    kept.pop(key, None)
    newest = dict([*kept.items(), (key, measured)][-MOST:])
    # What cannot be kept is measured again next time
    with suppress(UserError):
        make_folder(_place().parent)
        save_text(_place(), json.dumps(newest))


def _place() -> Path:
    return cache_folder().with_name("renders.json")


def _kept() -> Mapping[str, Mapping[str, float]]:
    """Return what is kept; nothing where somebody else wrote there."""
    try:
        values = read_json(_place(), MAX_BYTES, "measurements of renders")
    except UserError:
        return {}
    names = {"seconds", "memory_mib", "bytes"}
    return {
        str(key): value
        for key, value in (values.items() if isinstance(values, dict) else ())
        if isinstance(value, dict)
        and value.keys() == names
        and all(isinstance(number, int | float) for number in value.values())
        and all(map(math.isfinite, value.values()))
    }


def _key(config: RenderConfig, inputs: Inputs) -> str:
    """Return the digest of all that decides on what a frame takes."""
    sampling = {**asdict(inputs.sampling), "seed": None}
    device = "cpu" if config.model == WARP else choose_device(config.device)
    settings = [str(getattr(config, name)) for name in COUNTED]
    sizes = [*inputs.size, *inputs.source.shape[:2]]
    values: list[object] = [
        signgen.__version__,
        os.cpu_count(),
        model_digest(config),
        device,
        settings,
    ]
    values += [sampling, sizes, bool(config.source_poses)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]


def _peak_memory() -> float:
    """Return the largest memory of this process in MiB; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(map(_size, path.iterdir()))
    return path.stat().st_size
