"""The text of a report: systems, what was not computed, warnings, comparisons, hands, signers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signgen.evaluation.back_translation import BackTranslation, ClipTexts, TextScore
from signgen.evaluation.comparison import compare_with_others
from signgen.evaluation.metrics.score import Score
from signgen.evaluation.reports.from_scores import frames_report
from signgen.evaluation.reports.report import COPY, PREVIOUS, ClipResult, Report, System

CLIPS = {"a": "S1", "b": "S2", "c": "S2"}
COUNTS = {"a": 5, "b": 1, "c": 3}
KINDS = {"generated": "generated", "other/B": "compared", COPY: "baseline", PREVIOUS: "baseline"}
REASON = "needs weights.pth, get it with: curl"


def scored(name: str, value: float, **more: object) -> Score:
    values = {clip: value + 0.1 * place for place, clip in enumerate(CLIPS)}
    interval = (value - 0.01, value + 0.01)
    return Score(name, value, interval, 9, True, f"{name}|x:1", values, counts=COUNTS, **more)


@pytest.fixture(scope="module")
def report() -> Report:
    lacks = [
        Score(name, None, None, 0, False, name, {}, unavailable=REASON)
        for name in ("lpips", "lpips_256")
    ]
    scores = {
        system: [
            scored("ssim", value),
            scored(
                "hand_ssim",
                value,
                details={"coverage": 0.5, "detected_rate": value, "left": 0.1, "right": None},
            ),
            scored("second_difference", value / 10, ideal=1.0, details={"over_smoothed": 1.0}),
            *lacks,
        ]
        for system, value in zip(KINDS, (0.5, 0.4, 0.45, 0.495), strict=True)
    }
    clips = [
        ClipResult(id=clip, signer=signer, frames=6, generated_sha256="", reference_sha256="")
        for clip, signer in CLIPS.items()
    ]
    comparisons = compare_with_others({name: scores[name] for name in [*scores][:2]}, "generated")
    systems = [System(name, kind) for name, kind in KINDS.items()]
    facts = {"systems": systems, "comparisons": comparisons, "protocol": "signvip"}
    return frames_report(scores, clips, **facts)


def test_every_system_has_a_column_and_every_metric_a_row(report: Report) -> None:
    text = report.table()
    lines = text.splitlines()
    assert lines[0].split("  ")[0] == "metric [95 % interval]"
    assert all(system in lines[0] for system in KINDS)
    assert [line.split(" ")[0] for line in lines[1:4]] == ["ssim", "hand_ssim", "second_difference"]
    assert "0.5000 [0.4900, 0.5100]" in lines[1]
    assert lines[1].endswith("9          better than copying")
    assert "(ratio to the truth, best at 1)" in lines[3]
    assert f"lpips, lpips_256: not computed: {REASON}" in lines[4]
    assert text.count(REASON) == 1, "said once for each reason"
    assert "3 clips, 18 frames, 2 signers, protocol signvip" in lines
    assert "9          measured 50.0%, detected 50.0% / 40.0% / 45.0% / 49.5%; better" in lines[2]
    assert any(line.startswith("ssim    ") and "other/B" in line for line in lines)
    start = lines.index(
        "generated minus each other system, on the clips that both were measured on:"
    )
    assert lines[start + 1].split("  ")[0] == "metric"


def test_a_copy_that_is_not_beaten_says_so(report: Report) -> None:
    assert report.score("ssim").beats_copy is True
    assert report.score("ssim", "other/B").beats_copy is False
    assert report.score("ssim", PREVIOUS).beats_copy is None
    assert report.score("second_difference").beats_copy is None, "its best value is no end"


def test_over_smoothing_of_systems_is_a_warning_and_of_baselines_is_not(report: Report) -> None:
    ours, others, few, clips = report.warnings
    assert few.startswith("hand_ssim is of 9 regions, 50.0% of those looked at")
    assert clips.startswith("With only 3 clips")
    assert ours == "generated is over-smoothed: second_difference is 0.05 of the truth's."
    assert others.startswith("other/B is over-smoothed")
    assert f"warning: {ours}" in report.table()


def test_hands_and_signers_are_laid_out_where_asked_for(report: Report) -> None:
    assert "left hand" not in report.table()
    assert "S2" not in report.table()
    rows = [line.split() for line in report.table(per_hand=True, per_signer=True).splitlines()]
    assert ["hand_ssim", "generated", "0.1000", "not", "measured"] in rows
    # Clips b and c, with 1 and 3 items.
    mean = 0.5 + (0.1 + 3 * 0.2) / 4
    assert ["S2", "2", "12", f"{mean:.4f}", f"{mean:.4f}", f"{mean - 0.45:.4f}"] in rows


def test_back_translation_is_printed_with_its_ratio(report: Report) -> None:
    bleu = TextScore("bleu", 10.0, 20.0, 0.5, "bleu|tok:13a")
    chrf = TextScore("chrf", 1.0, 0.0, None, "chrf|x")
    translated = BackTranslation("translate", (bleu, chrf), (ClipTexts("a", "x", "y", "z"),))
    text = replace(report, back_translation=translated).table()
    rows = [line.split() for line in text.splitlines()]
    assert ["bleu", "10.00", "20.00", "0.500"] in rows
    assert ["chrf", "1.00", "0.00", "-"] in rows
    assert "bleu|tok:13a" in text
