"""The second model goes through every command, as the first: no command knows which it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.checkpoints.models import load_model
from signgen.cli.main import main
from signgen.config.data import DataConfig
from signgen.config.model import tiny_parsing
from signgen.config.parsing_guided import AlignmentConfig
from signgen.config.train import TrainConfig
from signgen.data.dataset import bundled_sample, open_dataset
from signgen.data.examples.loading import TripletDataset, collate
from signgen.human_parsing.label_sets import LABEL_SETS
from signgen.human_parsing.maps import save_labels
from signgen.media import read_image, save_image
from signgen.training.loop import train
from tests.material.tiny_parsers import tiny_parser

SAMPLE = bundled_sample()
CLIP = "Signer037_clip001"
# Stage 2 of the training: fusion attention and its loss
MODEL = replace(tiny_parsing(), alignment=AlignmentConfig(queries=(2, 1, 2), layers=1, weight=1e-3))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train 4 steps with a stop after 2."""
    run = tmp_path_factory.mktemp("parsing") / "run"
    config = TrainConfig(
        stage="fpdm",
        model=MODEL,
        out=str(run),
        data=DataConfig(root="sample", flip_rate=0.5, workers=0),
        steps=4,
        device="cpu",
        stop_at=2,
        sample_every=2,
        seed=3,
    )
    train(config)
    train(replace(config, stop_at=0))
    train(replace(config, stop_at=0, out=str(run.parent / "whole")))
    return run


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """Source, its label map and poses of the sample, for `signgen render`."""
    frames = next((SAMPLE / "features").iterdir()) / "test" / CLIP
    shutil.copy(frames / "images0001.png", tmp_path / "source.png")
    shutil.copy(SAMPLE / "parts" / "test" / CLIP / "images0001.png", tmp_path / "labels.png")
    poses = SAMPLE / "keypoints" / "test" / f"{CLIP}.json"
    out = ["--out", str(tmp_path / "out.mp4"), "--no-compare", "--device", "cpu"]
    return ["render", "--source", str(tmp_path / "source.png"), "--poses", str(poses), *out]


def test_a_resumed_run_equals_an_uninterrupted_one(run: Path) -> None:
    resumed, whole = load_model(run), load_model(run.parent / "whole")
    states = resumed.state_dict(), whole.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert resumed.config.kind == "parsing-guided"
    assert (run / "samples" / "step-000002.png").is_file()
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {"mse_face", "mse_cloth", "alignment"} <= lines[-1].keys() | lines[-1].get(
        "losses", {}
    ).keys()


def test_it_is_exported_rendered_and_scored(
    run: Path, inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--license", "apache-2.0", "--data", "synthetic"]
    assert main(["export", str(run), "--to-hub-folder", str(tmp_path / "hub"), *words]) == 0
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "reconstructed from the abstract" in card

    # From a label map, and from a network that parses
    parsing = ["--parsing", str(tmp_path / "labels.png"), "--label-set", "signgen-10"]
    model = ["--model", str(tmp_path / "hub")]
    assert main([*inputs, *model, *parsing]) == 0
    network = tiny_parser(tmp_path / "net", LABEL_SETS["lip-20"].labels)
    assert main([*inputs, *model, "--parsing", str(network)]) == 0

    # Scored as any other model, with the dataset's own parsing
    capsys.readouterr()
    assert main(["eval", *model, "--data", "sample", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"ssim", "psnr"} <= {metric["name"] for metric in report["metrics"]}


def test_what_a_render_lacks_is_one_line(
    run: Path, inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.png"
    save_image(tmp_path / "photo.png", read_image(tmp_path / "source.png"))
    save_labels(tmp_path / "empty.png", np.zeros((260, 210), np.uint8))
    cases = {
        (): (66, "needs its human parsing. Give --parsing"),
        ("--parsing", str(labels)): (66, "does not say what its labels mean"),
        ("--parsing", str(tmp_path / "photo.png"), "--label-set", "lip-20"): (65, "mode RGB"),
        ("--parsing", str(tmp_path / "none.png"), "--label-set", "lip-20"): (66, "does not exist"),
        ("--parsing", str(tmp_path / "empty.png"), "--label-set", "lip-20"): (65, "shows nobody"),
    }
    for words, (code, message) in cases.items():
        capsys.readouterr()
        assert main([*inputs, "--model", str(run), *words]) == code
        said = capsys.readouterr().err.strip()
        assert message in said
        assert len([line for line in said.splitlines() if line.startswith("signgen: error")]) <= 1
        assert not (tmp_path / "out.mp4").exists()


def test_batches_carry_regions_that_flips_swap() -> None:
    adapter = open_dataset("sample")
    plain, mirrored = (
        TripletDataset(adapter, DataConfig(root="sample", flip_rate=rate), MODEL, seed=1)
        for rate in (0.0, 1.0)
    )
    batch = collate([plain[0], plain[1]])
    flipped = collate([mirrored[0], mirrored[1]])
    assert batch.source_parts.shape == (2, *MODEL.size)
    assert batch.target_parts.dtype == torch.int64
    assert set(batch.target_parts.unique().tolist()) == {0, 1, 2, 3}
    for name in ("source_parts", "target_parts"):
        assert torch.equal(getattr(batch, name).flip(-1), getattr(flipped, name))
    # The face lies in the face's box
    inside = (batch.target_parts == 1) & (batch.face[:, 0] > 0)
    assert float(inside.sum() / (batch.target_parts == 1).sum()) > 0.5
