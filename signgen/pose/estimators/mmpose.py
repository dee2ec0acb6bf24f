"""MMPose 1.1 itself, with the configuration of HRNet-W48 whole-body that its wheel ships.

The reference for `hrnet`, and there for those who have MMPose anyway. Weights pass through our own
reader, so that no pickle is run.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from signgen.config.pose import Device
from signgen.device import choose_device
from signgen.errors import ExitCode, UserError
from signgen.pose.estimators.base import Box, Frame, Person
from signgen.pose.estimators.hrnet.boxes import boxed_chunks, crop_of
from signgen.pose.estimators.hrnet.network import WHOLE_BODY
from signgen.pose.estimators.hrnet.weights import WHOLE_BODY_WEIGHTS, weights_for

__all__ = ["HAND_CONFIG", "WHOLE_BODY_CONFIG", "MMPoseEstimator", "open_mmpose"]

#: Below `.mim/configs` in MMPose's wheel.
WHOLE_BODY_CONFIG = (
    "wholebody_2d_keypoint/topdown_heatmap/coco-wholebody/"
    "td-hm_hrnet-w48_dark-8xb32-210e_coco-wholebody-384x288.py"
)
HAND_CONFIG = (
    "hand_2d_keypoint/topdown_heatmap/coco_wholebody_hand/"
    "td-hm_hrnetv2-w18_dark-8xb32-210e_coco-wholebody-hand-256x256.py"
)


class MMPoseEstimator:
    """Whole-body estimator of MMPose 1.1: HRNet-W48 at 384 x 288 with DARK and flip test.

    The arguments are those of `HRNetEstimator`.
    """

    def __init__(
        self, weights: Path | None = None, device: Device = "auto", batch_size: int = 8
    ) -> None:
        self._batch_size = batch_size
        self._model = open_mmpose(WHOLE_BODY_CONFIG, torch.device(choose_device(device)))
        read = weights_for(self._model, WHOLE_BODY.name, weights, WHOLE_BODY_WEIGHTS)
        self._model.load_state_dict(read.state)
        self.name = f"mmpose-{_version()}-hrnet-w48-384x288-{read.digest[:8]}"

    def estimate(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> Iterator[Person]:
        """Estimate one clip, in order (see `PoseEstimator`)."""
        for chunk in boxed_chunks(frames, boxes, self._batch_size):
            for prediction in _infer(self._model, chunk):
                points = prediction.keypoints[0].astype(np.float32)
                confidence = prediction.keypoint_scores[0].clip(min=0).astype(np.float32)
                points[confidence == 0] = 0
                yield points, confidence


def open_mmpose(config: str, device: torch.device) -> Any:
    """Return what `mmpose.apis.init_model` builds from a configuration of its wheel."""
    try:
        with warnings.catch_warnings():
            # It speaks of operators that no heatmap network needs.
            warnings.simplefilter("ignore")
            import mmpose
            from mmpose.apis import init_model
    except (ImportError, AssertionError) as error:  # it asserts the versions of its parts
        raise UserError(
            f"mmpose cannot be imported ({error}). Install it with: make pose-mmpose; or take the "
            "estimator hrnet, which gives the same points without it.",
            ExitCode.UNAVAILABLE,
        ) from error
    path = Path(mmpose.__file__).parent / ".mim" / "configs" / config
    if not path.is_file():
        raise UserError(
            f"{path}: missing in this installation of mmpose {_version()}; expected 1.1.0. Install "
            "it with: make pose-mmpose",
            ExitCode.UNAVAILABLE,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return init_model(str(path), None, device=str(device))


def _version() -> str:
    import mmpose

    return str(mmpose.__version__)


def _infer(model: Any, chunk: Sequence[tuple[Frame, Box | None]]) -> list[Any]:
    """Do what `mmpose.apis.inference_topdown` does, for one box in each of several frames."""
    from mmengine.dataset import Compose, pseudo_collate
    from mmengine.registry import init_default_scope

    init_default_scope("mmpose")
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    samples = []
    for frame, box in chunk:
        height, width = frame.shape[:2]
        crop_of(box, (height, width), WHOLE_BODY.input_size)  # refuses empty boxes
        corners = np.array([(0, 0, width, height) if box is None else box], np.float32)
        sample = {
            "img": np.ascontiguousarray(frame[..., ::-1]),  # BGR
            "bbox": corners,
            "bbox_score": np.ones(1, np.float32),
        }
        samples.append(pipeline(sample | model.dataset_meta))
    with torch.no_grad():
        return [sample.pred_instances for sample in model.test_step(pseudo_collate(samples))]
