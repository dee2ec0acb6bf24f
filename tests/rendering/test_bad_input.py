"""Every bad input: one line that names it, the right exit code, nothing at the output path."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from signgen.checkpoints.folders import write_folder
from signgen.config.model import tiny_fpdm
from signgen.config.yaml import to_yaml
from signgen.models import FPDM
from signgen.models.base import stored_state

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT / ".." / "shared" / "real"


def huge_png() -> bytes:
    """Return a small file whose header says 60000 x 60000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + data


def poses_with(**changes: object) -> bytes:
    document = {
        "format": "signgen-poses",
        "version": 1,
        "skeleton": "coco-wholebody-133",
        "fps": 25,
        "size": [90, 70],
        "frames": [[[10, 20, 1]] * 133],
    }
    return json.dumps(document | changes).encode()


BAD_SOURCES = {"empty": b"", "text": b"not a picture", "huge": huge_png()}
BAD_POSES = {
    "empty": b"",
    "truncated": poses_with()[:1000],
    "other json": b'{"hello": [1, 2, 3]}',
    "list": b"[1, 2, 3]",
    "binary": bytes(range(256)) * 8,
    "deep": b"[" * 100_000,
    "wrong number": poses_with(frames=[[[1, 2, 1]] * 17]),
    "nan": poses_with(frames=[[[float("nan"), 2, 1]] * 133]),
    "infinite": poses_with(frames=[[[float("inf"), 2, 1]] * 133]),
    "no frames": poses_with(frames=[]),
    "fps 0": poses_with(fps=0),
    "fps nan": poses_with(fps=float("nan")),
    "fps no video has": poses_with(fps=500),
    "unknown skeleton": poses_with(skeleton="octopus"),
    "another skeleton": poses_with(skeleton="openpose-18", frames=[[[1, 2, 1]] * 18]),
    "all missing": poses_with(frames=[[[1, 2, 0]] * 133]),
}


@pytest.mark.parametrize("kind", BAD_SOURCES)
def test_bad_source(kind: str, work: Any) -> None:
    work.source.write_bytes(BAD_SOURCES[kind])
    assert work.render() == 65
    assert str(work.source) in work.only_line()
    assert work.left() == []


def test_truncated_source(work: Any) -> None:
    work.source.write_bytes(work.source.read_bytes()[:-3000])
    assert work.render() == 65
    assert str(work.source) in work.only_line()
    assert work.left() == []


@pytest.mark.parametrize("kind", BAD_POSES)
def test_bad_poses(kind: str, work: Any) -> None:
    work.poses.write_bytes(BAD_POSES[kind])
    assert work.render() == 65
    assert str(work.poses) in work.only_line()
    assert work.left() == []


@pytest.mark.parametrize("name", ["source", "poses"])
def test_missing_input(name: str, work: Any) -> None:
    missing = work.folder / "missing.file"
    assert work.render(**{name: missing}) == 66
    assert str(missing) in work.only_line()
    assert work.left() == []


def test_one_hand_only_pose_file(work: Any) -> None:
    path = REAL / "pose" / "one_hand_only.pose"
    if not path.exists():
        pytest.skip("the real samples are not here")
    assert work.render(poses=path) == 65
    assert "one_hand_only.pose" in work.only_line()
    assert work.left() == []


@pytest.mark.parametrize("name", ["mnii", "nobody/nothing", "."])
def test_unknown_model(name: str, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(work.folder)
    assert work.render(model=name) == 66
    assert name in work.only_line()
    assert work.left() == []


def test_corrupt_checkpoint(work: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in work.model.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    for words in ([], ["--dry-run"]):
        assert work.render(*words, model=copy) == 65
        assert f"{weights} is corrupt" in work.only_line()
    weights.unlink()
    assert work.render(model=copy) == 66
    assert str(weights) in work.only_line()
    assert work.left() == []


def test_stage_1_alone_renders_nothing(work: Any, model: FPDM, tmp_path: Path) -> None:
    settings = {"config.yaml": to_yaml(tiny_fpdm())}
    state = stored_state(model.ipf)
    write_folder(tmp_path / "part", {"model.safetensors": state}, settings)
    for words in ([], ["--dry-run"]):
        assert work.render(*words, model=tmp_path / "part") == 65
        assert "holds only part of a model (no U-Net weights)" in work.only_line()


@pytest.mark.parametrize("sampler", ["ddpm", "unipc"])
def test_too_many_steps(sampler: str, work: Any) -> None:
    for words in ([], ["--dry-run"]):
        assert work.render("--steps", 1001, "--sampler", sampler, *words) == 2
        assert "--steps is 1001; expected 1 to 1000." in work.only_line()
    assert work.left() == []


def test_outputs_that_cannot_be_created(work: Any) -> None:
    # Not even root can create files in /proc.
    for out in (work.folder / "no" / "a.mp4", work.source / "a.mp4", work.out, "/proc/a.mp4"):
        assert work.render(out=out) == 73
        assert str(out) in work.only_line()
    assert work.left() == []
    (work.out / "b.sheet.png").mkdir()
    assert work.render(out=work.out / "b.mp4") == 73
    assert "b.sheet.png" in work.only_line()
    assert work.left() == ["b.sheet.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_output_folder_without_permission(work: Any) -> None:
    work.out.chmod(0o555)
    assert work.render() == 73
    assert str(work.out / "a.mp4") in work.only_line()


def test_output_of_another_kind_is_usage(work: Any) -> None:
    assert work.render(out=work.out / "a.gif") == 2
    assert ".mp4" in work.only_line()


def test_output_must_not_replace_an_input(work: Any) -> None:
    poses = work.out / "a.mp4"
    poses.write_bytes(work.poses.read_bytes())
    assert work.render(poses=poses) == 2
    assert "would be overwritten" in work.only_line()
    assert poses.read_bytes() == work.poses.read_bytes()


def test_sizes_out_of_range(work: Any) -> None:
    for size in ((8, 100), (100, 100_000)):
        assert work.render("--size", *size) == 2
        assert "--size" in work.only_line()
    Image.new("RGB", (4, 4)).save(work.source)
    assert work.render() == 65
    assert str(work.source) in work.only_line()
    assert work.left() == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_absent_cuda_is_69_and_never_the_cpu(work: Any) -> None:
    assert work.render(device="cuda") == 69
    assert "no CUDA device" in work.only_line()
    assert work.left() == []


@pytest.mark.parametrize(("name", "code"), [("source", 65), ("model", 66)])
def test_in_a_process(name: str, code: int, work: Any) -> None:
    work.poses.write_bytes(poses_with())
    changes = {"source": str(work.poses)} if name == "source" else {"model": "mnii"}
    settings = {
        "source": str(work.source),
        "poses": str(work.poses),
        "out": str(work.out / "a.mp4"),
        "model": str(work.model),
        **changes,
    }
    words = [word for flag, value in settings.items() for word in (f"--{flag}", value)]
    done = subprocess.run(
        [sys.executable, "-m", "signgen", "render", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert settings[name] in done.stderr
    assert work.left() == []
