"""`prepare`, `train` and `eval` through the command line, in miniature."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signgen.checkpoint import save_pretrained
from signgen.cli import main
from signgen.config import tiny_fpdm
from signgen.models import build_model
from tests.data.deepfashion_trees import write_tree


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "drawn"
    words = ["--signers", "3", "--clips-per-signer", "1", "--frames", "3", "--size", "64", "64"]
    assert main(["prepare", "synthetic", "--out", str(folder), *words]) == 0
    return folder


def test_prepare_prints_the_folder_or_one_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--signers", "3", "--clips-per-signer", "1", "--frames", "2", "--size", "64", "64"]
    for name, extra in (("a", []), ("b", ["--json"])):
        out = tmp_path / name
        assert main(["prepare", "synthetic", "--out", str(out), *words, *extra]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        if extra:
            assert json.loads(captured.out)["clips"] == {"train": 1, "dev": 1, "test": 1}
        else:
            assert captured.out == f"{out}\n"
        assert (out / "features").is_dir()


def test_prepare_refuses_a_full_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["prepare", "synthetic", "--out", str(tmp_path)]) == 73
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert str(tmp_path) in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_prepare_deepfashion_tells_a_part_from_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_tree(tmp_path / "fpdm", "fpdm")
    words = ["prepare", "deepfashion", "--raw", str(root), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "101,966  differs" in captured.out
    assert "test: 2 records, 5 frames, 8 pairs written; 0 pairs left out" in captured.out
    next((root / "img" / "MEN").rglob("01_2_side.jpg")).unlink()
    assert main([*words, "--json"]) == 3
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["pairs_left_out"] == {"train": 0, "test": 4}
    assert report["counts"]["test"] == {"records": 2, "frames": 4, "pairs": 4}
    assert captured.err.count("\n") == 1
    rows = (tmp_path / "out" / "problems.jsonl").read_text().splitlines()
    assert [json.loads(row)["path"] for row in rows] == [str(root)]
    assert "MEN/Tees_Tanks/id_00000012/01_2_side" in rows[0]


def test_train_from_flags_then_resume_the_folder(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    flags = ["--data.root", str(corpus), "--data.workers", "0", "--device", "cpu"]
    assert main(["train", "--out", str(run), "--stop-at", "1", "--steps", "2", *flags]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{run}\n"
    assert "no configuration given" in captured.err
    assert main(["train", str(run), "--stop-at", "0"]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{run}\n"
    assert "no configuration given" not in captured.err
    assert (run / "checkpoints" / "step-000002" / "manifest.json").is_file()


def test_train_names_missing_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{root: {tmp_path / 'none'}}}\nout: {tmp_path / 'run'}\n")
    assert main(["train", str(config)]) in {65, 66}
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "none" in captured.err
    assert not (tmp_path / "run").exists()


def test_eval_prints_a_table_or_one_object(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = build_model(tiny_fpdm())
    save_pretrained(model, tmp_path / "tiny")
    words = ["eval", "--model", str(tmp_path / "tiny"), "--data", str(corpus), "--device", "cpu"]
    assert main([*words, "--hand-metrics"]) == 0
    table = capsys.readouterr().out
    assert "ssim" in table.lower()
    assert main([*words, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)["schema_version"] == 1


def test_eval_needs_both_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--generated", str(tmp_path)]) == 2
    assert "--reference" in capsys.readouterr().err
