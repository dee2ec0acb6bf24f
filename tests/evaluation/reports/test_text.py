"""The text of a report: systems, what was not computed, warnings, comparisons, hands, signers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from signgen.evaluation.back_translation import BackTranslation, ClipTexts, TextScore
from signgen.evaluation.clips import ClipPair
from signgen.evaluation.metric_choice import Slot
from signgen.evaluation.metric_factories import NotComputed
from signgen.evaluation.metrics import PSNR, SSIM, HandSSIM, SecondDifference
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.report import COPY, Report
from signgen.evaluation.scoring import Setup, evaluate_clips
from signgen.structures import PoseSequence

SIZE = (78, 60)


@pytest.fixture(scope="module")
def report() -> Report:
    rng = np.random.default_rng(3)
    clips = []
    for name, signer in (("a", "S1"), ("b", "S2"), ("c", "S2")):
        truth = rng.integers(0, 256, (6, *SIZE, 3), np.uint8)
        still = np.repeat(truth[:1], 6, axis=0)
        keypoints = np.full((6, 133, 2), 30, np.float32)
        confidence = np.ones((6, 133), np.float32)
        poses = PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25)
        clips.append(ClipPair(name, signer, still, truth, poses, {"other/B": truth[::-1]}))
    metrics = [
        SSIM(),
        PSNR(),
        HandSSIM(),
        SecondDifference(),
        NotComputed("lpips", "needs weights.pth, get it with: curl", higher_is_better=False),
        NotComputed("lpips_256", "needs weights.pth, get it with: curl", higher_is_better=False),
    ]
    slots = [Slot(metric.name, View(), metric) for metric in metrics]
    return evaluate_clips(clips, Setup(slots, compared=("other/B",), protocol="signvip"))


def test_every_system_has_a_column_and_every_metric_a_row(report: Report) -> None:
    lines = report.table().splitlines()
    assert lines[0].split("  ")[0] == "metric [95 % interval]"
    for system in ("generated", "other/B", COPY, "copy of the previous frame"):
        assert system in lines[0]
    rows = {line.split(" ")[0]: line for line in lines[1:5]}
    assert list(rows) == ["ssim", "psnr", "hand_ssim", "second_difference"]
    assert "(ratio to the truth, best at 1)" in rows["second_difference"]
    assert "not shown to beat copying" in rows["ssim"]


def test_what_was_not_computed_is_said_once_for_each_reason(report: Report) -> None:
    text = report.table()
    reason = "needs weights.pth, get it with: curl"
    assert f"lpips, lpips_256: not computed: {reason}" in text
    assert text.count(reason) == 1
    assert (report.score("lpips").value, report.score("lpips").unavailable) == (None, reason)


def test_over_smoothing_of_systems_is_a_warning_and_of_baselines_is_not(report: Report) -> None:
    (warning,) = report.warnings
    assert warning.startswith("generated is over-smoothed: second_difference is 0.00")
    assert f"warning: {warning}" in report.table()


def test_hands_and_signers_are_laid_out_where_asked_for(report: Report) -> None:
    assert "left hand" not in report.table()
    assert "S2" not in report.table()
    full = report.table(per_hand=True, per_signer=True)
    assert "left hand" in full
    row = next(line for line in full.splitlines() if line.startswith("S2"))
    assert row.split()[1:3] == ["2", "12"]
    values = [clip.scores["generated"]["ssim"] for clip in report.per_clip[1:]]
    assert float(row.split()[3]) == pytest.approx(np.mean(values), abs=1e-4)


def test_counts_protocol_and_comparisons_are_printed(report: Report) -> None:
    text = report.table()
    assert "3 clips, 18 frames, 2 signers, protocol signvip" in text
    assert any(line.startswith("ssim") and "other/B" in line for line in text.splitlines())


def test_back_translation_is_printed_with_its_ratio(report: Report) -> None:
    scores = (
        TextScore("bleu", 10.0, 20.0, 0.5, "bleu|tok:13a"),
        TextScore("chrf", 1.0, 0.0, None, "chrf|x"),
    )
    translated = BackTranslation("translate", scores, (ClipTexts("a", "x", "y", "z"),))
    text = replace(report, back_translation=translated).table()
    rows = [line.split() for line in text.splitlines()]
    assert ["bleu", "10.00", "20.00", "0.500"] in rows
    assert ["chrf", "1.00", "0.00", "-"] in rows
    assert "bleu|tok:13a" in text
