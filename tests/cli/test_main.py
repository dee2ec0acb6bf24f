"""The command line: help, flags, streams, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import signgen
from signgen.cli.main import main
from signgen.cli.parsing import known_flags, parse, positional
from signgen.config.data import PrepareSyntheticConfig
from signgen.config.pose import PoseConvertConfig, PoseExtractConfig
from signgen.config.render import RenderConfig
from signgen.config.train import TrainConfig
from signgen.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "render",
    "train",
    "eval",
    "export",
    "prepare",
    "prepare cache",
    "prepare synthetic",
    "prepare phoenix14t",
    "prepare folder",
    "prepare deepfashion",
    "pose",
    "pose info",
    "pose extract",
    "pose view",
    "pose align",
    "pose convert",
    "import-fpdm",
    "doctor",
)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "signgen", *words],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("signgen: error: ")
    assert "Traceback" not in captured.err
    return captured.err.removeprefix("signgen: error: ").strip()


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_answers_without_torch(command: str) -> None:
    script = (
        "import sys; from signgen.cli.main import main; "
        f"code = main({[*command.split(), '--help']!r}); "
        "sys.exit(9 if {'torch', 'diffusers', 'transformers', 'cv2'} & set(sys.modules) else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "--help" in done.stdout
    assert done.stderr == ""


def test_first_help_screen_has_runnable_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    examples = [line for line in shown.splitlines() if line.startswith("  signgen ")]
    assert 2 <= len(examples) <= 3
    for line in examples:
        words = line.split("   ")[0].split()[1:]
        assert main([words[0], "--help"]) == 0
        flags = capsys.readouterr().out
        assert all(word in flags for word in words if word.startswith("--"))


def test_help_names_defaults_and_precedence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "defaults < --config FILE.yaml < flags" in " ".join(shown.split())
    assert "default: 0.0001" in shown
    assert "Peak learning rate" in shown


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"signgen {signgen.__version__}\n",
        "",
    )


def test_public_names_load_lazily() -> None:
    script = (
        "import sys, signgen; assert 'torch' not in sys.modules; "
        "signgen.UserError, signgen.PoseSequence; assert 'torch' not in sys.modules; "
        "assert 'Renderer' in dir(signgen)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
    with pytest.raises(AttributeError):
        _ = signgen.nothing


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rendr", "rendr is not a command. Did you mean render?"),
        ("--versoin", "--versoin is not a flag. Did you mean --version?"),
        ("render --stps 3", "--stps is not a flag of this command. Did you mean --steps?"),
        ("render --steps=abc", "--steps is 'abc'; expected a whole number."),
        ("render --steps", "--steps has no value; expected a whole number."),
        ("render --size 100", "--size is '100'; expected two whole numbers."),
        ("render --device gpu", "--device is 'gpu'; expected one of auto, cpu, cuda."),
        ("render --guidance 1 2 3", "--guidance is '1 2 3'; expected one number or two."),
        ("render --guidance nan nan", "guidance is [nan, nan]; expected two numbers"),
        ("render frame.png", "'frame.png' is one word too many"),
        ("render -x", "-x is not a flag of this command."),
        ("render", "--source is missing"),
        ("train --model.unt.head-width 3", "Did you mean --model.unet.head-width?"),
        ("train --learning-rate nan", "learning_rate is nan; expected a number."),
        ("prepare phoenix", "phoenix is not a command of `signgen prepare`"),
        ("prepare synthetic", "--out is missing"),
        ("prepare cache", "--out is missing"),
        ("prepare cache --out x --workers 0", "--workers is 0"),
        ("prepare synthetic --out x --size 10 64", "--size is 10 64; expected at least 64"),
        ("prepare synthetic --out x --clips-per-signer 0", "--clips-per-signer is 0"),
        ("prepare deepfashion --out x", "--raw is missing"),
        ("prepare deepfashion --raw x", "--out is missing"),
        ("prepare deepfashion --raw x --out y --subset -1", "--subset is -1; expected 0 or more"),
        ("prepare deepfashion --layout nuted", "--layout is 'nuted'; expected one of fpdm, nted"),
        ("doctor --jsn", "Did you mean --json?"),
        ("eval --config", "--config needs a value"),
    ],
)
def test_wrong_words_are_one_line_and_2(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    assert message in one_line(capsys)


def test_wrong_words_in_a_process() -> None:
    done = run("render", "--stps", "3")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "Did you mean --steps?" in done.stderr


def test_debug_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["render", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("SIGNGEN_DEBUG", "1")
    assert main(["render"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_unknown_config_key_is_one_line_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("model: {unt: {head_width: 8}}\n")
    assert main(["train", str(path)]) == 2
    assert one_line(capsys) == f"{path}: model.unt is not a setting. Did you mean model.unet?"
    assert main(["train", "--config", str(path)]) == 2
    assert "Did you mean model.unet?" in one_line(capsys)


def test_train_needs_an_existing_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path / "none.yaml")]) == 66
    assert "expected a configuration in YAML" in one_line(capsys)
    assert main(["train", str(tmp_path)]) == 66
    assert "has no config.yaml" in one_line(capsys)


def test_precedence_defaults_yaml_flags(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("steps: 50\nguidance: [1, 1.5]\n")
    config = parse(RenderConfig, ["--steps", "3", "--config", str(path)], prog="x", description="x")
    assert (config.steps, config.guidance, config.seed) == (3, (1.0, 1.5), 0)


def test_flag_spellings() -> None:
    def parsed(line: str) -> RenderConfig:
        return parse(RenderConfig, line.split(), prog="x", description="x")

    assert parsed("-s a.png -p b.json -o c.mp4") == RenderConfig("a.png", "b.json", "c.mp4")
    assert parsed("--guidance 1.5").guidance == (1.5, 1.5)
    assert parsed("--guidance=1.5").guidance == (1.5, 1.5)
    assert parsed("--guidance 1 -2 --seed 4").guidance == (1.0, -2.0)
    assert parsed("--guidance 1 --seed 4").seed == 4
    assert parsed("--size 260 210").size == (260, 210)
    assert not parsed("--no-compare --dry_run").compare
    assert parsed("--source -").source == "-"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("IN OUT --json", "IN OUT"),
        ("--json IN --size 480 640 OUT", "IN OUT"),
        ("--fps 50 IN -o OUT", "IN"),
        ("--fps=50 IN --config x.yaml OUT --format npz", "IN OUT"),
        ("--unknown IN", "IN"),
    ],
)
def test_names_stand_anywhere_among_flags(words: str, named: str) -> None:
    found, flags = positional(words.split(), PoseConvertConfig)
    assert found == named.split()
    assert sorted([*found, *flags]) == sorted(words.replace("-o", "--out").split())


def test_a_flag_of_many_values_takes_all_words_to_the_next_flag() -> None:
    found, flags = positional(["a", "--inputs", "b", "c", "--out", "d", "e"], PoseExtractConfig)
    assert (found, flags) == (["a", "e"], ["--inputs", "b", "c", "--out", "d"])


def test_nested_flags() -> None:
    words = ["--model.unet.head-width", "4", "--model.no-drop-per-batch", "--start-from", "a", "b"]
    config = parse(TrainConfig, words, prog="x", description="x")
    assert config.model.unet.head_width == 4
    assert config.start_from == ("a", "b")
    assert "--model.no-drop-per-batch" in known_flags(TrainConfig)
    with pytest.raises(UserError):
        parse(PrepareSyntheticConfig, ["--signers", "many"], prog="x", description="x")


def test_closed_pipe_is_no_error() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        f"{sys.executable} -m signgen render --help | true; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "0"


def test_doctor_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == (0 if report["works"] else 69)
    assert report["schema_version"] == 1
