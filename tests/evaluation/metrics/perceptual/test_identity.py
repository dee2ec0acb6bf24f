"""Likeness of faces by a network that sees the colours of a face's quarters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.config.evaluation import EvalConfig
from signgen.evaluation.command import evaluate
from signgen.evaluation.metrics.base import Chunk
from signgen.evaluation.metrics.perceptual.identity import (
    Embedder,
    identity_metric,
    open_embedder,
)
from signgen.evaluation.metrics.score import Mean
from signgen.structures import PoseSequence, UserError
from tests.material.tiny_onnx import colour_embedder, colour_parser

QUARTERS = np.array([[(200, 60, 40), (40, 200, 60)], [(60, 40, 200), (220, 220, 60)]], np.uint8)


def _face(shift: int = 0, quarters: np.ndarray = QUARTERS) -> tuple[np.ndarray, PoseSequence]:
    """Return a picture (1, 120, 120, 3) of coloured quarters, shifted, and its key points."""
    picture = np.full((1, 120, 160, 3), 128, np.uint8)
    picture[0, :110, shift : shift + 100] = quarters.repeat(55, 0).repeat(50, 1)
    points, confidence = np.zeros((1, 133, 2), np.float32), np.zeros((1, 133), np.float32)
    landmarks = {(36, 42): (34, 46), (42, 48): (66, 46), (30, 31): (50, 64), (48, 49): (37, 82)}
    landmarks[(54, 55)] = (63, 82)
    for (start, stop), (x, y) in landmarks.items():
        points[:, 23 + start : 23 + stop] = (x + shift, y)
        confidence[:, 23 + start : 23 + stop] = 1
    return picture, PoseSequence(points, confidence, "coco-wholebody-133", (120, 160), 25)


def _value(network: Embedder, generated: np.ndarray, truth: np.ndarray, poses: PoseSequence):
    clip = identity_metric(network).begin("clip", {})
    clip.add(Chunk(generated), Chunk(truth, poses))
    return clip.results()["clip"]


def test_a_face_is_like_itself_and_less_like_another(tmp_path: Path) -> None:
    network = Embedder(colour_embedder(tmp_path / "net.onnx"), "cpu")
    picture, poses = _face()
    assert _value(network, picture, picture, poses)["value"].value == pytest.approx(1, abs=1e-5)
    other = _face(quarters=QUARTERS[::-1, ::-1])[0]
    assert _value(network, other, picture, poses)["value"].value < 0.5


def test_faces_are_aligned_before_they_are_embedded(tmp_path: Path) -> None:
    network = Embedder(colour_embedder(tmp_path / "net.onnx"), "cpu")
    embedded = []
    for shift in (0, 40):
        picture, poses = _face(shift)
        marks = [poses.keypoints[0, 23 + k] for k in (36, 42, 30, 48, 54)]
        embedded.append(network.embed(picture[0], np.stack(marks)))
    np.testing.assert_allclose(embedded[0], embedded[1], atol=0.02)
    np.testing.assert_allclose(np.linalg.norm(embedded[0]), 1, atol=1e-6)


def test_frames_without_a_known_face_do_not_count(tmp_path: Path) -> None:
    network = Embedder(colour_embedder(tmp_path / "net.onnx"), "cpu")
    picture, poses = _face()
    poses.confidence[0, 23 + 30] = 0
    means = _value(network, picture, picture, poses)
    assert means["value"] == Mean()
    assert means["coverage"].value == 0


def test_a_file_of_weights_asks_for_the_score(tmp_path: Path) -> None:
    weights = colour_embedder(tmp_path / "net.onnx")
    report = evaluate(EvalConfig(model="warp", identity_weights=str(weights), motion=False))
    scores = report.by_system("identity")
    assert 0.9 < (scores["generated"].value or 0) <= 1
    assert scores["generated"].details["coverage"] == 1
    assert "align:arcface-5@112" in scores["generated"].signature


def test_what_is_no_such_network_is_refused(tmp_path: Path) -> None:
    assert "--identity-weights" in open_embedder(None, "cpu").reason
    parser = colour_parser(tmp_path / "net.onnx", side=112, labels=20)
    picture, poses = _face()
    with pytest.raises(UserError, match=r"expected embeddings \(1, D\)"):
        _value(Embedder(parser, "cpu"), picture, picture, poses)
    with pytest.raises(UserError, match="does not exist"):
        Embedder(tmp_path / "absent.onnx", "cpu")
