"""Two sequences of frames scored with one call."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.frames import evaluate_frames
from signgen.evaluation.metrics.pixels.image import psnr
from signgen.evaluation.metrics.pixels.ssim import ssim
from tests.material.square_signers import draw, moving_poses

RNG = np.random.default_rng(3)
TRUTH, OURS = RNG.integers(0, 256, (2, 5, 40, 32, 3), np.uint8)


def test_arrays_and_iterables_have_the_scores_of_their_frames() -> None:
    scores = evaluate_frames(OURS, TRUTH)
    assert list(scores) == ["ssim", "psnr"]
    assert scores["ssim"].value == pytest.approx(ssim(OURS, TRUTH).mean(), abs=1e-12)
    assert scores["psnr"].value == pytest.approx(psnr(OURS, TRUTH).mean(), abs=1e-12)
    assert scores["ssim"].n == 5
    assert "|size:40x32|" in scores["ssim"].signature
    assert evaluate_frames(iter(OURS), (frame for frame in TRUTH)) == scores
    (flicker,) = evaluate_frames(TRUTH, TRUTH, ["flicker"]).values()
    assert flicker.n == 0, "noise does not stand still"


def test_poses_and_sizes_serve_metrics_that_need_them() -> None:
    poses = moving_poses(3, 1)
    truth = np.stack([draw(poses, index) for index in range(3)])
    scores = evaluate_frames(truth, truth, ("hand_ssim", "ssim"), poses=poses, size=(120, 96))
    assert scores["hand_ssim"].value == scores["ssim"].value == 1
    assert "|size:120x96|" in scores["ssim"].signature
    assert "|resize:pillow-" in scores["ssim"].signature


def test_frames_that_do_not_fit_are_user_errors() -> None:
    cases = {
        "4 generated frames, but 5 reference": (OURS[:4], TRUTH),
        "values of type float64": (OURS / 255, TRUTH),
        "expected \\(H, W, 3\\)": (OURS[..., :1], TRUTH),
        "expected one size": (OURS[:, :30], TRUTH),
    }
    for message, pair in cases.items():
        with pytest.raises(UserError, match=message):
            evaluate_frames(*pair)
    with pytest.raises(UserError, match="needs the poses of the reference"):
        evaluate_frames(OURS, TRUTH, ["hand_ssim"])
    with pytest.raises(UserError, match=r"size is \(0, 5\)"):
        evaluate_frames(OURS, TRUTH, size=(0, 5))
    with pytest.raises(UserError, match="resize is cubic; expected one of pillow-bicubic"):
        evaluate_frames(OURS, TRUTH, size=(8, 8), resize="cubic")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="'mse' is no metric"):
        evaluate_frames(OURS, TRUTH, ["mse"])
