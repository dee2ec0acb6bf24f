"""`signgen eval`: score generated frames against reference frames."""

from __future__ import annotations

import json
from dataclasses import asdict

from signgen.cli.output import bar, print_json, print_note, print_result
from signgen.cli.parsing import command
from signgen.config.evaluation import EvalConfig
from signgen.errors import ExitCode

__all__ = ["evaluate"]

MAX_FAILURES = 20
"""Clips that failed which are named on stderr."""
GROUPS = {
    "reading": ("source", "source_poses", "items", "trim_ends", "size", "frames"),
    "metrics": ("faces", "regions", "keypoints", "motion", "warping", "per_hand", "per_signer"),
    "key points": ("generated_poses", "estimator", "estimator_weights"),
    "features": (
        "lpips_weights",
        "inception_weights",
        "fid_weights",
        "i3d_weights",
        "identity_weights",
        "fid_reference",
        "save_statistics",
    ),
    "model": ("split", "steps", "sampler", "official_noise", "precision", "seed", "device"),
    "study with raters": ("study", "study_clips", "study_instructions", "study_results"),
    "other scores": ("back_translate", "texts", "retrieval", "retrieval_queries"),
}


@command("signgen eval", groups=GROUPS)
def evaluate(config: EvalConfig) -> int:
    """Score generated frames against reference frames.

    Without paths, the bundled model is scored on the bundled sample. Copies of the source and of
    the true frame before are scored beside them, and where poses are given, the source warped.

    Example: signgen eval --generated out.mp4 --reference real.mp4

    Ask people: signgen eval --generated ours --reference truth --compare theirs --study study/

    Read their answers: signgen eval --study study/ --study-results answers/

    The scores are printed to stdout, all else to stderr. Exit code 3: some clips could not be
    scored; they are listed.
    """
    if config.protocol == "list":
        from signgen.evaluation.protocols import PROTOCOLS, describe, protocol_facts

        if config.json:
            kept = ("source", "differs")
            facts = {
                name: {key: getattr(protocol, key) for key in kept} | protocol_facts(protocol)
                for name, protocol in PROTOCOLS.items()
            }
            print_json({"protocols": facts})
        else:
            print_result(describe())
        return ExitCode.OK
    if config.study_results is not None:
        return _study_results(config)
    if config.study is not None:
        return _study(config)
    from signgen.evaluation.command import evaluate as run

    report = run(config, progress=bar("picture" if config.retrieval else "clip"))
    if config.json:
        print_result(json.dumps(report.to_json()))
    else:
        print_result(report.table(per_hand=config.per_hand, per_signer=config.per_signer))
    if not report.failed:
        return ExitCode.OK
    for clip in report.failed[:MAX_FAILURES]:
        start = "" if clip.error.startswith(f"clip {clip.id}: ") else f"clip {clip.id}: "
        print_note(f"{start}{clip.error}")
    others = len(report.failed) - MAX_FAILURES
    more = f" ({others} more than shown, all in the JSON report)" if others > 0 else ""
    scored = len(report.per_clip)
    print_note(
        f"{scored} {'clip' if scored == 1 else 'clips'} scored, {len(report.failed)} not{more}"
    )
    return ExitCode.SOME_FAILED


def _study(config: EvalConfig) -> int:
    """Make a study and say what it is."""
    from signgen.evaluation.study.making import make_study

    study = make_study(config, bar("video"))
    if config.json:
        print_json({**asdict(study), "page": str(study.page), "key": str(study.key)})
        return ExitCode.OK
    print_result(f"{study.page}\n{study.key}")
    print_note(
        f"{study.items} videos to rate, {study.pairs} pairs to compare. Give raters the page "
        "alone: the key says which video is whose."
    )
    return ExitCode.OK


def _study_results(config: EvalConfig) -> int:
    """Put the answers of raters together, and say which files were left out."""
    from signgen.evaluation.study.results import study_results

    results = study_results(config)
    if config.json:
        print_json(results.to_json())
    else:
        print_result(results.table())
    for reason in results.refused.values():
        print_note(reason)
    return ExitCode.SOME_FAILED if results.refused else ExitCode.OK
