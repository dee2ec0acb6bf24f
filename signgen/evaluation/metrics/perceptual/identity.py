"""Likeness of faces: cosine of their embeddings in a network of the user's, such as ArcFace."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.metrics.base import Chunk, MeanMetric, Values, frame_by_frame
from signgen.evaluation.metrics.networks import Unavailable
from signgen.evaluation.metrics.regions import THRESHOLD, checked_poses
from signgen.evaluation.metrics.score import pooled
from signgen.files.foreign.onnx import open_onnx

__all__ = ["Embedder", "identity_metric", "open_embedder"]

_FACE = 23
"""First of the 68 points of the face."""
_LANDMARKS = (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,))
"""Points of the face whose means are the five landmarks: eyes, nose, corners of the mouth."""
_TEMPLATE = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ],
    np.float32,
)
"""Where ArcFace (Deng et al. 2019) has them in a face of 112 x 112 pixels."""


class Embedder:
    """Embeds aligned faces.

    Args:
        path: ONNX file: a face (1, 3, S, S), RGB in [-1, 1], in, its embedding (1, D) out.
        device: Where it computes.
    """

    def __init__(self, path: Path, device: str) -> None:
        expected = "a network that embeds faces, such as ArcFace, as ONNX"
        self.session, self.side = open_onnx(path, device, expected)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        self.path, self.signature = path, f"net:{digest}|align:arcface-5@{self.side}"

    def embed(self, frame: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[Any]:
        """Return the embedding (D,), of unit length, of a face in a frame (H, W, 3).

        Args:
            frame: The frame.
            landmarks: (5, 2), (x, y) in its pixels.
        """
        wanted = _TEMPLATE * (self.side / 112)
        move = cv2.estimateAffinePartial2D(landmarks, wanted, method=cv2.LMEDS)[0]
        face = cv2.warpAffine(frame, move, (self.side, self.side), flags=cv2.INTER_LINEAR)
        pixels = (face.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        found = self.session.run(None, {self.session.get_inputs()[0].name: pixels})[0]
        if found.ndim != 2 or len(found) != 1:
            raise UserError(f"{self.path} gives {list(found.shape)}; expected embeddings (1, D).")
        return np.asarray(found[0] / max(float(np.linalg.norm(found[0])), 1e-12))


def open_embedder(weights: Path | None, device: str) -> Embedder | Unavailable:
    """Return the network of `--identity-weights`, or what is missing."""
    if weights is None:
        return Unavailable("needs a network that embeds faces, give it with --identity-weights")
    return Embedder(weights, device)


def identity_metric(network: Embedder | Unavailable) -> MeanMetric:
    """Return the likeness of the true and the generated face, in [-1, 1], mean over frames.

    Both are cut and aligned by the *true* key points. A frame counts if all points of eyes, nose
    and corners of the mouth have a confidence of at least `THRESHOLD`; `coverage` is their share.
    """
    if isinstance(network, Unavailable):
        return MeanMetric(name="identity", higher_is_better=True, unavailable=network.reason)
    return MeanMetric(
        name="identity",
        signature=f"{network.signature}|confidence:{THRESHOLD:g}|size:{{size}}|mean:frames|version:1",
        begin=frame_by_frame(partial(_measure, network)),
        higher_is_better=True,
        details=lambda results: {"coverage": pooled(results.values(), "coverage").value},
    )


def _measure(network: Embedder, generated: Chunk, reference: Chunk) -> Values:
    found = _landmarks(reference)
    truth = reference.feature(_embeddings, network)
    values, coverage = np.full(len(found), np.nan), np.zeros(len(found))
    for frame, embedding in truth.items():
        values[frame] = network.embed(generated.frames[frame], found[frame]) @ embedding
        coverage[frame] = 1
    return {"value": values, "coverage": coverage}


def _embeddings(chunk: Chunk, network: Embedder) -> dict[int, NDArray[Any]]:
    """Return the embeddings of true frames by their numbers."""
    found = _landmarks(chunk)
    known = np.flatnonzero(~np.isnan(found).any(axis=(1, 2)))
    return {int(frame): network.embed(chunk.frames[frame], found[frame]) for frame in known}


def _landmarks(chunk: Chunk) -> NDArray[np.float32]:
    """Return the five landmarks (T, 5, 2) in pixels of the frames; NaN where one is not known."""
    poses = checked_poses(chunk, "identity")
    scale = np.array([chunk.size[1] / poses.size[1], chunk.size[0] / poses.size[0]])
    marks = np.full((len(poses), 5, 2), np.nan, np.float32)
    for number, points in enumerate(_LANDMARKS):
        at = [_FACE + point for point in points]
        known = (poses.confidence[:, at] >= THRESHOLD).all(axis=1)
        marks[known, number] = poses.keypoints[known][:, at].mean(axis=1) * scale
    return marks
