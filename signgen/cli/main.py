"""The command line: parse, call one function, print what it returns.

Results go to stdout, progress and complaints to stderr. Nothing here imports torch before a command
needs it, so that help is instant.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

import signgen
from signgen.cli import later, pose, prepare
from signgen.cli.doctor import doctor
from signgen.cli.evaluate import evaluate
from signgen.cli.info import info
from signgen.cli.models import export, import_fpdm
from signgen.cli.output import print_note, print_result
from signgen.cli.parsing import Command
from signgen.cli.render import render
from signgen.cli.train import train
from signgen.cli.ui import ui
from signgen.config.documents import read_mapping
from signgen.config.yaml import did_you_mean
from signgen.errors import ExitCode, Stopped, UserError, explain

__all__ = ["COMMANDS", "main"]

HELP = """\
signgen: one source frame and a pose sequence become a video of that signer.

  signgen render --source frame.png --poses seq.json     render to out.mp4
  signgen eval --hand-metrics                            score the bundled model
  signgen doctor                                         what works on this machine

Commands:
  render       one source frame and a pose sequence to a video
  train        train one stage: signgen train [CONFIG.yaml or run folder] [flags]
  eval         score generated frames against real ones
  info         say where a rendered video comes from, and how to make it again
  pose         extract, look into, show and align key points: signgen pose info FILE
  prepare      make or check training data: signgen prepare synthetic --out DIR
  export       write a model as a folder to upload to the hub, with a model card
  import-fpdm  make a model of the published FPDM checkpoints
  ui           a page in the browser: render, score, look into poses
  doctor       say what works on this machine

`signgen COMMAND --help` lists its flags. Settings: defaults < --config FILE.yaml < flags.
--debug or SIGNGEN_DEBUG=1 shows the traceback of an error; --version shows the version.
"""

COMMANDS: Mapping[str, Command | Mapping[str, Command]] = {
    "render": render,
    "train": train,
    "eval": evaluate,
    "info": info,
    "export": export,
    "prepare": prepare.COMMANDS,
    "pose": pose.COMMANDS,
    "import-fpdm": import_fpdm,
    "ui": ui,
    "doctor": doctor,
}
HELPS = {"signgen": HELP, "signgen prepare": prepare.HELP, "signgen pose": pose.HELP}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code, see `signgen.errors.ExitCode`."""
    if arguments is None:
        later.install()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or os.environ.get("SIGNGEN_DEBUG", "") not in {"", "0"}
    words = [word for word in words if word != "--debug"]
    logging.basicConfig(stream=sys.stderr, format="signgen: %(message)s", level=logging.WARNING)
    logging.getLogger("signgen").setLevel(logging.INFO)
    try:
        with _terminable():
            return _run_or_explain(words, debug=debug)
    except BrokenPipeError:
        # The reader of stdout has gone; what is left must not be flushed into the broken pipe.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else ExitCode.OK


def _run_or_explain(words: list[str], *, debug: bool) -> int:
    """Run a command; a failure is one line, with --json one object too."""
    try:
        return _run(words, COMMANDS, "signgen")
    except KeyboardInterrupt as stop:
        message = f"interrupted: {stop}" if str(stop) else "interrupted"
        code = stop.code if isinstance(stop, Stopped) else int(ExitCode.INTERRUPTED)
        print_note(message)
    except BrokenPipeError:
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, code = explain(error)
        print_note(f"error: {message}")
    if _asks_for_json(words):
        print_result(json.dumps(_failure(message, code, words)))
    return code


def _run(words: list[str], commands: Mapping[str, Any], prog: str) -> int:
    """Run the command that the first words name."""
    if not words or words[0] in {"--help", "-h"}:
        print_result(HELPS[prog].rstrip())
        return ExitCode.OK
    name, *others = words
    whole = prog == "signgen"
    if whole and name in {"--version", "-V"}:
        print_result(f"signgen {signgen.__version__}")
        return ExitCode.OK
    if name not in commands:
        kind = "flag" if name.startswith("-") else "command"
        known = [*commands, *(["--version", "--help", "--debug"] if whole else [])]
        of = "" if whole else f" of `{prog}`"
        raise UserError(
            f"{name} is not a {kind}{of}. {did_you_mean(name, known)} See `{prog} --help`.",
            ExitCode.USAGE,
        )
    command = commands[name]
    return command(others) if callable(command) else _run(others, command, f"{prog} {name}")


# ----- failures and signals ----------------------------------------------------------------------


def _asks_for_json(words: Sequence[str]) -> bool:
    """Whether a flag, or else the file of `--config`, asks for JSON."""
    if {"--json", "--no-json"} & {*words}:
        return "--json" in words
    for word, following in zip(words, [*words[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if flag == "--config":
            with contextlib.suppress(Exception):  # a bad file is the failure that is reported
                return read_mapping(value if equals else following).get("json") is True
    return False


def _failure(message: str, code: int, words: Sequence[str]) -> dict[str, object]:
    """Return a failure as JSON, by the form of messages: `FILE is ...; expected ... . Do this.`."""
    named = {word.partition("=")[2] if word.startswith("--") else word for word in words}
    starts = [message[: place.start()] for place in re.finditer(r"[ :,]", message)]
    paths = named if code != ExitCode.USAGE else ()
    files = [start for start in starts if start in paths or os.path.exists(start)]
    hint = re.split(r"(?<=[.?]) (?=[A-Z])|; ", message, maxsplit=1)[1:]
    return {
        "error": message,
        "code": code,
        "file": max(files, key=len, default=None),
        "hint": hint[0] if hint else None,
    }


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
