"""`signgen prepare`: make or check data to train on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from signgen.cli.output import bar, columns, counter, print_json, print_note, print_result, table
from signgen.cli.parsing import command, parse
from signgen.config.data import (
    PrepareCacheConfig,
    PrepareDeepFashionConfig,
    PrepareFolderConfig,
    PreparePhoenixConfig,
    PrepareSyntheticConfig,
)
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.errors import ExitCode, UserError

__all__ = ["COMMANDS", "HELP"]

HELP = """\
signgen prepare: make or check data to train on.

  signgen prepare phoenix14t --raw DIR --out DIR    check PHOENIX-2014T, gather its key points
  signgen prepare deepfashion --raw DIR --out DIR   check DeepFashion In-shop, pack its key points
  signgen prepare folder --videos DIR --out DIR     your own recordings
  signgen prepare synthetic --out DIR               render a corpus of synthetic signers
  signgen prepare cache --data DIR --out DIR        frames at training size, to train faster
  signgen prepare features CONFIG.yaml --data.feature-cache DIR   what frozen parts make of frames

`signgen prepare COMMAND --help` lists the flags.
"""
CLIP_GROUPS = {
    "key points": ("keypoints", "estimator", "weights", "device"),
    "human parsing": ("parsing", "label_set"),
    "cache": ("cache", "cache_resize"),
}
FEATURES = """\
Write what the frozen parts of a model make of frames: latents, source tokens, embeddings.

Example: signgen prepare features configs/train-fpdm-phoenix14t.yaml --data.feature-cache features

Then the same words with `signgen train`. Settings and earlier runs are those of the training.
"""
MIN_SIGNER_SIDE = 64
"""Smaller signers have no hands to see."""


@command(
    "signgen prepare phoenix14t",
    groups=CLIP_GROUPS,
    required={"raw": "the unpacked corpus or its archive"},
)
def phoenix14t(config: PreparePhoenixConfig) -> int:
    """Check RWTH-PHOENIX-Weather 2014T as its archive unpacks, and write its manifest.

    The key points of its videos are gathered; the manifest is what training and evaluation read.

    Example: signgen prepare phoenix14t --raw PHOENIX-2014-T-release-v3 --keypoints
    Phoenix-2014T.train Phoenix-2014T.dev Phoenix-2014T.test --out datasets/phoenix14t

    Exit code 3: written, but something was left out because it is missing or damaged;
    problems.jsonl beside the manifest names it.
    """
    from signgen.data.preparation.clips import prepare_phoenix14t

    return _print_report(prepare_phoenix14t(config, bar("clip")), as_json=config.json)


@command(
    "signgen prepare folder", groups=CLIP_GROUPS, required={"videos": "a folder of recordings"}
)
def folder(config: PrepareFolderConfig) -> int:
    """Make a dataset of your own recordings: a folder of videos, one signer or several.

    OpenPose or .pose files of the same names are used; other clips are estimated.

    Example: signgen prepare folder --videos recordings --out datasets/mine

    Exit code 3: written, but something was left out because it is missing or damaged;
    problems.jsonl beside the manifest names it.
    """
    from signgen.data.preparation.clips import prepare_folder

    return _print_report(prepare_folder(config, bar("clip")), as_json=config.json)


@command("signgen prepare deepfashion", required={"raw": "a folder", "out": "a folder to write to"})
def deepfashion(config: PrepareDeepFashionConfig) -> int:
    """Verify a copy of DeepFashion In-shop, and write its manifest and packed key points.

    It is in the layout of FPDM, NTED, PATN, GFLA, PCDMs or MCLD.

    Example: signgen prepare deepfashion --raw fashion --out datasets/deepfashion

    Exit code 3: written, but something was left out because it is missing or damaged;
    problems.jsonl beside the manifest names it.
    """
    from signgen.data.deepfashion.preparation import prepare_deepfashion

    report = prepare_deepfashion(
        Path(config.raw),
        Path(config.out),
        layout=config.layout,
        keypoints=config.keypoints,
        keypoint_frame=config.keypoint_frame,
        rebuild=config.rebuild_pairs,
        subset=config.subset,
        parsing=config.parsing,
        label_set=config.label_set,
        device=config.device,
        progress=bar("record"),
    )
    if config.json:
        print_json({"folder": config.out, **report.as_dict()})
    else:
        print_result(report.as_text())
    if not report.damaged:
        return ExitCode.OK
    print_note(
        f"{len(report.prepared.problems)} pictures, pairs or records were left out; see "
        f"{report.prepared.path.with_name('problems.jsonl')}."
    )
    return ExitCode.SOME_FAILED


@command("signgen prepare synthetic", required={"out": "a folder to create, as in --out synthetic"})
def synthetic(config: PrepareSyntheticConfig) -> int:
    """Render a corpus of synthetic signers in the PHOENIX-2014T layout.

    It needs anny and warp: pip install 'signgen[synthetic]'. The first call on a machine gathers
    the shapes of bodies for some minutes.

    Example: signgen prepare synthetic --out synthetic --signers 100
    """
    if min(config.size) < MIN_SIGNER_SIDE:
        size = f"{config.size[0]} {config.size[1]}"
        raise UserError(f"--size is {size}; expected at least {MIN_SIGNER_SIDE}.", ExitCode.USAGE)
    from signgen.data.synthetic import CorpusPlan, write_corpus

    plan = CorpusPlan(
        config.signers,
        config.clips_per_signer,
        config.seed,
        config.frames,
        config.size,
        Path(config.assets) if config.assets else None,
    )
    clips = write_corpus(Path(config.out), plan, progress=bar("clip"), workers=config.workers)
    print_json({"folder": config.out, "clips": clips}) if config.json else print_result(config.out)
    return ExitCode.OK


@command(
    "signgen prepare cache",
    required={
        "out": "a folder to create, as in --out cache",
        "splits": "one or more of train, dev and test",
    },
)
def cache(config: PrepareCacheConfig) -> int:
    """Write frames at training size into files that training maps into memory.

    Example: signgen prepare cache --data synthetic --out cache --size 256 256

    Then: signgen train --data.root synthetic --data.frame-cache cache ...
    """
    from signgen.data.dataset import open_dataset
    from signgen.data.frame_cache.writing import write_cache

    with counter("frame") as progress:
        written = write_cache(
            open_dataset(config.data, config.splits, config.video_reader),
            config.splits,
            config.out,
            config.size,
            config.resize,
            progress=progress,
            workers=config.workers,
        )
    frames = sum(shard.frames for shard in written.index.shards)
    facts = {"folder": config.out, "frames": frames, "size": config.size}
    print_json(facts) if config.json else print_result(config.out)
    return ExitCode.OK


def features(words: list[str]) -> int:
    """Write what the frozen parts of a model make of frames, once for all steps of its training."""
    default = None
    if words and not words[0].startswith("-"):
        default, words = load_config(words[0], TrainConfig), words[1:]
    config = parse(
        TrainConfig, words, prog="signgen prepare features", description=FEATURES, default=default
    )
    from signgen.training.features.writing import write_features

    with counter("frame") as progress:
        print_result(str(write_features(config, progress=progress)))
    return ExitCode.OK


def _check_positive(config: object, *names: str) -> None:
    for name in names:
        if getattr(config, name) < 1:
            flag = name.replace("_", "-")
            raise UserError(
                f"--{flag} is {getattr(config, name)}; expected at least 1.", ExitCode.USAGE
            )


def _print_report(report: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what was prepared; some records left out is an exit code of its own."""
    if as_json:
        print_json(report)
    else:
        apart = {"schema_version", "problems", "splits", "remarks"}
        print_result(table({name: _flat(report[name]) for name in report if name not in apart}))
        splits = report["splits"]
        print_result(columns([{"split": name} | _of_expected(splits[name]) for name in splits]))
    for remark in report["remarks"]:
        print_note(f"warning: {remark}")
    for problem in report["problems"]:
        print_note(problem)
    hidden = report["left_out"] - len(report["problems"])
    if hidden > 0:
        print_note(f"and {hidden} more, see {report['all_problems']}.")
    return ExitCode.SOME_FAILED if report["left_out"] else ExitCode.OK


def _flat(value: object) -> object:
    """Return a mapping on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{inner} from {name}" for name, inner in value.items()) or "none"
    return value


def _of_expected(counts: Mapping[str, int]) -> dict[str, str]:
    """Put each number into one cell with the one expected."""
    return {
        name: f"{number:,}{f' of {counts[key]:,}' if (key := f'expected_{name}') in counts else ''}"
        for name, number in counts.items()
        if not name.startswith("expected_")
    }


COMMANDS = {
    "phoenix14t": phoenix14t,
    "deepfashion": deepfashion,
    "folder": folder,
    "synthetic": synthetic,
    "cache": cache,
    "features": features,
}
