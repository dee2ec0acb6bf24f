"""`prepare`, `train` and `eval` through the command line, in miniature."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from signgen.checkpoints.models import save_pretrained
from signgen.cli.main import main
from signgen.config.model import tiny_fpdm
from signgen.media import save_image
from signgen.models import build_model
from tests.material.deepfashion_trees import write_tree
from tests.material.sample_clips import write_sample


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("corpus"), frames=3, size=(64, 64))


def test_prepare_synthetic_prints_the_folder_or_one_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--signers", "3", "--clips-per-signer", "1", "--frames", "2", "--size", "64", "64"]
    for name, extra in (("a", []), ("b", ["--json"])):
        out = tmp_path / name
        assert main(["prepare", "synthetic", "--out", str(out), *words, *extra]) == 0
        printed = capsys.readouterr().out
        if extra:
            assert json.loads(printed)["clips"] == {"train": 1, "dev": 1, "test": 1}
        else:
            assert printed == f"{out}\n"
        assert (out / "features").is_dir()


def test_prepare_synthetic_without_its_extra_names_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from signgen.data.synthetic import corpus

    corpus._studio.cache_clear()
    monkeypatch.setitem(sys.modules, "anny", None)
    assert main(["prepare", "synthetic", "--out", str(tmp_path / "a")]) == 69
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "pip install 'signgen[synthetic]'" in captured.err
    assert list(tmp_path.iterdir()) == []


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
    assert main([*words, "--hand-metrics", "--size", "80", "80"]) == 0
    table = capsys.readouterr().out
    assert "ssim" in table.lower()
    assert main([*words, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)["schema_version"] == 2


def test_eval_lists_protocols(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--protocol", "list"]) == 0
    captured = capsys.readouterr()
    assert "phoenix-fpdm: " in captured.out
    assert captured.err == ""
    assert main(["eval", "--protocol", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["protocols"]
    assert listed["phoenix-fpdm"].keys() >= {"source", "differs", "metrics", "resize"}


def test_eval_scores_the_rest_and_exits_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    for root, lengths in (("ours", (3, 2, 4)), ("truth", (3, 3, 4)), ("other", (3, 3, 4))):
        for clip, length in zip("abc", lengths, strict=True):
            folder = tmp_path / root / clip
            folder.mkdir(parents=True)
            for index in range(length):
                save_image(folder / f"{index}.png", rng.integers(0, 256, (80, 60, 3), np.uint8))
    (tmp_path / "ours" / "c" / "2.png").write_bytes(b"no picture")
    (tmp_path / "truth" / "d.mp4").write_bytes(b"no video")
    paths = {name: str(tmp_path / name) for name in ("ours", "truth", "other")}
    made = {flag: str(tmp_path / f"made.{flag}") for flag in ("json", "html", "tex")}
    words = ["eval", "--generated", paths["ours"], "--reference", paths["truth"]]
    words += ["--compare", paths["other"], "--protocol", "signvip", "--out", made["json"]]
    assert main([*words, "--report", made["html"], "--latex", made["tex"]]) == 3
    captured = capsys.readouterr()
    assert "1 clip, 3 frames, 3 not scored, protocol signvip" in captured.out
    assert "names: 3 in both, 0 only generated, 1 only in the reference" in captured.out
    lines = captured.err.splitlines()
    assert lines[-1] == "signgen: 1 clip scored, 3 not"
    assert sum(line.startswith("signgen: clip b: 2 generated frames, but 3") for line in lines) == 1
    assert len(lines) == 4, "one line for each clip that failed, and the counts"
    report = json.loads(Path(made["json"]).read_text())
    failed = {entry["id"]: entry["error"] for entry in report["failed"]}
    assert "2 generated frames, but 3" in failed["b"]
    assert "2.png" in failed["c"]
    assert "has no clip d" in failed["d"]
    assert report["inputs"]["matched"] == 3
    assert report["inputs"]["only_reference"] == 1
    assert {entry["name"] for entry in report["systems"]} > {"generated", "other"}
    assert report["comparisons"]
    page = Path(made["html"]).read_text()
    assert "Worst frames" in page, "found by SSIM, as there are no poses for Hand SSIM"
    assert r"\begin{table}" in Path(made["tex"]).read_text()
