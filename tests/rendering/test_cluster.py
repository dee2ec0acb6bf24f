"""Jobs on Ray: two workers, one of them killed in the middle; `make test-ray` runs these."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.media import read_image, save_image
from signgen.media.resizing import resize_image
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.transforms import fit_to_source

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "signgen" / "assets" / "sample" / "demo"
HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="ray is not installed; run `make test-ray`")
SIZE = (64, 52)
MARK = "SIGNGEN_TEST_CLUSTER"


def write_jobs(folder: Path, frames: int, names: str) -> Path:
    """Write small inputs and a list of jobs, of which the one called x is bad."""
    save_image(folder / "s.png", resize_image(read_image(DEMO / "source.png"), SIZE, "area"))
    poses = fit_to_source(read_poses(DEMO / "poses.json"), SIZE)
    write_poses(poses.frames([0]), folder / "s.json")
    order = np.resize(np.r_[0:59, 59:0:-1], frames)
    write_poses(poses.frames(order.tolist()), folder / "p.json")
    jobs = [
        {"out": f"{name}.mp4", "source": "none.png" if name == "x" else "s.png"} for name in names
    ]
    (folder / "jobs.jsonl").write_text("\n".join(map(json.dumps, jobs)))
    return folder / "jobs.jsonl"


def words(*more: str) -> list[str]:
    shared = ["render", "--jobs", "jobs.jsonl", "--poses", "p.json", "--source-poses", "s.json"]
    return [*shared, "--model", "warp", "--no-compare", "--json", *more]


def workers(mark: str) -> list[int]:
    """Return the processes of workers that this test started and that render."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            title = (process / "cmdline").read_bytes()
            ours = f"{MARK}={mark}".encode() in (process / "environ").read_bytes()
        except OSError:
            continue
        if ours and title.startswith(b"ray::RemoteWorker.run"):
            found.append(int(process.name))
    return sorted(found)


@needs_ray
def test_a_killed_worker_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_jobs(tmp_path, 60, "axbcd")
    monkeypatch.chdir(tmp_path)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, MARK: str(tmp_path)}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-m", "signgen", *words("--engine", "ray", "--workers", "2")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    # Two render at a time, and one is killed
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        if len(running := workers(str(tmp_path))) == 2 and list(
            tmp_path.glob("*.part/after-*.rgb")
        ):
            os.kill(running[0], signal.SIGKILL)
            break
        time.sleep(0.05)
    else:
        pytest.fail("two workers never rendered at a time")
    output, _ = process.communicate(timeout=400)

    # Everything is there but the bad one, with the bytes of one process
    rows: dict[str, Any] = {row["out"]: row for row in map(json.loads, output.splitlines())}
    assert process.returncode == 3
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(("a.mp4", "b.mp4", "c.mp4", "d.mp4"), "done"),
        "x.mp4": "failed",
    }
    assert "none.png does not exist" in rows["x.mp4"]["error"]
    assert not list(tmp_path.glob("*.part"))
    (tmp_path / "jobs.jsonl").write_text('{"out": "alone.mp4", "source": "s.png"}')
    assert main(words()) == 0
    for name in "abcd":
        assert (tmp_path / f"{name}.mp4").read_bytes() == (tmp_path / "alone.mp4").read_bytes()


@needs_ray
def test_a_cluster_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jobs(tmp_path, 2, "a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert main(words("--engine", "ray")) == 69
    assert "Ray at 127.0.0.1:1 cannot be reached" in capsys.readouterr().err


@pytest.mark.skipif(HAS_RAY, reason="ray is here")
def test_ray_that_is_not_installed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jobs(tmp_path, 2, "a")
    monkeypatch.chdir(tmp_path)
    assert main(words("--engine", "ray")) == 69
    assert "pip install 'signgen[ray]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--workers", "2"), "--workers is 2; expected at least 1, with --engine ray"),
        (("--engine", "ray", "--workers", "0"), "--workers is 0; expected at least 1"),
    ],
)
def test_workers_belong_to_ray(
    more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(*more)) == 2
    assert message in capsys.readouterr().err
    alone = ["render", "--source", "a.png", "--poses", "a.json", "--engine", "ray"]
    assert main(alone) == 2
    assert "--engine ray is for many videos" in capsys.readouterr().err
