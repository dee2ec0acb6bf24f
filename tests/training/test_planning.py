from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from signgen.cli.main import main
from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.config.train import TrainConfig
from signgen.models import build_stage
from signgen.training.loop import train
from signgen.training.planning import plan


def test_everything_missing_is_named_at_once(no_caches: Path) -> None:
    model = tiny_fpdm()
    far = replace(model.autoencoder, pretrained="owner/name")
    config = TrainConfig(
        out=str(no_caches / "file" / "run"),
        model=replace(model, autoencoder=far),
        data=DataConfig(root=str(no_caches / "nowhere")),
        start_from=("runs/untrained",),
        device="cuda",
    )
    (no_caches / "file").write_text("")
    planned = plan(config)
    for what in ("device cuda", "nowhere", "runs/untrained", "hf download", "cannot be written"):
        assert len([line for line in planned.problems if what in line]) == 1, planned.problems
    assert planned.code == 69, "that of the first problem"
    whole = build_stage(model, "fpdm")
    assert planned.parameters == sum(p.numel() for p in whole.parameters())
    assert planned.trained == sum(p.numel() for p in whole.parameters() if p.requires_grad)
    assert planned.hours is not None
    assert planned.hours["A100"] >= planned.hours["H200"] >= 0


def test_plan_of_a_run_that_can_go_on_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = TrainConfig(
        stage="ipf", out=str(tmp_path / "run"), data=DataConfig(workers=0), device="cpu", steps=2
    )
    run = train(replace(config, stop_at=1))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    planned = plan(config)
    assert (planned.problems, planned.code, planned.first_step) == ((), 0, 1)

    # The same on the command line, and what a resumed run refuses
    assert main(["train", str(run), "--dry-run"]) == 0
    assert "hours on one A100" in capsys.readouterr().out
    assert main(["train", str(run), "--dry-run", "--batch-size", "3"]) == 2
    assert "batch_size was 2 and is now 3" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
