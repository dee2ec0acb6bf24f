from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen.checkpoints.models import read_weights
from signgen.checkpoints.runs import newest_checkpoint
from signgen.config.autoencoder import DecoderConfig
from signgen.config.data import DataConfig
from signgen.config.model import MotionConfig, tiny_fpdm
from signgen.config.train import Stage, TrainConfig
from signgen.config.yaml import to_yaml
from signgen.errors import UserError
from signgen.training.loop import train
from tests.material import training_processes

ROOT = Path(__file__).parents[2]


def settings(out: Path, stage: Stage, **changes: object) -> TrainConfig:
    """Return settings in which everything that draws and everything that weighs is on."""
    model = tiny_fpdm()
    model = replace(
        model,
        hand_weight=3.0,
        face_weight=2.0,
        class_mlp_dropout=0.2,
        stage2_combiner_dropout=True,
        source_encoder=replace(model.source_encoder, projection_dropout=0.2),
    )
    if stage == "vae":
        guided = DecoderConfig(kind="guided", channels=(8, 8, 16), drop_latents=0.5)
        model = replace(model, decoder=guided)
    config = TrainConfig(
        stage=stage,
        out=str(out),
        model=model,
        data=DataConfig(workers=0),
        device="cpu",
        log_every=1,
        steps=3,
        ema=0.9,
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def launch(*configs: TrainConfig, **environment: str) -> subprocess.Popen[str]:
    """Train in two processes of this machine."""
    paths = []
    for config in configs:
        path = Path(f"{config.out}.yaml")
        path.write_text(to_yaml(config), "utf-8")
        paths.append(str(path))
    program = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.Popen(
        [sys.executable, *program, training_processes.__file__, *paths],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def lines(run: str) -> list[dict[str, float]]:
    text = (Path(run) / "log.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def check_log(run: str, alone: str) -> None:
    """Compare the losses of all processes, and scores, with those of one process."""
    for one, two in zip(lines(alone), lines(run), strict=True):
        compared = one.get("validation", one), two.get("validation", two)
        for name, value in compared[0].items():  # type: ignore[union-attr]
            if name not in {"seconds", "samples_per_second"}:
                # Pictures are scored in whole grey levels: one of them moves SSIM by some 1e-6
                assert compared[1][name] == pytest.approx(value, rel=1e-5, abs=1e-5), name  # type: ignore[index]


@pytest.mark.slow
def test_two_processes_compute_what_one_does_with_their_batches_together(tmp_path: Path) -> None:
    start = train(settings(tmp_path / "start", "fpdm", steps=1))
    moving = replace(tiny_fpdm(), motion=MotionConfig(2, 0))
    watched = {"validate_every": 3, "validate_batches": 1, "validate_pictures": 4}
    changes: list[tuple[Stage, dict[str, object]]] = [
        ("vae", {}),
        ("ipf", {}),
        ("fpdm", {"validate_every": 3, "validate_batches": 1}),
        ("fpdm", {"accumulate": 2}),
        ("motion", {"model": moving, "start_from": (str(start),), **watched}),
    ]
    both = [
        settings(tmp_path / f"two-{number}", stage, batch_size=2, **own)
        for number, (stage, own) in enumerate(changes)
    ]
    both[-2] = replace(both[-2], model=replace(both[-2].model, drop_per_batch=True))
    running = launch(*both)
    output = running.communicate(timeout=600)[0]
    assert running.returncode == 0, output
    for config in both:
        alone = train(replace(config, out=f"{config.out}-alone", batch_size=4))
        check_log(config.out, str(alone))
        # Gradients: the optimiser's mean of them
        first, second = (
            torch.load(folder / "checkpoints" / "step-000003" / "trainer.pt", weights_only=True)
            for folder in (alone, Path(config.out))
        )
        moments = [
            torch.cat([s["exp_avg"].flatten() for s in state["optimizer"]["state"].values()])
            for state in (first, second)
        ]
        assert float((moments[0] - moments[1]).abs().max()) <= 1e-5 * float(moments[0].abs().max())


@pytest.mark.slow
def test_weights_in_shards_are_trained_and_kept_as_whole_ones(tmp_path: Path) -> None:
    changes: list[tuple[Stage, dict[str, object]]] = [
        ("fpdm", {"validate_every": 2, "validate_batches": 1, "accumulate": 2}),
    ]
    # The epsilon of Adam hides signs of gradients that are rounding errors
    both = [
        settings(tmp_path / f"sharded-{number}", stage, learning_rate=1e-5, **own)
        for number, (stage, own) in enumerate(changes)
    ]
    # In two goes, so that what is kept is taken up again
    shards = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "CUDA_VISIBLE_DEVICES": ""}
    for configs in ([replace(one, stop_at=2) for one in both], both):
        running = launch(*configs, **shards)
        output = running.communicate(timeout=600)[0]
        assert running.returncode == 0, output
    for config in both:
        environment = json.loads((Path(config.out) / "environment.json").read_text("utf-8"))
        assert environment["sharded"]
        alone = train(replace(config, out=f"{config.out}-alone", batch_size=4))
        check_log(config.out, str(alone))
        folders = [run / "checkpoints" / "step-000003" for run in (alone, Path(config.out))]
        assert len({tuple(sorted(path.name for path in one.iterdir())) for one in folders}) == 1
        for kind in ("model", "ema"):
            one, two = (read_weights(folder, kind) for folder in folders)  # type: ignore[arg-type]
            assert {k: v.shape for k, v in one.items()} == {k: v.shape for k, v in two.items()}
            for name, value in one.items():
                torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-5)
        first, second = (
            torch.load(folder / "trainer.pt", weights_only=True)["optimizer"] for folder in folders
        )
        assert first["param_groups"] == second["param_groups"]
        most = max(float(state["exp_avg"].abs().max()) for state in first["state"].values())
        for number, state in first["state"].items():
            other = second["state"][number]
            assert state["step"] == other["step"]
            torch.testing.assert_close(
                other["exp_avg"], state["exp_avg"], rtol=1e-3, atol=1e-5 * most
            )
        # One process goes on where they stopped, were it not for the order of examples
        with pytest.raises(UserError, match="saved by 2 processes, resumed with 1"):
            train(replace(config, steps=4))


@pytest.mark.slow
def test_signal_to_one_of_two_processes_saves_and_stops_both(tmp_path: Path) -> None:
    config = settings(tmp_path / "run", "ipf", steps=100_000)
    running = launch(config)
    deadline = time.monotonic() + 300
    while not (tmp_path / "run" / "log.jsonl").exists() or len(lines(config.out)) < 3:
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    second = int(Path(f"{config.out}.yaml.pid-1").read_text("utf-8"))
    os.kill(second, signal.SIGTERM)
    running.communicate(timeout=120)
    codes = [Path(f"{config.out}.yaml.code-{rank}").read_text("utf-8") for rank in (0, 1)]
    assert codes == ["143"] * 2
    newest = newest_checkpoint(Path(config.out))
    assert newest is not None
    assert newest.name == f"step-{int(lines(config.out)[-1]['step']):06d}"
    assert all(torch.isfinite(value).all() for value in read_weights(newest).values())
