"""Files of feature statistics, so that a real set is looked at once: `.npz`, without pickle."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.evaluation.metrics.features.accumulation import FeatureStatistics
from signgen.files.paths import check_input
from signgen.files.writing import atomic_path

__all__ = ["load_statistics", "save_statistics"]

FORMAT = 1
"""Version of the file format."""
MAX_BYTES = 1 << 30
"""Largest size of the unpacked arrays: covers features 11,000 wide; ours are 2048."""
_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, OverflowError, MemoryError),
    *(NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error),
)
"""What damaged and crafted archives make zipfile and NumPy raise."""
_NAMES = {"format", "count", "mean", "scatter", "signature", "checksum"}


def save_statistics(path: str | Path, statistics: FeatureStatistics) -> None:
    """Write statistics to a `.npz` file, whole or not at all."""
    with atomic_path(path) as part, part.open("wb") as stream:
        np.savez(
            stream,
            format=FORMAT,
            count=statistics.count,
            mean=statistics.mean,
            scatter=statistics.scatter,
            signature=statistics.signature,
            checksum=_checksum(statistics),
        )


def load_statistics(path: str | Path, signature: str) -> FeatureStatistics:
    """Read statistics that `save_statistics` wrote."""
    path = check_input(path, "file of feature statistics")
    try:
        statistics = _read(path)
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(
            f"{path}: no usable file of feature statistics ({reason}); expected a .npz that "
            "signgen wrote. Make it again from the pictures."
        ) from error
    if statistics.signature != signature:
        raise UserError(
            f"{path}: statistics of {statistics.signature[:200]!r}, but this evaluation computes "
            f"{signature!r}. Make them again with the same network, size and protocol."
        )
    return statistics


def _read(path: Path) -> FeatureStatistics:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise ValueError(f"{size} bytes of arrays, more than {MAX_BYTES}")
    with np.load(path, allow_pickle=False) as arrays:
        if set(arrays.files) != _NAMES:
            raise ValueError(f"holds {sorted(arrays.files)[:8]}, expected {sorted(_NAMES)}")
        if int(arrays["format"]) != FORMAT:
            raise ValueError(f"format {int(arrays['format'])}, expected {FORMAT}")
        count, mean, scatter = int(arrays["count"]), arrays["mean"], arrays["scatter"]
        statistics = FeatureStatistics(count, mean, scatter, str(arrays["signature"]))
        checksum = str(arrays["checksum"])
    width = len(mean) if mean.ndim == 1 else 0
    if count < 2 or not width or scatter.shape != (width, width):
        raise ValueError(f"{count} items, mean {mean.shape}, scatter {scatter.shape}")
    if mean.dtype != np.float64 or scatter.dtype != np.float64:
        raise ValueError(f"mean {mean.dtype}, scatter {scatter.dtype}; expected float64")
    if checksum != _checksum(statistics):
        raise ValueError("its checksum does not fit its content")
    if not (np.isfinite(mean).all() and np.isfinite(scatter).all()):
        raise ValueError("holds NaN or infinity")
    return statistics


def _checksum(statistics: FeatureStatistics) -> str:
    """Return the SHA-256 of all that is in the file."""
    digest = hashlib.sha256(f"{statistics.count}|{statistics.signature}".encode())
    digest.update(statistics.mean.astype("<f8").tobytes())
    digest.update(statistics.scatter.astype("<f8").tobytes())
    return digest.hexdigest()
