"""The `prepare` commands: make or check data to train on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from signgen.cli.corpora import COMMANDS as CORPORA
from signgen.cli.groups import Command, run_group
from signgen.cli.output import PRECEDENCE, say
from signgen.cli.parsing import parse
from signgen.cli.progress import counter
from signgen.config.data import PrepareCacheConfig, PrepareSyntheticConfig
from signgen.errors import ExitCode, UserError

__all__ = ["COMMANDS", "prepare"]

MIN_SIGNER_SIDE = 64
"""Smaller signers have no hands to see."""

HELP = """\
signgen prepare: make or check data to train on.

  signgen prepare phoenix14t --raw DIR --out DIR    check PHOENIX-2014T, gather its key points
  signgen prepare deepfashion --raw DIR --out DIR   check DeepFashion In-shop, pack its key points
  signgen prepare folder --videos DIR --out DIR     your own recordings
  signgen prepare synthetic --out DIR               draw a corpus of synthetic signers
  signgen prepare cache --data DIR --out DIR        frames at training size, to train faster

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


def _cache(words: list[str]) -> int:
    config = parse(
        PrepareCacheConfig,
        words,
        prog="signgen prepare cache",
        description="Write frames at training size into files that training maps into memory.\n\n"
        "Example: signgen prepare cache --data synthetic --out cache --size 256 256\n\n"
        "Then: signgen train --data.root synthetic --data.frame-cache cache ...\n\n" + PRECEDENCE,
    )
    if not config.out:
        raise UserError(
            "--out is missing; expected a folder to create, as in --out cache.", ExitCode.USAGE
        )
    if config.workers < 1 or not config.splits:
        raise UserError(
            f"--workers is {config.workers} and --splits {' '.join(config.splits) or 'empty'}; "
            "expected at least 1 each.",
            ExitCode.USAGE,
        )
    from signgen.data.dataset import open_dataset
    from signgen.data.frame_cache.writing import write_cache

    with counter("frame") as progress:
        cache = write_cache(
            open_dataset(config.data, config.splits),
            config.splits,
            config.out,
            config.size,
            config.resize,
            progress=progress,
            workers=config.workers,
        )
    frames = sum(shard.frames for shard in cache.index.shards)
    made = {"schema_version": 1, "folder": config.out, "frames": frames, "size": config.size}
    say(json.dumps(made) if config.json else config.out)
    return ExitCode.OK


COMMANDS: Mapping[str, Command] = {**CORPORA, "synthetic": _synthetic, "cache": _cache}
