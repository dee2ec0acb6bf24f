import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from signgen.errors import ExitCode, UserError
from signgen.pose.estimators.base import Box, Frame, PoseEstimator
from signgen.pose.estimators.hrnet.estimator import HandEstimator, HRNetEstimator, TopDownNetwork
from signgen.pose.estimators.hrnet.network import WHOLE_BODY, HeatmapNetwork, HRNetSize
from tests.material.hrnet_weights import draw_weights, drawn_file

TINY = HRNetSize("tiny", 8, 5, (64, 96), all_branches=False, modules=(1, 1, 1), blocks=1, stem=8)
INPUT = (384, 288)
CPU = "cpu"


def noise(count: int, size: tuple[int, int] = (70, 50)) -> list[Frame]:
    rng = np.random.default_rng(3)
    return list(rng.integers(0, 256, (count, *size, 3), np.uint8))


class Spots(nn.Module):
    """A network that knows: heatmap k is the brightness of colour k, at half a pixel off cell 4 i.

    So it commutes with mirroring as a trained network does: cell i is the mirror of cell w - i.
    """

    def forward(self, pictures: Tensor) -> Tensor:
        beside = F.pad(pictures, (1, 0, 1, 0), mode="replicate")
        return F.relu(F.avg_pool2d(beside, 2, stride=1)[..., ::4, ::4])


def spots(centers: np.ndarray, size: tuple[int, int], deviation: float) -> Frame:
    """Draw one spot per colour at x, y."""
    y, x = np.mgrid[: size[0], : size[1]]
    squares = (x[..., None] - centers[:, 0]) ** 2 + (y[..., None] - centers[:, 1]) ** 2
    return (255 * np.exp(-squares / (2 * deviation**2))).round().astype(np.uint8)


@pytest.mark.parametrize("mirror", [None, (0, 1, 2)])
@pytest.mark.parametrize("box", [None, (60.0, 40.0, 190.0, 260.0), (-70.0, -30.0, 300.0, 280.0)])
def test_spots_are_found_where_they_are(box: Box | None, mirror: tuple[int, ...] | None) -> None:
    centers = np.array([[100.3, 120.7], [150.2, 99.0], [121.5, 180.1]])
    frame = spots(centers, (260, 210), deviation=9)
    network = TopDownNetwork(Spots(), INPUT, mirror, CPU)
    points, confidence = network.points([frame], [box])
    x0, y0, x1, y1 = box or (0, 0, 210, 260)
    pixel = max((x1 - x0) * 1.25 / INPUT[1], (y1 - y0) * 1.25 / INPUT[0])
    np.testing.assert_allclose(points[0] - 0.5 * pixel, centers, atol=0.25)
    assert (confidence > 1.5).all()


def test_flip_test_swaps_left_and_right() -> None:
    frame = spots(np.array([[90.0, 100.0], [50.0, 60.0], [120.0, 200.0]]), (260, 210), 9)
    # Colours 0 and 1 are no mirror images of each other here, so both spots show in both maps.
    _, confidence = TopDownNetwork(Spots(), INPUT, (1, 0, 2), CPU).points([frame], [None])
    _, alone = TopDownNetwork(Spots(), INPUT, None, CPU).points([frame], [None])
    np.testing.assert_allclose(confidence[0] / alone[0], [0.5, 0.5, 1], atol=0.05)


def test_point_without_a_peak_is_zero_with_confidence_zero() -> None:
    frame = spots(np.array([[90.0, 100.0], [50.0, 60.0], [-900.0, 0.0]]), (260, 210), 9)
    points, confidence = TopDownNetwork(Spots(), INPUT, None, CPU).points([frame], [None])
    assert confidence[0, 2] == 0
    assert points[0, 2].tolist() == [0, 0]


@pytest.fixture(scope="module")
def tiny() -> TopDownNetwork:
    network = HeatmapNetwork(TINY)
    network.load_state_dict(draw_weights(network, 0))
    return TopDownNetwork(network, TINY.input_size, (0, 2, 1, 4, 3), CPU)


def test_result_does_not_depend_on_the_batch(tiny: TopDownNetwork) -> None:
    frames = noise(6)
    boxes: list[Box | None] = [None, (5, 5, 30, 60), None, (-9, 0, 44, 31), None, None]
    together = tiny.points(frames, boxes)
    for start, stop in ((0, 1), (1, 4), (4, 6)):
        points, confidence = tiny.points(frames[start:stop], boxes[start:stop])
        np.testing.assert_allclose(points, together[0][start:stop], atol=1e-3)
        np.testing.assert_allclose(confidence, together[1][start:stop], atol=1e-5)


# ----- the estimators at full size ----------------------------------------------------------------


@pytest.fixture(scope="module")
def hands(hand_file: Path) -> HandEstimator:
    return HandEstimator(hand_file, device="cpu", batch_size=2)


def test_hands_are_estimated_in_batches(hands: HandEstimator) -> None:
    patches = np.stack(noise(3, (60, 60)))
    points, confidence = hands.estimate(patches)
    assert points.shape == (3, 21, 2)
    assert confidence.shape == (3, 21)
    assert points.dtype == confidence.dtype == np.float32
    assert (confidence >= 0).all()
    alone = hands.estimate(patches[2:])
    np.testing.assert_allclose(alone[0], points[2:], atol=1e-2)
    np.testing.assert_allclose(alone[1], confidence[2:], atol=1e-5)


def test_hand_in_a_box_is_the_hand_in_the_patch(hands: HandEstimator) -> None:
    (patch,) = noise(1, (64, 64))
    # With its padding of 25 %, the whole patch shows black around it, and so does the frame.
    frame = np.zeros((200, 300, 3), np.uint8)
    frame[100:164, 40:104] = patch
    inside, _ = hands.estimate([frame], [(40.0, 100.0, 104.0, 164.0)])
    alone, confidence = hands.estimate([patch])
    seen = confidence > 0
    np.testing.assert_allclose(inside[seen] - [40, 100], alone[seen], atol=0.05)


def test_whole_body_streams_one_person_per_frame(tmp_path: Path) -> None:
    file = drawn_file(WHOLE_BODY, tmp_path)
    estimator = HRNetEstimator(file, device="cpu", batch_size=2, flip_test=False)
    file.unlink()  # 250 MB
    protocol: PoseEstimator = estimator
    assert re.fullmatch(r"hrnet-w48-384x288-[0-9a-f]{8}-noflip", protocol.name)
    read: list[int] = []

    def frames() -> Iterator[Frame]:
        for number, frame in enumerate(noise(3)):
            read.append(number)
            yield frame

    people = protocol.estimate(frames())
    next(people)
    assert read == [0, 1]
    assert len(list(people)) == 2
    again = list(estimator.estimate(noise(1)))
    assert again[0][0].shape == (133, 2)
    assert again[0][1].shape == (133,)
    assert again[0][0].dtype == again[0][1].dtype == np.float32


# ----- what users can get wrong -------------------------------------------------------------------


@pytest.mark.parametrize(("boxes", "frames"), [(2, 3), (1, 2), (3, 2), (1, 0)])
def test_number_of_boxes_must_be_that_of_frames(
    hands: HandEstimator, boxes: int, frames: int
) -> None:
    with pytest.raises(UserError, match=f"{boxes} boxes"):
        hands.estimate(noise(frames), [None] * boxes)


def test_weights_of_the_hand_are_refused_for_the_body(hand_file: Path) -> None:
    with pytest.raises(UserError, match=r"not weights of HRNet-W48 whole-body: .* has shape"):
        HRNetEstimator(hand_file)


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
def test_cuda_is_never_replaced_silently(hand_file: Path) -> None:
    with pytest.raises(UserError, match="no CUDA device") as caught:
        HandEstimator(hand_file, device="cuda")
    assert caught.value.code == ExitCode.UNAVAILABLE


@pytest.mark.gpu
def test_gpu_agrees_with_cpu(hands: HandEstimator, hand_file: Path) -> None:
    patches = np.stack(noise(4, (60, 60)))
    points, confidence = hands.estimate(patches)
    on_gpu = HandEstimator(hand_file, device="cuda").estimate(patches)
    seen = confidence > 0.05
    assert np.median(np.abs(on_gpu[0] - points)[seen]) < 0.1
    np.testing.assert_allclose(on_gpu[1], confidence, atol=1e-2)
