"""Our HRNet against MMPose 1.1.0 itself, with the same weights. `make test-mmpose` installs it."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from signgen.errors import ExitCode, UserError
from signgen.media import read_image
from signgen.pose.estimators.base import Box, Frame, PoseEstimator
from signgen.pose.estimators.hrnet.boxes import crop_frame, crop_of
from signgen.pose.estimators.hrnet.estimator import HandEstimator, HRNetEstimator
from signgen.pose.estimators.hrnet.network import (
    HAND,
    WHOLE_BODY,
    HeatmapNetwork,
    HRNetSize,
)
from signgen.pose.estimators.mmpose import (
    HAND_CONFIG,
    WHOLE_BODY_CONFIG,
    MMPoseEstimator,
    open_mmpose,
)
from tests.material.hrnet_weights import draw_weights
from tests.material.places import REAL, ROOT

SAMPLE = ROOT / "signgen" / "assets" / "sample" / "demo" / "source.png"
PHOTOS = sorted((REAL / "coco_wholebody").glob("*.jpg"))
needs_mmpose = pytest.mark.skipif(
    importlib.util.find_spec("mmpose") is None, reason="mmpose is not installed: make test-mmpose"
)
INSIDE_AND_OUT: list[Box | None] = [None, (-40.0, 15.5, 120.25, 300.0)]
CPU = torch.device("cpu")


def pictures() -> list[Frame]:
    """Return a drawn signer, and a photograph where one is there."""
    return [read_image(path) for path in [SAMPLE, *PHOTOS[:1]]]


def spread_weights(size: HRNetSize, seed: int) -> dict[str, Tensor]:
    """Draw weights whose heatmaps go from 0 to 1, with peaks all over the sample picture.

    Each batch norm is given the mean and variance that its channels have there.
    """
    network = HeatmapNetwork(size)
    network.load_state_dict(draw_weights(network, seed))
    frame = read_image(SAMPLE)
    crop = crop_of(None, (frame.shape[0], frame.shape[1]), size.input_size)
    pixels = torch.from_numpy(crop_frame(frame, crop)).permute(2, 0, 1)[None].float()
    pixels = (pixels - 115) / 58
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(pixels)
        heatmaps = network.eval()(pixels).transpose(0, 1).flatten(1)
        low, high = heatmaps.amin(1), heatmaps.amax(1)
        final = network.head.final_layer
        final.weight /= (high - low)[:, None, None, None]
        assert final.bias is not None
        final.bias.copy_((final.bias - low) / (high - low))
    return network.state_dict()


def published_file(state: Mapping[str, Tensor], path: Path) -> Path:
    """Write a file as MMPose 1.x does while it trains, with what its runner keeps beside it."""
    from mmengine.logging import MessageHub
    from mmpose.datasets import CocoWholeBodyDataset
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    hub = MessageHub.get_instance("parity")
    hub.update_scalar("train/loss", 0.5)
    hub.update_info("iter", np.int64(3))
    document = {
        "meta": {"dataset_meta": parse_pose_metainfo(CocoWholeBodyDataset.METAINFO)},
        "state_dict": dict(state),
        "message_hub": hub.state_dict(),
    }
    torch.save(document, path)
    return path


Answer = tuple[np.ndarray, np.ndarray]
Record = Callable[[str, object], None]


class Reference:
    """MMPose's own interface, given a picture and a box; and the file with its weights."""

    def __init__(self, config: str, size: HRNetSize, seed: int, folder: Path) -> None:
        state = spread_weights(size, seed)
        self.file = published_file(state, folder / f"{seed}.pth")
        self.model = open_mmpose(config, CPU)
        self.model.load_state_dict(state)

    def __call__(self, frame: Frame, box: Box | None, *, flip_test: bool = True) -> Answer:
        from mmpose.apis import inference_topdown

        self.model.test_cfg["flip_test"] = flip_test
        boxes = None if box is None else np.array([box], np.float32)
        (found,) = inference_topdown(self.model, np.ascontiguousarray(frame[..., ::-1]), boxes)
        return found.pred_instances.keypoints[0], found.pred_instances.keypoint_scores[0]


@pytest.fixture(scope="module")
def whole_body(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(WHOLE_BODY_CONFIG, WHOLE_BODY, 1, tmp_path_factory.mktemp("body"))


def distances(ours: Answer, theirs: Answer) -> np.ndarray:
    """Return how many pixels apart points are where there is a peak; all else must be equal."""
    (points, confidence), (expected, scores) = ours, theirs
    np.testing.assert_allclose(confidence, scores.clip(min=0), atol=1e-4)
    seen = scores > 0
    assert seen.mean() > 0.9
    assert not points[~seen].any()
    # Points all over the picture, or the comparison would say little.
    assert len(np.unique(expected[seen].round(), axis=0)) > 0.6 * seen.sum()
    return np.linalg.norm(points - expected, axis=-1)[seen]


def assert_close(parts: list[np.ndarray], record: Record) -> None:
    """Hold the promise of 0.5 pixels (median) by far and of 2 pixels (99 %), and put it on record.

    Where drawn weights make a peak that is flat in one direction, rounding alone moves the point,
    by how much depends on the processor: 0.7 pixels at 99 % were seen.
    """
    pixels = np.concatenate(parts)
    for share in (0.5, 0.99, 1.0):
        name = f"pixels at {share:.0%} of {len(pixels)} points"
        record(name, f"{np.quantile(pixels, share):.1e}")  # shown by --junit-xml
    assert np.median(pixels) < 0.01
    assert np.quantile(pixels, 0.99) < 2


@needs_mmpose
@pytest.mark.parametrize("flip_test", [True, False])
def test_whole_body_equals_mmpose(
    whole_body: Reference, record_property: Record, flip_test: bool
) -> None:
    estimator = HRNetEstimator(whole_body.file, device="cpu", flip_test=flip_test)
    parts = []
    for frame in pictures():
        people = estimator.estimate([frame] * 2, INSIDE_AND_OUT)
        for box, ours in zip(INSIDE_AND_OUT, people, strict=True):
            theirs = whole_body(frame, box, flip_test=flip_test)
            parts.append(distances(ours, theirs))
    assert_close(parts, record_property)


@needs_mmpose
@pytest.mark.parametrize("seed", [1, 2])
def test_hand_equals_mmpose(tmp_path: Path, record_property: Record, seed: int) -> None:
    hand = Reference(HAND_CONFIG, HAND, seed, tmp_path)
    parts = []
    for flip_test in (True, False):
        estimator = HandEstimator(hand.file, device="cpu", flip_test=flip_test)
        for frame in pictures():
            hands = zip(*estimator.estimate([frame] * 2, INSIDE_AND_OUT), strict=True)
            for box, ours in zip(INSIDE_AND_OUT, hands, strict=True):
                theirs = hand(frame, box, flip_test=flip_test)
                parts.append(distances(ours, theirs))
    assert_close(parts, record_property)


@needs_mmpose
def test_both_backends_are_interchangeable(whole_body: Reference, record_property: Record) -> None:
    frame = read_image(SAMPLE)
    ours = HRNetEstimator(whole_body.file, device="cpu", batch_size=1)
    theirs = MMPoseEstimator(whole_body.file, device="cpu", batch_size=2)
    assert theirs.name.split("-hrnet")[1] == ours.name.removeprefix("hrnet")
    boxes: list[Box | None] = [(10.0, 20.0, 100.0, 240.0), (-30.0, -30.0, 260.0, 200.0)]
    estimators: tuple[PoseEstimator, ...] = (ours, theirs)
    first, second = ([*one.estimate([frame] * 2, boxes)] for one in estimators)
    assert_close([distances(*pair) for pair in zip(first, second, strict=True)], record_property)


@needs_mmpose
def test_mmpose_refuses_weights_of_another_network(hand_file: Path) -> None:
    with pytest.raises(UserError, match="not weights of HRNet-W48 whole-body"):
        MMPoseEstimator(hand_file, device="cpu")


@pytest.mark.skipif(importlib.util.find_spec("mmpose") is not None, reason="mmpose is installed")
def test_absent_mmpose_says_how_to_install_it() -> None:
    with pytest.raises(UserError, match="make pose-mmpose") as caught:
        MMPoseEstimator()
    assert caught.value.code == ExitCode.UNAVAILABLE
