"""A report of schema version 2 with real scores of three systems, and its worst frames."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from signgen.evaluation.comparison import compare_with_others
from signgen.evaluation.metrics import PSNR, SSIM, Metric
from signgen.evaluation.metrics.base import Score
from signgen.evaluation.reports.report import FRAMES
from signgen.evaluation.reports.schema import to_json
from signgen.evaluation.reports.worst_frames import WorstFrame, WorstFrames

SYSTEMS = {"generated": "generated", "runs/other_50%": "compared", "copy of the source": "baseline"}
NOISE = {"generated": 5, "runs/other_50%": 15, "copy of the source": 60}
CLIPS = {"<script>alert(1)</script>": "S1", "clip & co": "S2", "third": "S1", "fourth": ""}
SIZE = (40, 32)


def measured() -> tuple[dict[str, list[Score]], WorstFrames]:
    """Give pictures with more and more noise to SSIM and PSNR."""
    rng = np.random.default_rng(1)
    metrics: dict[str, list[Metric]] = {system: [SSIM(), PSNR()] for system in SYSTEMS}
    worst = WorstFrames("ssim", count=2)
    for number, clip in enumerate(CLIPS):
        truth = rng.integers(0, 256, (3 + number, *SIZE, 3), np.uint8)
        for system, own in metrics.items():
            noise = rng.normal(0, NOISE[system] + number, truth.shape)
            frames = np.clip(truth + noise, 0, 255).astype(np.uint8)
            for metric in own:
                metric.update(frames, truth, clip=clip)
            if system == "generated":
                worst.update(clip, 0, own[0].latest, truth[0], None, truth, frames)
    scores = {system: [metric.compute() for metric in own] for system, own in metrics.items()}
    return scores, worst


def as_json(scores: Mapping[str, list[Score]]) -> dict[str, Any]:
    """Lay scores out as reports of schema version 2 do."""
    metrics = [
        {
            "system": system,
            "name": score.name,
            "value": score.value,
            "ci95": list(score.ci95),
            "n": score.n,
            "clips": len(score.per_clip),
            "higher_is_better": score.higher_is_better,
            "signature": score.signature,
            "ideal": None,
            "details": {},
            "unavailable": "",
            "beats_copy": True if system == "generated" else None,
        }
        for system, own in scores.items()
        for score in own
    ]
    metrics += [
        metrics[0]
        | {"system": system, "name": "lpips", "value": None, "ci95": None, "n": 0, "clips": 0}
        | {"signature": "lpips|net:alex", "beats_copy": None, "higher_is_better": False}
        | {"unavailable": "needs alexnet.pth, get it with `wget <URL>`"}
        for system in SYSTEMS
    ]
    per_clip = [
        {
            "id": clip,
            "signer": signer,
            "frames": 3 + number,
            "scores": {
                system: {score.name: score.per_clip[clip] for score in own}
                for system, own in scores.items()
            },
            "counts": {
                system: {score.name: score.counts[clip] for score in own}
                for system, own in scores.items()
            },
            "generated_sha256": "0" * 64,
            "reference_sha256": "0" * 64,
        }
        for number, (clip, signer) in enumerate(CLIPS.items())
    ]
    means = {system: {score.name: score.value for score in own} for system, own in scores.items()}
    return {
        "schema_version": 2,
        "signgen": "0.1.0",
        "protocol": "phoenix-fpdm",
        "systems": [
            {"name": name, "kind": kind, "path": "runs/<ours>" if kind == "generated" else None}
            for name, kind in SYSTEMS.items()
        ],
        "metrics": metrics,
        "comparisons": [
            to_json(entry, FRAMES) for entry in compare_with_others(scores, "generated")
        ],
        "per_signer": [
            {"signer": signer, "clips": 2, "frames": 8, "scores": means} for signer in ("S1", "S2")
        ],
        "per_clip": per_clip,
        "failed": [{"id": "torn", "error": "torn/0001.png is damaged: <bad> & worse."}],
        "warnings": ["clip third: \u202emirrored\n and \ud800 broken"],
        "inputs": {"generated": "runs/<ours>", "reference": "real", "seed": 0, "compare": []},
        "note": "Automatic scores do not show that signing is understood.",
    }


@pytest.fixture(scope="session")
def _measured() -> tuple[dict[str, Any], tuple[WorstFrame, ...]]:
    scores, worst = measured()
    return as_json(scores), worst.frames()


@pytest.fixture
def report(_measured: tuple[dict[str, Any], tuple[WorstFrame, ...]]) -> dict[str, Any]:
    """A report with a clip, a path and messages that try to leave their place."""
    return copy.deepcopy(_measured[0])


@pytest.fixture
def worst(_measured: tuple[dict[str, Any], tuple[WorstFrame, ...]]) -> tuple[WorstFrame, ...]:
    """The two worst frames of the report's first system."""
    return _measured[1]
