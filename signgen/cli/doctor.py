"""What works on this machine, in plain words, and the command that mends what does not."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import signgen
from signgen.errors import UserError

__all__ = ["Finding", "diagnose", "report", "works"]

CORE = (
    ("numpy", "numpy"),
    ("PIL", "pillow"),
    ("scipy", "scipy"),
    ("cv2", "opencv-python-headless"),
    ("yaml", "pyyaml"),
    ("tqdm", "tqdm"),
    ("tyro", "tyro"),
    ("einops", "einops"),
    ("av", "av"),
    ("safetensors", "safetensors"),
    ("diffusers", "diffusers"),
    ("transformers", "transformers"),
    ("accelerate", "accelerate"),
    ("torchmetrics", "torchmetrics"),
    ("pose_format", "pose-format"),
)
"""Modules that the core imports, with the names of their distributions."""

OPTIONAL = (
    ("decord", "reads videos where asked to", "pip install decord==0.6.0"),
    (
        "mediapipe",
        "extracts poses from videos",
        "make pose-mediapipe, or: pip install --no-deps mediapipe==0.10.21",
    ),
    ("mmpose", "extracts whole-body poses as FPDM did", "make pose-mmpose"),
    ("mmcv", "needed by mmpose", "make pose-mmpose"),
)
"""Modules that add something, what that is, and how to get them."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: What was looked at.
        state: `ok`, `optional` (missing, and the core works without) or `broken`.
        text: What was found and, unless all is well, what to do.
    """

    name: str
    state: Literal["ok", "optional", "broken"]
    text: str


def diagnose() -> Iterator[Finding]:
    """Look at everything the package uses, one thing after the other, the slow ones last."""
    yield _python()
    yield _torch()
    for module, distribution in CORE:
        yield _core(module, distribution)
    for module, use, command in OPTIONAL:
        yield _optional(module, use, command)
    yield _hrnet()
    yield _hub()
    yield _encoder()
    yield _bundled_model()


def works(findings: list[Finding]) -> bool:
    """Return whether the core works: nothing is broken."""
    return all(finding.state != "broken" for finding in findings)


def report(findings: list[Finding]) -> dict[str, object]:
    """Return the findings as one JSON object."""
    return {
        "schema_version": 1,
        "version": signgen.__version__,
        "works": works(findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", "ok", found)


def _torch() -> Finding:
    try:
        import torch

        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        if torch.cuda.is_available():
            name = torch.cuda.get_device_name(0)
            memory = torch.cuda.get_device_properties(0).total_memory / 2**30
            device = f"computes on CUDA: {name}, {memory:.0f} GiB"
        else:
            device = f"no CUDA device, so it computes on the CPU ({cores} cores)"
        torch.ones(2).sum().item()
    except Exception as error:
        return Finding("torch", "broken", _mend(error, "torch"))
    return Finding("torch", "ok", f"{torch.__version__}; {device}")


def _core(module: str, distribution: str) -> Finding:
    try:
        importlib.import_module(module)
        return Finding(distribution, "ok", importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return Finding(distribution, "ok", "installed, version unknown")
    except Exception as error:
        return Finding(distribution, "broken", _mend(error, distribution))


def _mend(error: Exception, distribution: str) -> str:
    what = "is not installed" if isinstance(error, ModuleNotFoundError) else "does not import"
    reason = " ".join(str(error).split())[:160]
    return f"{what} ({reason}); run: pip install -c constraints.txt {distribution}"


def _optional(module: str, use: str, command: str) -> Finding:
    # Not imported: an estimator takes seconds to load and prints to the terminal.
    if importlib.util.find_spec(module) is None:
        return Finding(module, "optional", f"not installed; {use}. To install: {command}")
    try:
        version = importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        version = "installed"
    return Finding(module, "ok", f"{version}; {use}")


def _hrnet() -> Finding:
    """Look for HRNet's checkpoint, which `--estimator auto` prefers."""
    try:
        from signgen.pose.estimators.hrnet.weights import WHOLE_BODY_WEIGHTS, find_weights

        file = find_weights(None, WHOLE_BODY_WEIGHTS)
    except UserError as error:
        return Finding("HRNet weights", "optional", str(error))
    except Exception as error:
        return Finding("HRNet weights", "broken", " ".join(str(error).split()))
    return Finding("HRNet weights", "ok", f"{file}; --estimator auto takes HRNet")


def _hub() -> Finding:
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    endpoint = os.environ.get("HF_ENDPOINT")
    text = "online: hub ids are downloaded when they are asked for, nothing else is"
    if offline:
        text = "offline (HF_HUB_OFFLINE is set): only models already in the cache are found"
    return Finding("model hub", "ok", f"{text}; mirror {endpoint}" if endpoint else text)


def _encoder() -> Finding:
    """Encode a second of grey and read it back."""
    try:
        import av
        import numpy as np

        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/probe.mp4"
            with av.open(path, "w") as container:
                stream = container.add_stream("libx264", rate=25)
                stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
                grey = np.full((32, 32, 3), 128, np.uint8)
                for _ in range(25):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
                container.mux(stream.encode())
            with av.open(path) as container:
                count = sum(1 for _ in container.decode(video=0))
        if count != 25:
            return Finding("H.264 video", "broken", f"wrote 25 frames and read {count} back")
    except Exception as error:
        return Finding("H.264 video", "broken", _mend(error, "av"))
    return Finding("H.264 video", "ok", "encodes and decodes")


def _bundled_model() -> Finding:
    folder = Path(__file__).resolve().parents[1] / "assets" / "mini"
    if not (folder / "manifest.json").is_file():
        return Finding(
            "bundled model",
            "broken",
            f"{folder} is missing; install signgen again from a complete copy",
        )
    try:
        from signgen.checkpoints.folders import verify

        verify(folder)
    except Exception as error:
        return Finding("bundled model", "broken", " ".join(str(error).split()))
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return Finding("bundled model", "ok", f"mini, {size / 1e6:.0f} MB, checksums are right")
