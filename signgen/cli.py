"""The command line: parse, call one function, print what it returns.

Results go to stdout, progress and complaints to stderr. Nothing here imports torch before a command
needs it, so that help is instant.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import signgen
from signgen.cli_flags import parse
from signgen.cli_progress import bar, counter
from signgen.config import (
    DoctorConfig,
    EvalConfig,
    PrepareSyntheticConfig,
    RenderConfig,
    TrainConfig,
)
from signgen.config_io import did_you_mean, load_config
from signgen.structures import ExitCode, UserError

__all__ = ["main"]

MIN_SIGNER_SIDE = 64
"""Smaller signers have no hands to see."""

HELP = """\
signgen: one source frame and a pose sequence become a video of that signer.

  signgen render --source frame.png --poses seq.json     render to out.mp4
  signgen eval --hand-metrics                            score the bundled model
  signgen doctor                                         what works on this machine

Commands:
  render    one source frame and a pose sequence to a video
  train     train one stage: signgen train [CONFIG.yaml or run folder] [flags]
  eval      score generated frames against real ones
  prepare   make training data: signgen prepare synthetic --out DIR
  doctor    say what works on this machine

`signgen COMMAND --help` lists its flags. Settings: defaults < --config FILE.yaml < flags.
--debug or SIGNGEN_DEBUG=1 shows the traceback of an error; --version shows the version.
"""

PRECEDENCE = "Settings: defaults < --config FILE.yaml < flags. --debug: traceback of an error."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after the program's name; those of the process if not given.

    Returns:
        The exit code, see `signgen.errors.ExitCode`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or os.environ.get("SIGNGEN_DEBUG", "") not in {"", "0"}
    words = [word for word in words if word != "--debug"]
    try:
        with _terminable():
            return _dispatch(words)
    except BrokenPipeError:
        # The reader of stdout has gone; what is left must not be flushed into the broken pipe.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else ExitCode.OK
    except KeyboardInterrupt as stop:
        _tell(f"interrupted: {stop}" if str(stop) else "interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, code = _explain(error)
        _tell(f"error: {message}")
        return code


def _dispatch(words: list[str]) -> int:
    logging.basicConfig(stream=sys.stderr, format="signgen: %(message)s", level=logging.WARNING)
    logging.getLogger("signgen").setLevel(logging.INFO)
    if not words or words[0] in {"--help", "-h"}:
        _say(HELP.rstrip())
        return ExitCode.OK
    if words[0] in {"--version", "-V"}:
        _say(f"signgen {signgen.__version__}")
        return ExitCode.OK
    if words[0] not in COMMANDS:
        kind = "flag" if words[0].startswith("-") else "command"
        known = [*COMMANDS, "--version", "--help", "--debug"]
        raise UserError(
            f"{words[0]} is not a {kind}. {did_you_mean(words[0], known)} See `signgen --help`.",
            ExitCode.USAGE,
        )
    return COMMANDS[words[0]](words[1:])


# ----- commands -----------------------------------------------------------------------------------


def _render(words: list[str]) -> int:
    config = parse(
        RenderConfig,
        words,
        prog="signgen render",
        description="Render a signer: one source frame and a pose sequence become a video.\n\n"
        "Example: signgen render --source frame.png --poses seq.json -o out.mp4 --steps 20\n\n"
        "--guidance takes one number for both weights, or two. Short: -s source, -p poses, -o out. "
        + PRECEDENCE,
    )
    from signgen.render_files import as_json, plan, render_files

    if config.dry_run:
        planned = as_json(plan(config))
        _say(json.dumps(planned) if config.json else _table(planned))
        return ExitCode.OK
    result = render_files(config, progress=bar("frame"))
    if config.json:
        _say(json.dumps(as_json(result)))
        return ExitCode.OK
    _say("\n".join(result.files))
    height, width = result.size
    _tell(
        f"{result.frames} frames of {height} x {width} at {result.fps:g} fps "
        f"in {result.seconds:.1f} s"
    )
    return ExitCode.OK


def _train(words: list[str]) -> int:
    default, words = _training_start(words)
    config = parse(
        TrainConfig,
        words,
        prog="signgen train",
        description="Train one stage: signgen train [CONFIG.yaml or run folder] [flags]\n\n"
        "Example: signgen train configs/train-mini-fpdm.yaml --out runs/mini\n\n"
        "A run folder resumes its run. Without either, the tiny smoke configuration is trained "
        "on the bundled sample. " + PRECEDENCE,
        default=default,
    )
    if default is None and "--config" not in words:
        _tell(
            "no configuration given: training the tiny smoke configuration on "
            f"{'the bundled sample' if config.data.root == 'sample' else config.data.root}"
            f", into {config.out}"
        )
    from signgen.train import train

    _say(str(train(config)))
    return ExitCode.OK


def _training_start(words: list[str]) -> tuple[TrainConfig | None, list[str]]:
    """Take the configuration or run folder off the words, if there is one."""
    if not words or words[0].startswith("-"):
        return None, words
    path = Path(words[0])
    if not path.is_dir():
        return load_config(path, TrainConfig), words[1:]
    if not (path / "config.yaml").is_file():
        raise UserError(
            f"{path} has no config.yaml; expected a run folder or a YAML file.", ExitCode.NO_INPUT
        )
    config = load_config(path / "config.yaml", TrainConfig)
    return dataclasses.replace(config, out=str(path)), words[1:]


def _eval(words: list[str]) -> int:
    config = parse(
        EvalConfig,
        words,
        prog="signgen eval",
        description="Score generated frames against reference frames; without paths, the bundled "
        "model on the bundled sample.\n\n"
        "Example: signgen eval --generated out.mp4 --reference real.mp4\n\n" + PRECEDENCE,
    )
    from signgen.evaluate import evaluate, table

    report = evaluate(config, progress=bar("clip"))
    _say(json.dumps(report) if config.json else table(report))
    return ExitCode.OK


def _prepare(words: list[str]) -> int:
    if not words or words[0] in {"--help", "-h"}:
        _say(
            "signgen prepare synthetic --out DIR [flags]    draw a corpus of synthetic signers\n\n"
            "`signgen prepare synthetic --help` lists the flags."
        )
        return ExitCode.OK
    if words[0] != "synthetic":
        raise UserError(
            f"{words[0]} cannot be prepared; expected: signgen prepare synthetic --out DIR.",
            ExitCode.USAGE,
        )
    config = parse(
        PrepareSyntheticConfig,
        words[1:],
        prog="signgen prepare synthetic",
        description="Draw a corpus of synthetic signers in the PHOENIX-2014T layout.\n\n"
        "Example: signgen prepare synthetic --out synthetic --signers 100\n\n" + PRECEDENCE,
    )
    if not config.out:
        raise UserError(
            "--out is missing; expected a folder to create, as in --out synthetic.",
            ExitCode.USAGE,
        )
    if min(config.size) < MIN_SIGNER_SIDE:
        raise UserError(
            f"--size is {config.size[0]} {config.size[1]}; expected at least {MIN_SIGNER_SIDE}.",
            ExitCode.USAGE,
        )
    for name in ("frames", "clips_per_signer", "workers"):
        if getattr(config, name) < 1:
            raise UserError(
                f"--{name.replace('_', '-')} is {getattr(config, name)}; expected at least 1.",
                ExitCode.USAGE,
            )
    from signgen.data.synthetic import write_corpus

    with counter("clip") as progress:
        clips = write_corpus(
            Path(config.out),
            config.signers,
            config.clips_per_signer,
            config.seed,
            config.frames,
            config.size,
            motion_blur=config.motion_blur,
            progress=progress,
            workers=config.workers,
        )
    made = {"schema_version": 1, "folder": config.out, "clips": clips}
    _say(json.dumps(made) if config.json else config.out)
    return ExitCode.OK


def _doctor(words: list[str]) -> int:
    config = parse(
        DoctorConfig,
        words,
        prog="signgen doctor",
        description="Say what works on this machine, and how to mend what does not.",
    )
    from signgen.doctor import diagnose, report, works

    findings = []
    for finding in diagnose():
        findings.append(finding)
        if not config.json:
            _say(f"{finding.state:<9} {finding.name:<23} {finding.text}")
    if config.json:
        _say(json.dumps(report(findings)))
    else:
        _say("signgen works here." if works(findings) else "Something is broken; see above.")
    return ExitCode.OK if works(findings) else ExitCode.UNAVAILABLE


COMMANDS: Mapping[str, Callable[[list[str]], int]] = {
    "render": _render,
    "train": _train,
    "eval": _eval,
    "prepare": _prepare,
    "doctor": _doctor,
}


# ----- output -------------------------------------------------------------------------------------


def _say(text: str) -> None:
    print(text, flush=True)


def _tell(text: str) -> None:
    # One line whatever a library puts into its message.
    print("signgen:", " ".join(text.split()), file=sys.stderr, flush=True)


def _table(values: Mapping[str, object]) -> str:
    lines = []
    for name, value in values.items():
        shown = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        lines.append(f"{name.replace('_', ' '):<19} {shown}")
    return "\n".join(lines)


def _explain(error: Exception) -> tuple[str, int]:
    """Return the one line and the exit code of an exception."""
    if isinstance(error, UserError):
        return str(error), error.code
    name, text = type(error).__name__, str(error)
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        return "out of memory. Use a smaller --chunk, --size or batch size.", ExitCode.UNAVAILABLE
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
        return f"{error.filename or 'output'}: {error.strerror}. Free some space.", ExitCode.IO
    return (
        f"unexpected {name}: {text[:300]} (this is a fault of signgen; --debug shows where)",
        ExitCode.UNEXPECTED,
    )


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that temporary files are removed, and exit with 143."""

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    try:
        previous = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # signals belong to the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
