"""Networks as ONNX files, run by ONNX Runtime, which is an extra."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input, one_line

__all__ = ["open_onnx"]


def open_onnx(path: str | Path, device: str, expected: str) -> tuple[Any, int]:
    """Open a network that takes one square picture.

    Args:
        path: The file.
        device: `cpu`, or a GPU, which is used where ONNX Runtime has one.
        expected: What the file should be, for messages.

    Returns:
        The session, and the side of the square.

    Raises:
        UserError: If ONNX Runtime is not installed (69), or the file is missing (66), none, or
            takes something else.
    """
    path = check_input(path, expected)
    # Without this, from 1.29 on it sends reports of what is run to its makers
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            f"{path} needs ONNX Runtime: pip install 'signgen[onnx]'.", ExitCode.UNAVAILABLE
        ) from None
    wanted = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        wanted.insert(0, "CUDAExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # ONNX Runtime raises classes of its own for every fault of a file
        raise UserError(
            f"{path} is not an ONNX file that can be run, or is damaged ({one_line(error)}); "
            f"expected {expected}."
        ) from error
    shape = session.get_inputs()[0].shape
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or type(shape[2]) is not int:
        raise UserError(f"{path} takes {shape}; expected one picture (1, 3, S, S) with S a number.")
    return session, shape[2]
