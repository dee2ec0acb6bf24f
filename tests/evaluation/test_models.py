"""Models on a dataset: rendered and scored on the way, beside the copy of the source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from signgen.config.evaluation import EvalConfig
from signgen.errors import UserError
from signgen.evaluation.command import evaluate
from signgen.evaluation.reports.report import COPY, WARPED
from signgen.human_parsing.maps import Parts
from signgen.structures import FrameRef, Triplet
from tests.material.evaluated import evaluate_model
from tests.material.square_signers import (
    GoodRenderer,
    LazyRenderer,
    ListedPairs,
    ParsedSigners,
    SquareSigners,
)

ALL = ("ssim", "psnr", "hand_ssim")


def test_a_good_model_beats_the_copy_and_a_lazy_one_equals_it() -> None:
    good = evaluate_model(GoodRenderer(), SquareSigners(), "test", ALL)
    lazy = evaluate_model(LazyRenderer(), SquareSigners(), "test", ALL)
    for metric in ("ssim", "psnr", "hand_ssim"):
        assert good.score(metric).beats_copy is True
        assert lazy.score(metric).beats_copy is False
        assert lazy.score(metric).value == lazy.score(metric, COPY).value
        assert good.score(metric, COPY).value == lazy.score(metric, COPY).value
    assert good.score("psnr").value == pytest.approx(20 * np.log10(255))
    assert good.score("hand_ssim").details["coverage"] == 1


def test_the_source_frame_is_not_scored_and_the_signature_says_so() -> None:
    report = evaluate_model(LazyRenderer(), SquareSigners((4, 6)), "test")
    assert report.score("ssim").n == 3 + 5
    assert "|frames:without-source|" in report.score("ssim").signature
    assert [clip.frames for clip in report.per_clip] == [4, 6]


def test_progress_wraps_the_clips() -> None:
    seen = []

    def progress(clips: Iterator, total: int) -> Iterator:
        for name, opening in clips:
            seen.append((name, total))
            yield name, opening

    evaluate_model(LazyRenderer(), SquareSigners((2, 3)), "test", progress=progress)
    assert seen == [("clip0", 2), ("clip1", 2)]


def test_settings_of_sampling_reach_the_model_and_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from signgen.checkpoints.models import save_pretrained
    from signgen.config.model import tiny_fpdm
    from signgen.models import build_model

    torch.manual_seed(0)
    save_pretrained(build_model(tiny_fpdm()), tmp_path / "tiny")
    few = SquareSigners((2,))  # the bundled sample takes seconds
    monkeypatch.setattr("signgen.data.dataset.open_dataset", lambda *_: few)
    plain = {"steps": 2, "sampler": "ddpm", "official_noise": False, "precision": "no"}
    changes = [
        {},
        {"steps": 1},
        {"sampler": "unipc"},
        {"official_noise": True},
        {"precision": "bf16"},
    ]
    digests = set()
    for change in changes:
        config = EvalConfig(model=str(tmp_path / "tiny"), device="cpu", **change)
        report = evaluate(config)
        digests.add(report.per_clip[0].generated_sha256)
        expected = plain | change
        assert report.inputs.get("official_noise", False) is expected.pop("official_noise")
        assert {name: report.inputs[name] for name in expected} == expected
    assert len(digests) == len(changes)


def test_regions_of_a_model_are_those_of_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signgen.rendering.loading.load_renderer", lambda *_: FactualRenderer())
    monkeypatch.setattr("signgen.data.dataset.open_dataset", lambda *_: ParsedSigners((3, 4)))
    report = evaluate(EvalConfig(regions=True))
    assert report.score("cloth_region_ssim").n == 2 + 3, "without the sources"
    assert 0 < report.score("cloth_region_ciede2000").value < 1, "one grey level off"
    pairs = ListedParsed()
    monkeypatch.setattr("signgen.data.dataset.open_dataset", lambda *_: pairs)
    assert evaluate(EvalConfig(regions=True)).score("face_region_ssim").n == 2
    assert pairs.read == [2, 1], "of the targets"
    monkeypatch.setattr("signgen.data.dataset.open_dataset", lambda *_: SquareSigners((2,)))
    with pytest.raises(
        UserError, match="has no human parsing of test/clip0, which --regions needs"
    ):
        evaluate(EvalConfig(regions=True))


class FactualRenderer(GoodRenderer):
    """Says nothing about itself."""

    def facts(self) -> dict[str, object]:
        return {}


class ListedParsed(ListedPairs):
    """Pairs with human parsing, which notes whose is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[int] = []

    def parts(self, ref: FrameRef) -> Parts:
        self.read.append(ref.index)
        return ParsedSigners().parts(ref)


def test_listed_pairs_are_scored_one_by_one_beside_their_sources() -> None:
    found = evaluate_model(GoodRenderer(), ListedPairs(), "test")
    report = found.to_json()
    (ssim, *_) = [row for row in report["metrics"] if row["name"] == "ssim"]
    assert ssim["n"] == 2
    assert ssim["value"] > 0.99
    assert "frames:all" in ssim["signature"]
    assert {row["system"] for row in report["metrics"]} == {"generated", COPY, WARPED}
    assert found.score("ssim", COPY).value < 0.9


class SameIndices(SquareSigners):
    """A list of pairs of which two would have one name."""

    def pairs(self, split: str) -> list[Triplet]:
        first, second = self.records(split)[:2]
        target = FrameRef(first, 2)
        return [Triplet(FrameRef(first, 0), target), Triplet(FrameRef(second, 0), target)]


def test_clips_have_names_of_their_own() -> None:
    with pytest.raises(UserError, match="clip clip0:0-2 comes twice"):
        evaluate_model(GoodRenderer(), SameIndices(), "test")


def test_the_report_is_plain_json() -> None:
    report = evaluate_model(GoodRenderer(), SquareSigners(), "test", ALL)
    value = report.to_json()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert [clip["signer"] for clip in value["per_clip"]] == ["S0", "S1", "S0", "S1"]
    assert set(value["per_clip"][0]["scores"]["generated"]) == set(ALL)
    assert "4 clips, 18 frames, 2 signers" in report.table()
