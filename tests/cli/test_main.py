"""The command line: help, flags, streams, exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import signgen
from signgen.cli.main import COMMANDS, main
from signgen.cli.output import columns, table
from signgen.data.preparation.dataset import check_picture
from signgen.errors import ExitCode, UserError
from signgen.media import image_size

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    f"{name} {inner}".strip()
    for name, command in COMMANDS.items()
    for inner in ("", *([] if callable(command) else command))
]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *words],
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
    return captured.err.removeprefix("signgen: error: ").strip()


# ----- help ---------------------------------------------------------------------------------------


def test_help_of_every_command_loads_no_heavy_package() -> None:
    code = (
        "import sys; from signgen.cli.main import main\n"
        f"for name in {['', *NAMES]!r}: assert main([*name.split(), '--help']) == 0, name\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'cv2', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = run("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("usage: signgen ") == len(NAMES) - 2, "all but groups of commands"


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


def test_help_of_train_shows_what_matters_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "defaults < --config FILE.yaml < flags" in " ".join(shown.split())
    assert "Peak learning rate of AdamW. (default: 0.0001)" in shown
    boxes = re.findall(r"^\W+((?:[\w.]+ )?options)\W+$", shown, re.M)
    assert boxes[:6] == [
        "options",
        "data options",
        "optimiser options",
        "checkpoints options",
        "validation options",
        "model options",
    ]
    first = shown.split(" data options ")[0]
    assert len(re.findall(r"^\W -", first, re.M)) <= 12, "ten, --help and --debug"
    assert "--stage {vae,ipf,fpdm,decoder,windows,signer,distill,motion}" in " ".join(first.split())
    path = tmp_path / "c.yaml"
    path.write_text("learning_rate: 0.5\n")
    assert main(["train", str(path), "--help"]) == 0
    assert "(default: 0.5)" in capsys.readouterr().out


def test_version_and_lazy_names() -> None:
    done = run("-m", "signgen", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"signgen {signgen.__version__}\n",
        "",
    )
    done = run(
        "-c",
        "import sys, signgen; assert 'torch' not in sys.modules; "
        "signgen.UserError, signgen.PoseSequence; assert 'torch' not in sys.modules; "
        "assert 'Renderer' in dir(signgen)",
    )
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError):
        _ = signgen.nothing


# ----- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rendr", "rendr is not a command. Did you mean render?"),
        ("--versoin", "--versoin is not a flag. Did you mean --version?"),
        ("prepare phoenix", "phoenix is not a command of `signgen prepare`"),
        ("render --stps 3", "--stps is not a flag of this command. Did you mean --steps?"),
        ("render --steps=abc", "--steps is 'abc'; expected a whole number."),
        ("render --steps", "--steps has no value; expected a whole number."),
        ("render -o", "-o has no value; expected a text."),
        ("render --size 100", "--size is '100'; expected two whole numbers."),
        ("render --seed 1 --size 3 x", "--size is '3 x'; expected two whole numbers."),
        ("render --device gpu", "--device is 'gpu'; expected one of auto, cpu, cuda, mps."),
        ("render --guidance 1 2 3", "--guidance is '1 2 3'; expected one number or two."),
        ("render --guidance nan nan", "guidance is [nan, nan]; expected two numbers"),
        ("render frame.png", "'frame.png' is one word too many; expected only flags."),
        ("render --no-json yes", "'yes' is one word too many"),
        ("render -x", "-x is not a flag of this command."),
        ("render", "--source is missing"),
        ("train --model.unt.head-width 3", "Did you mean --model.unet.head-width?"),
        ("train --learning-rate nan", "learning_rate is nan; expected a number."),
        ("prepare phoenix14t", "--raw is missing; expected the unpacked corpus or its archive."),
        ("prepare folder", "--videos is missing; expected a folder of recordings."),
        ("prepare synthetic", "--out is missing"),
        ("prepare cache", "--out is missing"),
        ("prepare cache --out x --workers 0", "workers is 0; expected at least 1"),
        ("prepare cache --out x --splits", "--splits is missing; expected one or more of train"),
        ("prepare synthetic --out x --size 10 64", "--size is 10 64; expected at least 64"),
        (
            "prepare synthetic --out x --clips-per-signer 0",
            "clips_per_signer is 0; expected at least 1",
        ),
        ("prepare deepfashion --out x", "--raw is missing"),
        ("prepare deepfashion --raw x", "--out is missing"),
        ("prepare deepfashion --raw x --out y --subset -1", "subset is -1; expected 0 or more"),
        ("prepare deepfashion --layout nuted", "--layout is 'nuted'; expected one of fpdm, nted"),
        ("pose info", "FILE is missing; expected files or folders of poses."),
        ("pose view", "FILE is missing; expected a file of poses."),
        ("pose align --poses x", "--source-poses is missing"),
        ("pose convert IN OUT more", "'more' is one word too many; expected IN OUT."),
        ("doctor --jsn", "Did you mean --json?"),
        ("eval --config", "--config has no value; expected a YAML file."),
    ],
)
def test_wrong_words_are_one_line_and_2(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    assert message in one_line(capsys)


def test_wrong_words_in_a_process() -> None:
    done = run("-m", "signgen", "render", "--stps", "3")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "Did you mean --steps?" in done.stderr


@pytest.mark.parametrize(
    ("line", "code", "file", "hint"),
    [
        ("render --stps 3", 2, None, "Did you mean --steps? See `signgen render --help`."),
        ("rendr", 2, None, "Did you mean render? See `signgen --help`."),
        ("pose info no.pose", 66, "no.pose", "expected a file of poses."),
        ("render --source=a/no.png --poses x", 66, "a/no.png", "expected a picture. Check"),
        ("render --config {yaml}", 2, "{yaml}", "Did you mean steps?"),
    ],
)
def test_failures_are_one_object_too(
    line: str,
    code: int,
    file: str | None,
    hint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    yaml = tmp_path / "c.yaml"
    yaml.write_text("stepz: 1\n")
    assert main([*line.format(yaml=yaml).split(), "--json"]) == code
    captured = capsys.readouterr()
    failure = json.loads(captured.out)
    assert list(failure) == ["error", "code", "file", "hint"]
    assert captured.err == f"signgen: error: {failure['error']}\n"
    assert failure["code"] == code
    assert failure["file"] == (file and file.format(yaml=yaml))
    assert failure["hint"].startswith(hint)


def test_every_kind_of_failure_has_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, code, message in (
        (UserError("no disk.", ExitCode.IO), 74, "signgen: error: no disk.\n"),
        (UserError("\x1b[2J.mp4 is a trap."), 65, "signgen: error: \\x1b[2J.mp4 is a trap.\n"),
        (MemoryError(), 69, "signgen: error: out of memory. Use a smaller --chunk,"),
        (OSError(28, "No space left", "out.mp4"), 74, "signgen: error: out.mp4: No space left."),
        (ZeroDivisionError("x\ny"), 1, "signgen: error: unexpected ZeroDivisionError: x y (this"),
        (KeyboardInterrupt("at step 3"), 130, "signgen: interrupted: at step 3\n"),
    ):

        def fail(words: list[str], error: BaseException = error) -> int:
            raise error

        monkeypatch.setitem(COMMANDS, "doctor", fail)  # type: ignore[arg-type]
        assert main(["doctor", "--json"]) == code
        captured = capsys.readouterr()
        assert captured.err.startswith(message)
        assert captured.err.count("\n") == 1
        assert json.loads(captured.out)["code"] == code


@pytest.mark.parametrize(
    "words",
    [
        ["render", "--source", "PIPE", "--poses", "PIPE"],
        ["render", "--source", "PICTURE", "--poses", "PIPE"],
        ["render", "--config", "PIPE"],
        ["pose", "info", "PIPE"],
        ["eval", "--generated", "PIPE", "--reference", "PICTURE"],
        ["train", "PIPE"],
        ["pose", "view", "PIPE"],
        ["pose", "extract", "PIPE", "--out", "x.json"],
        ["pose", "align", "--poses", "PIPE", "--source-poses", "PIPE"],
        ["eval", "--generated", "PICTURE", "--reference", "PICTURE", "--i3d-weights", "PIPE"],
    ],
    ids=" ".join,
)
def test_nobody_waits_for_a_pipe(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    picture = Path(signgen.__file__).parent / "assets" / "sample" / "demo" / "source.png"
    paths = {"PIPE": str(tmp_path / "pipe"), "PICTURE": str(picture)}
    assert main([paths.get(word, word) for word in words]) == 65
    captured = capsys.readouterr()
    assert f"{tmp_path / 'pipe'} is not a regular file; expected a" in captured.err
    assert captured.err.count("\n") == 1


def test_nobody_waits_for_a_pipe_within_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, frames = tmp_path / "model", tmp_path / "frames" / "clip"
    mini = Path(signgen.__file__).parent / "assets" / "mini"
    for folder in (model, frames):
        folder.mkdir(parents=True)
    for name in ("config.yaml", "model.safetensors"):
        (model / name).symlink_to(mini / name)
    for pipe in (model / "manifest.json", frames / "1.png"):
        os.mkfifo(pipe)
    demo = mini.parent / "sample" / "demo"
    inputs = ["--source", str(demo / "source.png"), "--poses", str(demo / "poses.json")]
    videos = ["--videos", str(tmp_path / "frames"), "--out", str(tmp_path / "out")]
    for words, pipe in (
        (["render", *inputs, "--model", str(model), "--dry-run"], model / "manifest.json"),
        (["prepare", "folder", *videos, "--estimator", "none"], frames / "1.png"),
    ):
        assert main(words) == 65
        assert f"{pipe} is not a regular file" in capsys.readouterr().err.replace("\n", " ")
    with pytest.raises(UserError, match="is not a regular file"):
        check_picture(frames / "1.png")
    with pytest.raises(UserError, match="is not a regular file"):
        image_size(frames / "1.png", ("PNG",))


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
    assert "none.yaml does not exist" in one_line(capsys)
    assert main(["train", str(tmp_path)]) == 66
    assert "has no config.yaml" in one_line(capsys)


def test_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m signgen render --help | true; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr) == ("0", "")


# ----- tables -------------------------------------------------------------------------------------


def test_tables_are_aligned_and_printable() -> None:
    assert table({"frame_rate": 25, "size": (4, 3)}) == (
        "frame rate          25\nsize                4 3"
    )
    assert columns([{"clip": "a", "frames": 3}, {"clip": "long\x1b", "error": "x"}]) == (
        "clip      frames  error\na         3       -\nlong\\x1b  -       x"
    )


def test_settings_file_may_ask_for_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "eval.yaml"
    settings.write_text("json: true\ngenerated: absent.mp4\nreference: absent.mp4\n")
    code = main(["eval", "--config", str(settings)])
    assert json.loads(capsys.readouterr().out)["code"] == code == 66
