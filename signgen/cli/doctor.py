"""`signgen doctor`: what works on this machine, and the command that mends what does not."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import signgen
from signgen.cli.output import print_json, print_result
from signgen.cli.parsing import command
from signgen.config.exchange import DoctorConfig
from signgen.errors import ExitCode, UserError

__all__ = ["Finding", "core_modules", "diagnose", "doctor"]

OPTIONAL = {
    "decord": ("a second reader of videos", "pip install decord==0.6.0"),
    "mediapipe": (
        "extracts poses from videos",
        "make pose-mediapipe, or: pip install --no-deps mediapipe==0.10.21",
    ),
    "mmpose": ("extracts whole-body poses as FPDM did", "make pose-mmpose"),
    "mmcv": ("needed by mmpose", "make pose-mmpose"),
    "anny": ("bodies of synthetic signers", "pip install 'signgen[synthetic]'"),
    "warp": ("renders synthetic signers", "pip install 'signgen[synthetic]'"),
}
"""Modules that add something, what that is, and how to get them."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        state: `ok`, `optional` (missing, and the core works without) or `broken`.
    """

    name: str
    state: Literal["ok", "optional", "broken"]
    text: str


@command("signgen doctor")
def doctor(config: DoctorConfig) -> int:
    """Say what works on this machine, and how to mend what does not."""
    findings = []
    for finding in diagnose():
        findings.append(finding)
        if not config.json:
            print_result(f"{finding.state:<9} {finding.name:<23} {finding.text}")
    works = all(finding.state != "broken" for finding in findings)
    if config.json:
        found = [asdict(finding) for finding in findings]
        print_json({"version": signgen.__version__, "works": works, "findings": found})
    else:
        print_result("signgen works here." if works else "Something is broken; see above.")
    return ExitCode.OK if works else ExitCode.UNAVAILABLE


def diagnose() -> Iterator[Finding]:
    """Look at everything the package uses, one thing after the other, the slow ones last."""
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("Python", "ok", python)
    yield _look("signgen", partial(importlib.metadata.version, "signgen"), "-e .")
    yield _look("torch", _torch, "torch")
    for package, module in core_modules().items():
        yield _look(package, partial(_core, package, module), package)
    for module, (use, install) in OPTIONAL.items():
        yield _look(module, partial(_optional, module, use, install), module, optional=True)
    yield _look("HRNet weights", _hrnet, optional=True)
    yield _look("model hub", _hub)
    yield _look("H.264 video", partial(_video, "pyav"), "av")
    yield _look("bundled model", _bundled_model)


def _look(
    name: str, check: Callable[[], str], package: str = "", *, optional: bool = False
) -> Finding:
    """Run one check, which returns what it found; what it raises is what is wrong."""
    try:
        return Finding(name, "ok", check())
    except UserError as error:
        return Finding(name, "optional" if optional else "broken", str(error))
    except Exception as error:
        wrong = "is not installed" if isinstance(error, ModuleNotFoundError) else "does not work"
        reason = " ".join(str(error).split())[:160]
        mend = f"; run: pip install -c constraints.txt {package}" if package else ""
        return Finding(name, "broken", f"{wrong} ({reason}){mend}")


# ----- packages -----------------------------------------------------------------------------------


def _torch() -> str:
    import torch

    torch.ones(2).sum().item()
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        device = f"computes on CUDA: {torch.cuda.get_device_name(0)}, {memory:.0f} GiB"
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        device = f"no CUDA device, so it computes on the CPU ({cores} cores)"
    return f"{torch.__version__}; {device}"


def core_modules() -> dict[str, str]:
    """Return the module of every package that signgen cannot do without, by the package's name."""
    modules = {
        package.lower().replace("_", "-"): module
        for module, packages in importlib.metadata.packages_distributions().items()
        for package in packages
        if not module.startswith("_")
    }
    try:
        needs = importlib.metadata.requires("signgen") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    names = [re.split(r"[^\w.-]", need)[0] for need in needs if "extra ==" not in need]
    return {name: modules.get(name, name.replace("-", "_")) for name in names if name != "torch"}


def _core(package: str, module: str) -> str:
    importlib.import_module(module)
    return _version(package)


def _optional(module: str, use: str, install: str) -> str:
    # Not imported: an estimator takes seconds to load and prints to the terminal.
    if importlib.util.find_spec(module) is None:
        raise UserError(f"not installed; {use}. To install: {install}")
    works = f"; {_video('decord')}" if module == "decord" else ""
    return f"{_version(module)}; {use}{works}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "installed, version unknown"


# ----- files and services -------------------------------------------------------------------------


def _hrnet() -> str:
    from signgen.pose.estimators.hrnet.weights import WHOLE_BODY_WEIGHTS, find_weights

    return f"{find_weights(None, WHOLE_BODY_WEIGHTS)}; --estimator auto takes HRNet"


def _hub() -> str:
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    endpoint = os.environ.get("HF_ENDPOINT")
    text = "online: hub ids are downloaded when they are asked for, nothing else is"
    if offline:
        text = "offline (HF_HUB_OFFLINE is set): only models already in the cache are found"
    return f"{text}; mirror {endpoint}" if endpoint else text


def _video(backend: Literal["pyav", "decord"]) -> str:
    """Write a second of grey and read it back."""
    import numpy as np

    from signgen.media import VideoWriter, open_video

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "probe.mp4")
        with VideoWriter(path, fps=25, size=(32, 32)) as writer:
            for _ in range(25):
                writer.write(np.full((32, 32, 3), 128, np.uint8))
        video = open_video(path, backend)
        frames = np.stack([video.frame(index) for index in range(25)])
    if abs(int(frames.mean()) - 128) > 2:
        raise UserError("grey comes back as another colour; install PyAV again")
    return "frames encoded and decoded" if backend == "pyav" else "frames decoded"


def _bundled_model() -> str:
    folder = Path(signgen.__file__).parent / "assets" / "mini"
    if not (folder / "manifest.json").is_file():
        raise UserError(f"{folder} is missing; install signgen again from a complete copy")
    from signgen.checkpoints.folders import verify

    verify(folder)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return f"mini, {size / 1e6:.0f} MB, checksums are right"
