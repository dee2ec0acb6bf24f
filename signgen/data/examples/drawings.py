"""Poses drawn beforehand as training input: FPDM's published image mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from signgen.config.data import DataConfig
from signgen.config.model import ModelConfig
from signgen.data.adapter import DatasetAdapter
from signgen.data.dataset import ManifestDataset
from signgen.errors import ExitCode, UserError
from signgen.media import read_image
from signgen.media.video import PICTURE_SUFFIXES
from signgen.pose.drawing.drawn import check_drawing
from signgen.structures import FrameRef, Record

__all__ = ["DrawnFrames"]


class DrawnFrames:
    """The drawing of the pose of every frame of a dataset.

    It has the frame's own path below the folder, with any ending of pictures; the first folder of
    that path may be left out, so that `pose_img` serves frames in `img`, as FPDM lays them out.

    Args:
        adapter: A prepared dataset whose frames are pictures.
        config: Names the folder.
        records: The records that are trained on.
        model: What it learns.

    Raises:
        UserError: If a setting needs key points to be changed or weighed (2), or the first frame
            has no drawing.
    """

    def __init__(
        self,
        adapter: DatasetAdapter,
        config: DataConfig,
        records: Sequence[Record],
        model: ModelConfig,
    ) -> None:
        self._folder = Path(config.pose_pictures)
        self._check_settings(config, model)
        if not isinstance(adapter, ManifestDataset) or adapter.entry(records[0]).is_video:
            raise self._refused(f"frames of {adapter.name} are in videos; only pictures have paths")
        self._dataset = adapter
        self.has_keypoints = all(adapter.entry(record).poses for record in records)
        if not self.has_keypoints:
            self._check_weights(config, model)
        check_drawing(self._path(FrameRef(records[0], 0)))

    def draw(self, ref: FrameRef) -> NDArray[np.uint8]:
        """Read the drawing of a frame's pose, (H, W, 3) uint8 RGB."""
        return read_image(self._path(ref))

    def _path(self, ref: FrameRef) -> Path:
        frame = PurePosixPath(self._dataset.entry(ref.record).frame_path(ref.index))
        names = [frame.with_suffix(""), PurePosixPath(*frame.with_suffix("").parts[1:])]
        for name in names:
            for suffix in sorted(PICTURE_SUFFIXES, key=lambda one: one != frame.suffix.lower()):
                path = self._folder / f"{name}{suffix}"
                if path.is_file():
                    return path
        raise UserError(
            f"{self._folder} has no drawn pose of frame {frame}; expected {names[0]}.png or "
            f"{names[1]}.png there. Draw them, or leave out --data.pose-pictures.",
            ExitCode.NO_INPUT,
        )

    def _check_settings(self, config: DataConfig, model: ModelConfig) -> None:
        needs = {"data.flip_rate": config.flip_rate, "data.jitter": config.jitter}
        needs["model.decoder.kind"] = model.guided
        for name, value in needs.items():
            if value:
                raise self._refused(f"{name} changes key points")

    def _check_weights(self, config: DataConfig, model: ModelConfig) -> None:
        needs = {"data.window": config.window, "model.hand_weight": model.hand_weight}
        needs["model.face_weight"] = model.face_weight
        for name, value in needs.items():
            if value:
                raise self._refused(f"{name} is {value}, for which the data lack key points")

    def _refused(self, reason: str) -> UserError:
        return UserError(
            f"data.pose_pictures is {self._folder}, but {reason}. Leave one of them out.",
            ExitCode.USAGE,
        )
