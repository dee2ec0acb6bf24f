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
from typing import TYPE_CHECKING

import signgen
from signgen.cli.export import export
from signgen.cli.import_fpdm import import_fpdm
from signgen.cli.output import PRECEDENCE, say, table, tell
from signgen.cli.parsing import parse
from signgen.cli.pose import pose
from signgen.cli.prepare import prepare
from signgen.cli.progress import bar
from signgen.config.evaluation import EvalConfig
from signgen.config.exchange import DoctorConfig
from signgen.config.render import RenderConfig
from signgen.config.train import TrainConfig
from signgen.config.yaml import did_you_mean, load_config
from signgen.structures import ExitCode, UserError

if TYPE_CHECKING:
    from signgen.evaluation.reports.report import Report

__all__ = ["main"]

SHOWN_FAILURES = 20
"""Clips that failed which are named on stderr."""

HELP = """\
signgen: one source frame and a pose sequence become a video of that signer.

  signgen render --source frame.png --poses seq.json     render to out.mp4
  signgen eval --hand-metrics                            score the bundled model
  signgen doctor                                         what works on this machine

Commands:
  render    one source frame and a pose sequence to a video
  train     train one stage: signgen train [CONFIG.yaml or run folder] [flags]
  eval      score generated frames against real ones
  export    write a model as a folder to upload to the hub, with a model card
  prepare   make or check training data: signgen prepare synthetic --out DIR
  pose      extract, look into, show and align key points: signgen pose info FILE
  import-fpdm  make a model of the published FPDM checkpoints
  doctor    say what works on this machine

`signgen COMMAND --help` lists its flags. Settings: defaults < --config FILE.yaml < flags.
--debug or SIGNGEN_DEBUG=1 shows the traceback of an error; --version shows the version.
"""


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
        tell(f"interrupted: {stop}" if str(stop) else "interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, code = _explain(error)
        tell(f"error: {message}")
        return code


def _dispatch(words: list[str]) -> int:
    logging.basicConfig(stream=sys.stderr, format="signgen: %(message)s", level=logging.WARNING)
    logging.getLogger("signgen").setLevel(logging.INFO)
    if not words or words[0] in {"--help", "-h"}:
        say(HELP.rstrip())
        return ExitCode.OK
    if words[0] in {"--version", "-V"}:
        say(f"signgen {signgen.__version__}")
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
        "--guidance takes one number for both weights, or two. Short: -s source, -p poses, "
        "-o out.\n\n" + PRECEDENCE,
    )
    from signgen.rendering.command import as_json, plan, render_files

    if config.dry_run:
        planned = as_json(plan(config))
        say(json.dumps(planned) if config.json else table(planned))
        return ExitCode.OK
    result = render_files(config, progress=bar("frame"))
    if config.json:
        say(json.dumps(as_json(result)))
        return ExitCode.OK
    say("\n".join(result.files))
    for warning in result.warnings:
        tell(f"warning: {warning}")
    height, width = result.size
    tell(
        f"{result.frames} frame{'' if result.frames == 1 else 's'} of {height} x {width} "
        f"at {result.fps:g} fps in {result.seconds:.1f} s"
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
        tell(
            "no configuration given: training the tiny smoke configuration on "
            f"{'the bundled sample' if config.data.root == 'sample' else config.data.root}"
            f", into {config.out}"
        )
    from signgen.training.loop import train

    say(str(train(config)))
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
        "model on the bundled sample. Copies of the source and of the true frame before are scored "
        "beside them.\n\n"
        "Example: signgen eval --generated out.mp4 --reference real.mp4\n\n"
        "The scores are printed to stdout, all else to stderr. Exit code 3: some clips could not "
        "be scored; they are listed. " + PRECEDENCE,
    )
    if config.protocol == "list":
        from signgen.evaluation.protocols import describe

        say(describe())
        return ExitCode.OK
    from signgen.evaluation.command import evaluate

    report = evaluate(config, progress=bar("picture" if config.retrieval else "clip"))
    if config.json:
        say(json.dumps(report.to_json()))
    else:
        say(report.table(per_hand=config.per_hand, per_signer=config.per_signer))
    return _tell_failed(report)


def _tell_failed(report: Report) -> int:
    """Say which clips of an evaluation failed, and return the exit code."""
    failed = report.failed
    if not failed:
        return ExitCode.OK
    for one in failed[:SHOWN_FAILURES]:
        known = one.error.startswith(f"clip {one.id}: ")
        tell(one.error if known else f"clip {one.id}: {one.error}")
    hidden = len(failed) - SHOWN_FAILURES
    more = f" ({hidden} more than shown, all in the JSON report)" if hidden > 0 else ""
    scored = len(report.per_clip)
    tell(f"{scored} {'clip' if scored == 1 else 'clips'} scored, {len(failed)} not{more}")
    return ExitCode.SOME_FAILED


def _doctor(words: list[str]) -> int:
    config = parse(
        DoctorConfig,
        words,
        prog="signgen doctor",
        description="Say what works on this machine, and how to mend what does not.",
    )
    from signgen.cli.doctor import diagnose, report, works

    findings = []
    for finding in diagnose():
        findings.append(finding)
        if not config.json:
            say(f"{finding.state:<9} {finding.name:<23} {finding.text}")
    if config.json:
        say(json.dumps(report(findings)))
    else:
        say("signgen works here." if works(findings) else "Something is broken; see above.")
    return ExitCode.OK if works(findings) else ExitCode.UNAVAILABLE


COMMANDS: Mapping[str, Callable[[list[str]], int]] = {
    "render": _render,
    "train": _train,
    "eval": _eval,
    "export": export,
    "prepare": prepare,
    "pose": pose,
    "import-fpdm": import_fpdm,
    "doctor": _doctor,
}


# ----- failures and signals ----------------------------------------------------------------------


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
