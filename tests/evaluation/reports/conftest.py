"""A report with real scores of three systems, names that try to leave their place, worst frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from signgen.evaluation.clips import Failure
from signgen.evaluation.comparison import compare_with_others
from signgen.evaluation.metrics.pixels.image import PSNR, psnr
from signgen.evaluation.metrics.pixels.ssim import ssim, ssim_metric
from signgen.evaluation.metrics.score import Mean, Score
from signgen.evaluation.reports.from_scores import frames_report
from signgen.evaluation.reports.report import COPY, GENERATED, ClipResult, Report, System
from signgen.evaluation.reports.worst_frames import WorstFrames

SYSTEMS = (
    System(GENERATED, "generated", "runs/<ours>"),
    System("runs/other_50%", "compared"),
    System(COPY, "baseline"),
)
NOISE = {GENERATED: 5, "runs/other_50%": 58, COPY: 60}
CLIPS = {"<script>alert(1)</script>": "S1", "clip & co": "S2", "third": "S1", "fourth": ""}
SIZE = (40, 32)


@pytest.fixture(scope="session")
def report() -> Report:
    """Pictures with more and more noise, given to SSIM and PSNR; LPIPS is not at hand."""
    rng = np.random.default_rng(1)
    means = {one.name: {"ssim": {}, "psnr": {}} for one in SYSTEMS}
    worst = WorstFrames("ssim", count=2)
    clips = []
    for number, (clip, signer) in enumerate(CLIPS.items()):
        truth = rng.integers(0, 256, (3 + number, *SIZE, 3), np.uint8)
        for system, own in means.items():
            noise = rng.normal(0, NOISE[system] + number, truth.shape)
            frames = np.clip(truth + noise, 0, 255).astype(np.uint8)
            own["ssim"][clip] = {"value": Mean.of(ssim(frames, truth))}
            own["psnr"][clip] = {"value": Mean.of(psnr(frames, truth))}
            if system == GENERATED:
                worst.update(clip, 0, ssim(frames, truth), truth[0], None, truth, frames)
        hashes = {"generated_sha256": "0" * 64, "reference_sha256": "0" * 64}
        clips.append(ClipResult(id=clip, signer=signer, frames=len(truth), **hashes))
    reason = "needs alexnet.pth, get it with `wget <URL>`"
    lpips = Score("lpips", None, None, 0, False, "lpips|net:alex", {}, unavailable=reason)
    scores = {
        name: [*(m.score(own[m.name], [SIZE]) for m in (ssim_metric(), PSNR)), lpips]
        for name, own in means.items()
    }
    made = frames_report(
        scores,
        clips,
        systems=SYSTEMS,
        failed=[Failure("torn", "torn/0001.png is damaged: <bad> & worse.")],
        protocol="phoenix-fpdm",
        comparisons=compare_with_others(scores, GENERATED),
        worst=tuple(worst.frames),
    )
    inputs = {"generated": "runs/<ours>", "reference": "real", "seed": 0, "compare": []}
    return replace(
        made, warnings=("clip third: \u202emirrored\n and \ud800 broken",), inputs=inputs
    )
