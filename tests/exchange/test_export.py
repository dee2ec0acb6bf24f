"""Models as folders to upload: the card says what is so, and nothing is left blank."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

import signgen
from signgen.checkpoints.folders import verify
from signgen.checkpoints.models import save_pretrained
from signgen.cli.main import main
from signgen.config.data import DataConfig
from signgen.config.exchange import ExportConfig
from signgen.config.model import full_fpdm, tiny_fpdm
from signgen.config.train import TrainConfig
from signgen.config.yaml import to_yaml
from signgen.exchange.export import export_model
from signgen.models import build_model
from signgen.structures import ExitCode, UserError

LICENCE = "--license cc-by-nc-sa-4.0"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of stage 2 on the bundled sample, two steps long."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    words = "--steps 2 --ema 0.5 --data.workers 0 --device cpu --sample-every 9"
    assert main(["train", "--out", str(out), *words.split()]) == 0
    return out


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A model folder without a card."""
    return save_pretrained(build_model(tiny_fpdm()), tmp_path / "plain")


def front_matter(folder: Path) -> dict[str, Any]:
    _, block, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(block)
    return found


def refused(line: str, out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["export", *line.split(), "--to-hub-folder", str(out)])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert not out.exists()
    return code, captured.err


def test_the_bundled_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "signgen-mini"
    words = ["--to-hub-folder", str(out), "--repo", "me/signgen-mini"]
    assert main(["export", "mini", *words, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    made = json.loads(captured.out)
    assert made["upload"] == f"hf upload me/signgen-mini {out} ."
    assert set(made["files"]) == {"README.md", "config.yaml", "manifest.json", "model.safetensors"}
    assert front_matter(out) == {
        "license": "apache-2.0",
        "library_name": "signgen",
        "pipeline_tag": "image-to-video",
        "tags": ["sign-language", "pose-guided", "latent-diffusion", "fpdm", "arxiv:2412.07333"],
        "datasets": ["synthetic"],
        "training_data": [
            {"name": "synthetic", "license": "Apache-2.0; rendered, no real person is depicted"}
        ],
    }
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "| unet | 7,822,088 |" in card
    assert "--model me/signgen-mini" in card
    assert "### signgen mini, fifth edition" in card
    # What is bundled was fp16 already, so that nothing is lost.
    mini, ours = signgen.load_model("mini"), signgen.load_model(out)
    pairs = zip(mini.state_dict().values(), ours.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    # Exporting an export changes nothing.
    export_model(ExportConfig(str(out), str(tmp_path / "again"), repo="me/signgen-mini"))
    for file in out.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_a_trained_run(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "up load"
    words = f"{run_folder} {LICENCE} --no-half --repo me/tiny".split()
    assert main(["export", *words, "--to-hub-folder", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out}\n"
    assert f"hf upload me/tiny '{out}' ." in captured.err
    card = (out / "README.md").read_text(encoding="utf-8")
    for said in (
        "| split train | 32 clips, 384 frames, 32 signers; source and target the same in 5% |",
        "| last stage | fpdm, starting from nothing |",
        "| optimiser steps | 2 of 2 |",
        "| batch | 2 x 1 processes, 4 examples in all |",
        "| moving average | 0.5, used here |",
        "| weights | fp32 |",
        "Evaluation by people: none done.",
    ):
        assert said in card
    assert str(run_folder.parent) not in card
    assert front_matter(out)["license"] == "cc-by-nc-sa-4.0"
    # The run's averaged weights, to the bit.
    average = load_file(run_folder / "checkpoints" / "step-000002" / "ema.safetensors")
    ours = signgen.load_model(out).state_dict()
    assert all(torch.equal(ours[name], value) for name, value in average.items())
    assert verify(out)["files"].keys() == {"config.yaml", "model.safetensors"}


def test_the_report_of_an_evaluation(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert main(["eval", "--model", str(plain), "--device", "cpu", "--out", str(report)]) == 0
    out = tmp_path / "out"
    flags = f"{LICENCE} --data synthetic --report {report}".split()
    words = [*flags, "--human-evaluation", "two Deaf signers understood 3 of 10 signs"]
    assert main(["export", str(plain), *words, "--to-hub-folder", str(out)]) == 0
    card = (out / "README.md").read_text(encoding="utf-8")
    scores = {e["name"]: e for e in json.loads(report.read_text())["metrics"][:2]}
    assert f"{scores['ssim']['value']:.4f}" in card
    assert scores["psnr"]["signature"] in card
    assert "two Deaf signers understood 3 of 10 signs." in card
    (index,) = front_matter(out)["model-index"]
    listed = {m["type"]: m["value"] for m in index["results"][0]["metrics"]}
    assert listed["ssim"] == round(scores["ssim"]["value"], 4)
    assert index["results"][0]["dataset"] == {"name": "sample", "type": "sample", "split": "test"}
    # A report is of one model.
    capsys.readouterr()
    code, said = refused(f"mini --report {report}", tmp_path / "other", capsys)
    assert code == ExitCode.DATA
    assert f"is of model {plain}; expected one of mini" in said


def test_nothing_is_left_blank(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = {"R1": "{}", "R2": "[]", "R3": "no", "R4": '{"schema_version": 1, "metrics": [{}]}'}
    for name, text in reports.items():
        (tmp_path / name).write_text(text)
    for line, code, message in (
        ("PLAIN", 2, "--license is missing"),
        (f"PLAIN {LICENCE}", 2, "--data is missing"),
        (f"PLAIN {LICENCE} --data mine", 2, "--data-license is missing: the terms of mine"),
        ("PLAIN --license= --data phoenix14t", 2, "--license is missing"),
        ("", 2, "MODEL is missing"),
        ("mini --repo x", 2, "--repo is x; expected owner/name"),
        ("mini mini", 2, "one word too many"),
        ("no-such-model", 66, "model no-such-model is unknown"),
        ("owner/nowhere", 66, "hf download owner/nowhere"),
        ("mini --notes NONE", 66, "NONE "),
        *((f"mini --report {tmp_path / name}", 65, str(tmp_path / name)) for name in reports),
    ):
        found, said = refused(line.replace("PLAIN", str(plain)), tmp_path / "out", capsys)
        assert (found, message in said) == (code, True), said


def test_no_folder_and_a_full_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "mini"]) == 2
    assert "--to-hub-folder is missing" in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["export", "mini", "--to-hub-folder", str(tmp_path)]) == 73
    assert "holds mine.txt" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_own_data_and_notes(plain: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("# Mine\n\n```bash\n# a comment\n```\n")
    out = tmp_path / "out"
    told = {"license": "My Licence | 1.0", "data": ("my-videos",), "notes": str(notes)}
    terms = "agreed to by both signers"
    export_model(ExportConfig(str(plain), str(out), data_license=terms, **told))
    found = front_matter(out)
    assert (found["license"], found["license_name"]) == ("other", "My Licence | 1.0")
    assert found["training_data"] == [{"name": "my-videos", "license": terms}]
    card = (out / "README.md").read_text()
    assert "## Notes\n\n### Mine\n\n```bash\n# a comment\n```" in card
    assert "| these weights | My Licence \\| 1.0 |" in card
    # The next export needs not be told again.
    again = export_model(ExportConfig(str(out), str(tmp_path / "again")))
    assert front_matter(Path(again.folder)) == found
    assert "### Mine\n" in (tmp_path / "again" / "README.md").read_text()


def test_a_card_by_hand_becomes_notes(
    plain: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (plain / "README.md").write_text("# By hand\n\nSigned by nobody.\n")
    words = ["--license", "mit", "--data", "synthetic"]
    out = tmp_path / "out"
    assert main(["export", str(plain), *words, "--to-hub-folder", str(out)]) == 0
    warned = [record.name for record in caplog.records if record.name.startswith("huggingface_hub")]
    assert warned == [], "that there is no front matter"
    assert "## Notes\n\n### By hand\n\nSigned by nobody." in (out / "README.md").read_text()


def test_a_part_of_this_machine_only_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "checkpoints" / "step-000001").mkdir(parents=True)
    (run / "checkpoints" / "step-000001" / "manifest.json").write_text('{"format":1,"files":{}}')
    config = TrainConfig(model=full_fpdm(base=str(tmp_path)), data=DataConfig(root="sample"))
    (run / "config.yaml").write_text(to_yaml(config))
    with pytest.raises(UserError, match=r"model\.scheduler\.pretrained is .* expected a hub id"):
        export_model(ExportConfig(str(run), str(tmp_path / "out"), license="mit"))
