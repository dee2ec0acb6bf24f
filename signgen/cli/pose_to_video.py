"""`pose_to_video` with the flags that pipelines of sign-language-processing call it with.

Translates them to `signgen render`. Who signs, and how it is rendered, says the file of settings
that SIGNGEN_CONFIG names; without it, a bundled signer does.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib.resources import files
from typing import NoReturn

from signgen.cli.main import main as run
from signgen.cli.output import print_note
from signgen.errors import ExitCode, UserError

__all__ = ["main"]

OWN = "signgen"
"""The `--type` whose `--model` is one of ours."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"pose_to_video: {message}. See pose_to_video --help.", ExitCode.USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Render a `.pose` file; return the exit code of `signgen render`."""
    # The flags of the program whose name this is
    parser = _Parser("pose_to_video", description=__doc__)
    parser.add_argument("--pose", required=True, help="poses: .pose, or any that signgen reads")
    parser.add_argument("--video", required=True, help="video to write (.mp4)")
    parser.add_argument("--type", required=True, help="signgen, or that of another program")
    parser.add_argument("--model", required=True, help="a model, used with --type signgen")
    parser.add_argument("--processors", nargs="+", default=[], help="left out, and said so")
    parser.add_argument("--upscale", action="store_true", help="the same")
    try:
        given = parser.parse_args(arguments)
    except UserError as error:
        print_note(f"error: {error}")
        return error.code

    # What means nothing here
    left_out = [*given.processors, *(["--upscale"] if given.upscale else [])]
    if given.type != OWN:
        left_out.append(f"--model {given.model} of type {given.type}")
    if left_out:
        print_note(f"left out: {', '.join(left_out)}; rendered at the size of the source")

    # Those of `signgen render`
    words = ["render", "--poses", given.pose, "--out", given.video, "--no-compare"]
    if given.type == OWN:
        words += ["--model", given.model]
    if config := os.environ.get("SIGNGEN_CONFIG"):
        return run([*words, "--config", config])
    signer = files("signgen") / "assets" / "sample" / "demo"
    words += ["--source", str(signer / "source.png"), "--source-poses", str(signer / "poses.json")]
    return run([*words, "--align", "limb"])


if __name__ == "__main__":
    raise SystemExit(main())
