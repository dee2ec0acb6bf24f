"""Warnings: one line each, what is out of what a model knows and what to do about it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from signgen.checkpoints.models import save_pretrained
from signgen.config.model import tiny_fpdm
from signgen.config.pictures import PicturesConfig
from signgen.data.framing import choose_crop
from signgen.media import read_image
from signgen.models import build_model
from signgen.models.pictures import measure_pictures, picture_statistics
from signgen.pose.formats import write_poses
from signgen.rendering.warnings import model_warnings
from tests.material.paper_doll import REST, paper_doll

SIZE = (64, 48)
RAISED = REST + np.array([[0, 30, 30], [0, 0, 0]])


@pytest.fixture(scope="module")
def known() -> PicturesConfig:
    dolls = [paper_doll(REST + angle) for angle in range(-20, 21, 5)]
    jittered = [
        np.clip(doll.picture.astype(int) + shift, 0, 255).astype(np.uint8)
        for doll, shift in zip(dolls, range(-40, 41, 10), strict=True)
    ]
    return measure_pictures(zip(jittered, (doll.poses for doll in dolls), strict=True), SIZE)


def warned(known: PicturesConfig, picture: np.ndarray, doll: Any, *, crop: bool) -> list[str]:
    config = replace(tiny_fpdm(), pictures=known)
    chosen = choose_crop(doll.poses, None, known) if crop else None
    found = model_warnings(config, picture, doll.poses, None, chosen)
    assert all("\n" not in text and text.endswith(".") for text in found)
    return list(found)


def test_what_is_known_is_not_warned_of(known: PicturesConfig) -> None:
    doll = paper_doll(RAISED)
    assert known.frames == 9
    assert known.shoulders[0] <= 70 / 240 * 1.2
    for crop in (True, False):
        assert warned(known, doll.picture, doll, crop=crop) == []
    assert warned(PicturesConfig(), 255 - doll.picture, doll, crop=True) == []


def test_a_signer_of_another_size(known: PicturesConfig) -> None:
    doll = paper_doll()
    smaller = replace(known, shoulders=(0.6, 0.7))
    (text,) = warned(smaller, doll.picture, doll, crop=False)
    assert text.startswith("the signer is small: shoulders are")
    assert "the model knows 60% to 70%. Leave out --frame full" in text
    larger = replace(known, shoulders=(0.1, 0.12))
    (text,) = warned(larger, doll.picture, doll, crop=True)
    assert text.startswith("the signer is large")
    assert "shows more around" in text


def test_a_coarse_source(known: PicturesConfig) -> None:
    doll = paper_doll(scale=0.1)
    texts = warned(known, doll.picture, doll, crop=True)
    assert any("has 24 x 28 pixels, the model draws 48 x 64" in text for text in texts)


@pytest.mark.parametrize("statistic", ["brightness", "contrast", "saturation", "detail"])
def test_a_picture_unlike_those_of_training(known: PicturesConfig, statistic: str) -> None:
    doll = paper_doll()
    grey = doll.picture.mean(axis=-1, keepdims=True)
    changed = {
        "brightness": doll.picture * 0.2,
        "contrast": (doll.picture - 128.0) * 0.05 + 128,
        "saturation": np.repeat(grey, 3, axis=-1),
        "detail": doll.picture + 120.0 * (np.indices((280, 240)).sum(axis=0) // 6 % 2)[..., None],
    }[statistic]
    (text,) = warned(known, changed.clip(0, 255).astype(np.uint8), doll, crop=True)
    assert "unlike the pictures that the model was trained on" in text
    assert "--model warp" in text
    if statistic in {"saturation", "detail"}:  # the others change all
        assert f"({statistic} " in text


def test_statistics_of_flat_and_striped_pictures() -> None:
    flat = picture_statistics(np.full((64, 48, 3), 51, np.uint8), SIZE)
    assert flat == pytest.approx(
        {"brightness": 0.2, "contrast": 0, "saturation": 0, "detail": 0}, abs=1e-6
    )
    stripes = np.zeros((64, 48, 3), np.uint8)
    stripes[:, ::2, 0] = 255
    found = picture_statistics(stripes, SIZE)
    assert found["saturation"] == pytest.approx(0.5)
    assert found["detail"] == pytest.approx(0.299)


def test_the_command_prints_them(work: Any, known: PicturesConfig) -> None:
    save_pretrained(build_model(replace(tiny_fpdm(), pictures=known)), work.folder / "known")
    work = replace(work, model=work.folder / "known")
    doll = paper_doll()
    Image.fromarray((doll.picture * 0.2).astype(np.uint8)).save(work.source)
    write_poses(doll.poses, work.poses)
    assert work.render("--no-compare") == 0
    assert "signgen: warning: the source is unlike" in work.capsys.readouterr().err
    assert work.render("--dry-run", "--json") == 0
    planned = json.loads(work.capsys.readouterr().out)
    assert len(planned["warnings"]) == 1
    assert planned["crop"] is None
    assert read_image(work.source).shape == (280, 240, 3)


def test_the_warp_says_which_hand_the_source_lacks(work: Any) -> None:
    doll = paper_doll()
    confidence = doll.poses.confidence.copy()
    confidence[:, 91:112] = 0
    Image.fromarray(doll.picture).save(work.source)
    write_poses(replace(doll.poses, confidence=confidence), work.folder / "doll.json")
    write_poses(doll.poses, work.poses)
    words = ("--source-poses", work.folder / "doll.json", "--dry-run", "--json")
    assert replace(work, model="warp").render(*words) == 0
    (text,) = json.loads(work.capsys.readouterr().out)["warnings"]
    assert text.startswith("the source's key points have no left hand")
