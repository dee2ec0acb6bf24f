"""The bundled model follows poses and source on signers it has not seen.

By how much it beats copying the source is in its card; here only what must never break.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from signgen.checkpoints.models import load_model
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.evaluation.reports.report import COPY, Report
from signgen.rendering.renderer import Renderer
from signgen.structures import FrameRef, PoseSequence
from tests.material.evaluated import evaluate_model

METRICS = ("ssim", "psnr", "hand_ssim")


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(load_model("mini"), device="cpu")


@pytest.fixture(scope="module")
def report(renderer: Renderer) -> Report:
    return evaluate_model(renderer, open_dataset("sample"), "test", METRICS)


class _Still:
    """A renderer that is given the pose of frame 0 for every frame."""

    def __init__(self, renderer: Renderer) -> None:
        self.renderer = renderer

    def render(
        self, source: NDArray[np.uint8], poses: PoseSequence, **_: object
    ) -> Iterator[NDArray[np.uint8]]:
        yield from self.renderer.render(source, poses.frames([0] * len(poses)))


def test_the_poses_move_the_picture(renderer: Renderer, report: Report) -> None:
    still = evaluate_model(_Still(renderer), open_dataset("sample"), "test", METRICS)
    ours, without = report.score("hand_ssim").value, still.score("hand_ssim").value
    assert ours is not None
    assert without is not None
    assert ours > without + 0.02


@pytest.mark.parametrize("metric", ["ssim", "psnr", "hand_ssim"])
def test_it_beats_copying_the_source(report: Report, metric: str) -> None:
    ours, copied = report.score(metric).value, report.score(metric, COPY).value
    assert ours is not None
    assert copied is not None
    assert ours > copied


def test_the_source_decides_the_colours(renderer: Renderer) -> None:
    dataset: ManifestDataset = open_dataset("sample")
    records = dataset.records("test")
    poses = dataset.pose(FrameRef(records[0], 0))
    sources = [dataset.frame(FrameRef(record, 0)) for record in records]
    rendered = [next(renderer.render(source, poses)).astype(float) for source in sources]
    # The upper corners show the background alone.
    corners = [
        np.array([x[:40, :30].mean((0, 1)) for x in frames]) for frames in (sources, rendered)
    ]
    distance = np.abs(corners[0][:, None] - corners[1][None]).sum(-1)
    assert (distance.argmin(0) == np.arange(len(records))).mean() >= 0.75
