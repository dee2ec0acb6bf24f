"""Retrieval end to end: which pairs are asked, what is embedded, the command, its errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.checkpoints.folders import write_folder
from signgen.cli.main import main
from signgen.config.data import DataConfig
from signgen.config.evaluation import EvalConfig
from signgen.config.model import FPDMConfig, tiny_fpdm
from signgen.config.train import TrainConfig
from signgen.config.yaml import to_yaml
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.data.examples.loading import TripletDataset, collate
from signgen.errors import ExitCode, UserError
from signgen.evaluation.command import evaluate
from signgen.evaluation.reports.report import Report
from signgen.evaluation.retrieval import Queries, choose_queries, embed, rank
from signgen.models import build_stage
from signgen.models.base import stored_state
from signgen.models.ipf import IPF
from signgen.structures import FrameRef, Record, Triplet
from signgen.training.loop import train
from tests.material.deepfashion_trees import write_tree

PUBLISHED = {
    "source_size": (40, 40),
    "resize": "bicubic",
    "pose_style": "fpdm",
    "pose_canvas": (80, 60),
    "ipf": replace(tiny_fpdm().ipf, preprocessing="official"),
}


class Clips:
    """A dataset of which only the list of records or pairs matters."""

    name = "clips"
    skeleton = "coco-wholebody-133"

    def __init__(self, *lengths: int, listed: list[Triplet] | None = None) -> None:
        self.listed = listed
        self.all = [Record(f"clip{i}", "test", "", length) for i, length in enumerate(lengths)]

    def records(self, split: str) -> list[Record]:
        return self.all

    def pairs(self, split: str) -> list[Triplet] | None:
        return self.listed


def stage1(config: FPDMConfig | None = None) -> IPF:
    torch.manual_seed(0)
    stage = build_stage(config or tiny_fpdm(), "ipf").eval()
    assert isinstance(stage, IPF)
    return stage


def write_stage1(folder: Path, config: FPDMConfig, bias: float = 0.0) -> Path:
    """Write a model folder with nothing but the weights of stage 1."""
    state = stored_state(stage1(config))
    state["ipf.combiner.output.bias"] += bias
    write_folder(folder, {"model.safetensors": state}, {"config.yaml": to_yaml(config)})
    return folder


def scores(report: dict[str, object]) -> dict[tuple[str, bool, str], float]:
    metrics = report["metrics"]
    return {(m["system"], m["own_source"], m["name"]): m["value"] for m in metrics}  # type: ignore[attr-defined]


# ----- pairs --------------------------------------------------------------------------------------


def test_of_videos_the_first_frame_asks_for_every_other() -> None:
    queries = choose_queries(Clips(3, 1, 4), "test")
    names = [(picture.record.id, picture.index) for picture in queries.gallery]
    assert names == [("clip0", i) for i in range(3)] + [("clip2", i) for i in range(4)]
    assert queries.sources.tolist() == [0, 0, 3, 3, 3]
    assert queries.targets.tolist() == [1, 2, 4, 5, 6]
    assert queries.clips == ("clip0",) * 2 + ("clip2",) * 3


def test_a_limit_spreads_the_pairs_over_clips_and_frames() -> None:
    queries = choose_queries(Clips(101, 301), "test", 8)
    targets = [queries.gallery[place] for place in queries.targets]
    assert [(t.record.id, t.index) for t in targets] == [
        *(("clip0", index) for index in (26, 76)),
        *(("clip1", index) for index in (26, 76, 126, 176, 226, 276)),
    ]
    assert len(queries.gallery) == 8 + 2
    for limit in (0, 400, 10**6):
        assert len(choose_queries(Clips(101, 301), "test", limit).targets) == 400


def test_of_listed_pairs_every_picture_is_in_the_gallery_once() -> None:
    first, second = Clips(3, 2).all
    a, b, c, d = FrameRef(first, 0), FrameRef(first, 1), FrameRef(first, 2), FrameRef(second, 0)
    listed = [Triplet(*pair) for pair in ((a, b), (b, a), (a, c), (c, c), (c, b))]
    queries = choose_queries(Clips(3, 2, listed=listed), "test")
    assert queries.gallery == (a, b, c)
    assert d not in queries.gallery, "a picture of no pair"
    assert queries.sources.tolist() == [0, 1, 0, 2], "a picture is not asked for by itself"
    assert queries.targets.tolist() == [1, 0, 2, 1]


def test_clips_of_one_frame_ask_nothing() -> None:
    with pytest.raises(UserError, match="no pair of two pictures in split test") as caught:
        choose_queries(Clips(1, 1), "test")
    assert caught.value.code == ExitCode.DATA


# ----- embeddings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, PUBLISHED], ids=["own", "published"])
def test_embeddings_are_those_that_stage_1_trains_on(settings: dict[str, object]) -> None:
    config = replace(tiny_fpdm(), **settings)  # type: ignore[arg-type]
    ipf, adapter = stage1(config), open_dataset("sample")
    tower = "crop" if config.ipf.preprocessing == "official" else "squash"
    data = DataConfig(split="test", identity_rate=0)
    dataset = TripletDataset(adapter, data, config, 7, tower=tower)  # type: ignore[arg-type]
    places: dict[FrameRef, int] = {}
    pairs = [dataset.triplet(position) for position in range(5)]
    for pair in pairs:
        for picture in (pair.source, pair.target):
            places.setdefault(picture, len(places))
    queries = Queries(
        tuple(places),
        np.array([places[pair.source] for pair in pairs]),
        np.array([places[pair.target] for pair in pairs]),
        tuple(pair.target.record.id for pair in pairs),
    )
    found = embed(ipf, config, adapter, queries)
    batch = collate([dataset[position] for position in range(5)])
    seen = (batch.source, batch.target, batch.pose * 2 - 1)
    if settings:
        assert batch.tower_source is not None
        assert batch.tower_target is not None
        assert batch.tower_pose is not None
        seen = (batch.tower_source, batch.tower_target, batch.tower_pose)
    with torch.no_grad():
        embedded, truth, poses = (ipf.embed(picture) for picture in seen)
        fused = ipf.fuse(embedded, poses)
        expected = {"source (A1)": embedded, "fused (A3)": fused}
    assert set(found) == {"gallery", *expected}
    np.testing.assert_allclose(found["gallery"][queries.targets], truth, atol=1e-6)
    own = found["gallery"][queries.sources]
    assert np.array_equal(found["source (A1)"], own), "a query and its own picture are one"
    for query, numbers in expected.items():
        np.testing.assert_allclose(found[query], numbers, atol=1e-6)


def test_the_size_of_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = open_dataset("sample")
    queries = choose_queries(adapter, "test", 11)
    ipf = stage1()
    whole = embed(ipf, tiny_fpdm(), adapter, queries)
    monkeypatch.setattr("signgen.evaluation.retrieval.BATCH", 1)
    single = embed(ipf, tiny_fpdm(), adapter, queries)
    for name, numbers in whole.items():
        np.testing.assert_allclose(single[name], numbers, atol=1e-6)
    values = [[one.value for one in rank(queries, found)] for found in (whole, single)]
    assert values[0] == pytest.approx(values[1])


# ----- ranks --------------------------------------------------------------------------------------


def test_a_perfect_prediction_is_first_and_the_source_finds_itself() -> None:
    gallery = np.random.default_rng(0).normal(size=(40, 32)).astype(np.float32)
    queries = choose_queries(Clips(20, 20), "test")
    embeddings = {
        "gallery": gallery,
        "source (A1)": gallery[queries.sources],
        "fused (A3)": 0.1 * gallery[queries.targets],
    }
    found = {(one.system, one.own_source, one.name): one for one in rank(queries, embeddings)}
    for own_source, size in ((True, 40), (False, 39)):
        for name in ("r@1", "r@3", "r@5", "mean_rank"):
            perfect = found["fused (A3)", own_source, name]
            assert (perfect.value, perfect.n, perfect.clips) == (1, 38, 2)
            assert perfect.details["gallery"] == size
    assert found["source (A1)", True, "r@1"].value == 0, "the source is nearest to itself"
    with_source, without = (found["source (A1)", own, "mean_rank"] for own in (True, False))
    assert without.value == with_source.value - 1, "and one place better without itself"


# ----- the command --------------------------------------------------------------------------------


def test_the_bundled_model_prints_a_table_and_writes_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.json"
    words = ["eval", "--retrieval", "--retrieval-queries", "12", "--device", "cpu"]
    assert main([*words, "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "12 queries from 4 clips, gallery of 16 pictures" in captured.out
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert json.loads(out.read_text()) == report
    assert Report.from_json(report).table() + "\n" == captured.out
    lines = captured.out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:5]] == ["source (A1)"] * 2 + ["fused (A3)"] * 2
    assert "16, with its source" in lines[1]
    assert "15, without its source" in lines[2]
    assert report["schema_version"] == 1
    assert report["inputs"]["model"] == "mini"
    values = scores(report)
    assert len(values) == 2 * 2 * 4
    assert values["source (A1)", True, "r@1"] == 0
    assert 1 <= values["fused (A3)", True, "mean_rank"] <= 16
    assert all("|own-source:" in metric["signature"] for metric in report["metrics"])


def test_a_run_of_stage_1_is_named_by_its_loss(tmp_path: Path) -> None:
    config = tiny_fpdm()
    config = replace(config, ipf=replace(config.ipf, loss="baseline"))
    data = DataConfig(workers=0)
    out = str(tmp_path / "run")
    run = train(TrainConfig("ipf", out, config, data, steps=1, device="cpu"))
    config = EvalConfig(retrieval=True, model=str(run), retrieval_queries=8, device="cpu")
    report = evaluate(config).to_json()
    assert {system for system, _, _ in scores(report)} == {"source (A1)", "fused (A2)"}
    assert report["inputs"]["loss"] == "baseline"
    assert report["queries"] == 8


def test_a_pretrained_tower_is_scored_from_a_training_file(tmp_path: Path) -> None:
    config = tiny_fpdm()
    stage1().image_encoder.save_pretrained(tmp_path / "clip")
    ipf = replace(config.ipf, loss="none", pretrained=str(tmp_path / "clip"))
    file = tmp_path / "a1.yaml"
    file.write_text(to_yaml(TrainConfig(stage="ipf", model=replace(config, ipf=ipf))))
    report = evaluate(
        EvalConfig(retrieval=True, model=str(file), retrieval_queries=8, device="cpu")
    ).to_json()
    assert {system for system, _, _ in scores(report)} == {"source (A1)"}
    # The tower of the file and that of `stage1` are one.
    adapter = open_dataset("sample")
    queries = choose_queries(adapter, "test", 8)
    for one in rank(queries, embed(stage1(), config, adapter, queries)):
        if one.system == "source (A1)":
            assert scores(report)[one.system, one.own_source, one.name] == one.value


def test_pairs_of_deepfashion_are_all_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_tree(tmp_path / "raw", "fpdm")
    data = tmp_path / "data"
    assert main(["prepare", "deepfashion", "--raw", str(root), "--out", str(data)]) == 0
    config = replace(tiny_fpdm(), skeleton="openpose-18", pose_style="fpdm")
    capsys.readouterr()
    words = ["eval", "--retrieval", "--data", str(data), "--device", "cpu", "--json"]
    assert main([*words, "--model", str(write_stage1(tmp_path / "model", config))]) == 0
    report = json.loads(capsys.readouterr().out)
    adapter = open_dataset(str(data))
    assert isinstance(adapter, ManifestDataset)
    pairs = adapter.pairs("test")
    assert pairs is not None
    assert report["queries"] == len(pairs) == 8
    assert report["gallery"] == len({picture for p in pairs for picture in (p.source, p.target)})
    assert main([*words, "--model", "mini"]) == ExitCode.DATA
    assert "skeleton openpose-18" in capsys.readouterr().err


def test_damaged_weights_are_said_and_not_ranked(tmp_path: Path) -> None:
    folder = write_stage1(tmp_path / "model", tiny_fpdm(), bias=3e38)
    with pytest.raises(UserError, match=r"fused \(A3\)\) that are not finite"):
        evaluate(EvalConfig(retrieval=True, model=str(folder), retrieval_queries=4, device="cpu"))
