"""The `prepare` commands: make or check data to train on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from signgen.cli_flags import parse
from signgen.cli_groups import Command, run_group
from signgen.cli_output import PRECEDENCE, say, tell
from signgen.cli_progress import bar, counter
from signgen.config import PrepareDeepFashionConfig, PrepareSyntheticConfig
from signgen.errors import ExitCode, UserError

__all__ = ["COMMANDS", "prepare"]

MIN_SIGNER_SIDE = 64
"""Smaller signers have no hands to see."""

HELP = """\
signgen prepare: make or check data to train on.

  signgen prepare synthetic --out DIR [flags]               draw a corpus of synthetic signers
  signgen prepare deepfashion --raw DIR --out DIR [flags]   verify and pack DeepFashion In-shop

`signgen prepare COMMAND --help` lists the flags.
"""


def prepare(words: list[str]) -> int:
    """Run `signgen prepare`."""
    return run_group(words, COMMANDS, "signgen prepare", HELP)


def _synthetic(words: list[str]) -> int:
    config = parse(
        PrepareSyntheticConfig,
        words,
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
    say(json.dumps(made) if config.json else config.out)
    return ExitCode.OK


def _deepfashion(words: list[str]) -> int:
    config = parse(
        PrepareDeepFashionConfig,
        words,
        prog="signgen prepare deepfashion",
        description="Verify a copy of DeepFashion In-shop in the layout of FPDM, NTED, PATN, GFLA, "
        "PCDMs or MCLD, and write its manifest and packed key points.\n\n"
        "Example: signgen prepare deepfashion --raw fashion --out datasets/deepfashion\n\n"
        "Exit code 3: written, but something was left out because it is missing or damaged; "
        "problems.jsonl beside the manifest names it.\n\n" + PRECEDENCE,
    )
    for name in ("raw", "out"):
        if not getattr(config, name):
            raise UserError(f"--{name} is missing; expected a folder.", ExitCode.USAGE)
    if config.subset < 0:
        raise UserError(f"--subset is {config.subset}; expected 0 or more.", ExitCode.USAGE)
    from signgen.data.deepfashion import prepare_deepfashion

    report = prepare_deepfashion(
        Path(config.raw),
        Path(config.out),
        layout=config.layout,
        keypoints=config.keypoints,
        keypoint_frame=config.keypoint_frame,
        rebuild=config.rebuild_pairs,
        subset=config.subset,
        progress=bar("record"),
    )
    if config.json:
        say(json.dumps({"schema_version": 1, "folder": config.out, **report.as_dict()}))
    else:
        say(report.as_text())
    if report.damaged:
        tell(
            f"{len(report.prepared.problems)} pictures, pairs or records were left out; see "
            f"{report.prepared.path.with_name('problems.jsonl')}."
        )
    return ExitCode.SOME_FAILED if report.damaged else ExitCode.OK


COMMANDS: Mapping[str, Command] = {"synthetic": _synthetic, "deepfashion": _deepfashion}
