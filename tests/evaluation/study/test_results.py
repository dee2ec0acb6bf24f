"""Answers of raters, put together: known means, intervals over raters and clips, bad files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.evaluation.metrics.score import BOOTSTRAP_SEED, RESAMPLES
from signgen.evaluation.study.design import SCALES

CLIPS, SYSTEMS, RATERS = ("one", "two", "three"), ("generated", "theirs"), ("A", "B", "C", "D")
GIVEN = {("A", "one"): 5, ("B", "two"): 1}
"""Comprehensibility of `generated` where it is not 4; of `theirs` it is 2."""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    items = [
        {"id": f"{clip}-{number}", "system": system, "clip": clip, "path": f"{system}/{clip}.mp4"}
        for clip in CLIPS
        for number, system in enumerate(SYSTEMS)
    ]
    pairs = [{"id": f"p-{clip}", "items": [f"{clip}-0", f"{clip}-1"]} for clip in CLIPS]
    key = {"schema_version": 1, "study": "abc", "items": items, "pairs": pairs}
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "key.json").write_text(json.dumps(key))
    (tmp_path / "back").mkdir()
    for rater in RATERS:
        write(tmp_path, answers(rater))
    return tmp_path


def write(folder: Path, value: Any, name: str = "") -> Path:
    path = folder / "back" / f"{name or value['rater']}.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def answers(rater: str) -> dict[str, Any]:
    ratings, pairs = [], []
    for clip in CLIPS:
        for number in range(2):
            understood = GIVEN.get((rater, clip), 4) if number == 0 else 2
            values = {scale.name: 3 for scale in SCALES} | {"comprehensibility": understood}
            ratings.append({"item": f"{clip}-{number}", **values, "cannot_judge": False})
        # Sides change, the better one does not but for D
        sides = (0, 1) if clip == "one" else (1, 0)
        choice = "same" if rater == "D" else ("left" if sides[0] == 0 else "right")
        left, right = (f"{clip}-{side}" for side in sides)
        pairs.append({"pair": f"p-{clip}", "left": left, "right": right, "choice": choice})
    ratings[0]["signed"] = f"WEATHER of {rater}"
    about = {"consent": True, "hearing": "deaf" if rater != "D" else "hearing"}
    return {
        **{"schema_version": 1, "study": "abc", "rater": rater, "about": about},
        **{"ratings": ratings, "pairs": pairs, "comment": ""},
    }


def words(folder: Path, *more: str) -> list[str]:
    given = ["--study", str(folder / "study"), "--study-results", str(folder / "back")]
    return ["eval", *given, *more]


def test_means_preferences_and_intervals(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(study, "--json", "--out", str(study / "out.json"))) == 0
    results = json.loads(capsys.readouterr().out)
    assert json.loads((study / "out.json").read_text()) == results
    assert results["raters"] == {"deaf": 3, "hearing": 1}
    ours, theirs = results["ratings"]
    assert (ours["system"], theirs["system"]) == SYSTEMS

    # 12 answers of 4, but for one 5 and one 1; the intervals are those of plain resampling
    table = np.array([[GIVEN.get((rater, clip), 4) for clip in CLIPS] for rater in RATERS], float)
    understood = ours["scales"]["comprehensibility"]
    assert (understood["value"], understood["n"]) == (pytest.approx(table.mean()), 12)
    for name, groups in (("ci95_raters", table), ("ci95_clips", table[:, [0, 2, 1]].T)):
        count = len(groups)  # clips are ordered by name
        drawn = np.random.default_rng(BOOTSTRAP_SEED).integers(0, count, (RESAMPLES, count))
        expected = np.percentile(groups.mean(axis=1)[drawn].mean(axis=1), [2.5, 97.5])
        assert understood[name] == pytest.approx(expected)
    assert theirs["scales"]["comprehensibility"]["value"] == 2
    assert theirs["scales"]["comprehensibility"]["ci95_raters"] == [2, 2]

    # Three prefer ours on either side, one sees no difference
    (pair,) = results["preferences"]
    assert (pair["system"], pair["other"]) == SYSTEMS
    assert [pair[name] for name in ("preferred", "not_preferred", "no_difference")] == [9, 0, 3]
    assert pair["share"]["value"] == pytest.approx((9 + 1.5) / 12)
    assert results["left"] == [3, 6]

    # Words are kept for scoring, and do not tell whose video they are of
    assert results["words"][0] == {
        **{"rater": "A", "item": "one-0", "clip": "one", "signed": "WEATHER of A"}
    }

    # As text
    assert main(words(study)) == 0
    printed = capsys.readouterr().out
    assert "4 raters: 3 deaf, 1 hearing" in printed
    assert "intervals over fewer than 20 raters are too narrow" in printed


def test_who_cannot_judge_is_counted_and_not_averaged(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = answers("E")
    value["ratings"][0] = {"item": "one-0", "cannot_judge": True, "comprehensibility": None}
    value["pairs"][0]["choice"] = "cannot"
    write(study, value)
    assert main(words(study, "--json")) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["ratings"][0]["could_not_judge"] == 1
    assert results["ratings"][0]["scales"]["comprehensibility"]["n"] == 14
    assert results["preferences"][0]["could_not_judge"] == 1
    assert results["preferences"][0]["share"]["n"] == 14


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    value = answers("bad")
    change(value)
    return value


BAD = {
    "{": "is not valid JSON",
    "[]": "is no JSON object",
    '{"schema_version": 1, "study": "abc"}': "lacks 'rater'",
}
CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda v: v.update(study="other"), "is of study 'other', not of abc"),
    (lambda v: v.update(schema_version=2), "has schema_version 2"),
    (lambda v: v.update(rater=""), "names no rater"),
    (lambda v: v.update(rater="A"), "is of rater 'A', as "),
    (lambda v: v["about"].update(consent=False), "has no consent"),
    (lambda v: v["ratings"][1].update(naturalness=6), "has naturalness 6 of item one-1"),
    (lambda v: v["ratings"][1].update(naturalness=True), "has naturalness True"),
    (lambda v: v["ratings"][1].update(item="x"), "names item 'x'"),
    (lambda v: v["ratings"][1].update(item=[]), "has a value of another kind"),
    (lambda v: v["ratings"].append(v["ratings"][0]), "answers item one-0 twice"),
    (lambda v: v["pairs"][0].update(choice="up"), "has choice 'up'"),
    (lambda v: v["pairs"][0].update(left="two-0"), "has other videos in pair p-one"),
    (lambda v: v.update(ratings=None), "has a value of another kind"),
]


def test_bad_files_are_left_out_with_one_line_each(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = list(BAD.values()) + [text for _, text in CHANGES]
    for number, text in enumerate(BAD):
        write(study, text, f"bad-{number:02d}")
    for number, (change, _) in enumerate(CHANGES, len(BAD)):
        write(study, changed(change), f"bad-{number:02d}")
    assert main(words(study, "--json")) == 3
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == len(said)
    for number, (line, text) in enumerate(zip(lines, said, strict=True)):
        assert f"bad-{number:02d}.json {text}" in line or text in line, line
    assert json.loads(captured.out)["raters"] == {"deaf": 3, "hearing": 1}


def test_nothing_to_read(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = study / "empty"
    empty.mkdir()
    (empty / "bad.json").write_text("{")
    for more, code, said in (
        (("--study-results", str(study / "none")), 66, "none"),
        (("--study-results", str(study / "study")), 66, "holds no answers"),
        (("--study-results", str(empty)), 65, "bad.json"),
        (("--study", str(study / "back")), 66, "key.json"),
        (("--report", "a.html"), 2, "--out FILE.json"),
    ):
        assert main([*words(study), *more]) == code
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert main(["eval", "--study-results", str(study / "back")]) == 2
    assert "needs the study that was answered" in capsys.readouterr().err
