"""Networks as ONNX files, opened without a word to anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from signgen.errors import UserError
from signgen.files.foreign.onnx import open_onnx
from tests.material.tiny_onnx import colour_parser


def test_a_network_says_what_it_takes(tmp_path: Path) -> None:
    session, side = open_onnx(
        colour_parser(tmp_path / "a.onnx", side=32, labels=20), "cpu", "a parser"
    )
    assert side == 32
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_nothing_of_its_use_is_kept_to_be_sent(tmp_path: Path) -> None:
    path = colour_parser(tmp_path / "a.onnx", side=32, labels=20)
    home = tmp_path / "home"
    home.mkdir()
    own = {k: v for k, v in os.environ.items() if k not in {"CI", "ORT_DISABLE_TELEMETRY"}}
    own = {k: v for k, v in own.items() if not k.startswith("XDG_")} | {"HOME": str(home)}
    code = f"from signgen.files.foreign.onnx import open_onnx; open_onnx({str(path)!r}, 'cpu', 'x')"
    subprocess.run([sys.executable, "-c", code], check=True, env=own)
    assert not [file for file in home.rglob("*") if "onnx" in file.name.lower()]


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"x" * 99, "is damaged")])
def test_what_is_none_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        open_onnx(path, "cpu", "a parser")
