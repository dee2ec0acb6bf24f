"""Nodes of ComfyUI: load a model, take poses, render to a batch of images.

Link or copy this folder into ComfyUI's `custom_nodes`, and install signgen into ComfyUI's Python.
The nodes call signgen's own renderers and readers; ComfyUI's `IMAGE` is (B, H, W, 3) float32 in
[0, 1], its `POSE_KEYPOINT` a list of frames of OpenPose JSON, as the DWPose and OpenPose
preprocessors of comfyui_controlnet_aux make it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, get_args

import numpy as np
import torch

from signgen.config.pose import Align, Device
from signgen.config.sampling import PRESETS, Preset, Sampling
from signgen.errors import UserError
from signgen.pose.formats import read_poses
from signgen.pose.retargeting.align import align_to_source
from signgen.pose.transforms import fit_to_source
from signgen.rendering.loading import load_once, load_renderer
from signgen.structures import PoseSequence

CATEGORY = "signgen"


@dataclass(frozen=True)
class LoadedModel:
    """A model by name, and itself; None for `warp`, which has none."""

    name: str
    device: Device
    model: Any


class LoadModel:
    """Load a model: `mini` (bundled), `warp` (nothing learned), a folder, or a hub id."""

    CATEGORY = CATEGORY
    RETURN_TYPES = ("SIGNGEN_MODEL",)
    FUNCTION = "load"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return what ComfyUI asks for."""
        return {
            "required": {
                "model": ("STRING", {"default": "mini"}),
                "device": (list(get_args(Device)), {"default": "auto"}),
            }
        }

    def load(self, model: str, device: Device) -> tuple[LoadedModel]:
        """Return the model."""
        return (LoadedModel(model, device, load_once(model, device)),)


class TakePoses:
    """Take key points of OpenPose or DWPose; of several people the one who signs is followed."""

    CATEGORY = CATEGORY
    RETURN_TYPES = ("SIGNGEN_POSES",)
    FUNCTION = "take"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return what ComfyUI asks for."""
        rate = {"default": 25.0, "min": 1.0, "max": 240.0, "step": 0.001}
        return {
            "required": {"pose_keypoint": ("POSE_KEYPOINT",), "frames_per_second": ("FLOAT", rate)}
        }

    def take(
        self, pose_keypoint: list[dict[str, Any]], frames_per_second: float
    ) -> tuple[PoseSequence]:
        """Return the poses, read as the same JSON in a file would be."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "POSE_KEYPOINT.json"
            file.write_text(json.dumps(pose_keypoint), encoding="utf-8")
            return (read_poses(file, fps=frames_per_second),)


class Render:
    """Render the signer of a picture in every pose."""

    CATEGORY = CATEGORY
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "render"
    OUTPUT_NODE: ClassVar[bool] = False

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return what ComfyUI asks for."""
        return {
            "required": {
                "model": ("SIGNGEN_MODEL",),
                "source": ("IMAGE",),
                "poses": ("SIGNGEN_POSES",),
                "align": (list(get_args(Align)), {"default": "none"}),
                "preset": (list(get_args(Preset)), {"default": "quality"}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 2**32 - 1}),
            },
            "optional": {"source_poses": ("SIGNGEN_POSES",)},
        }

    def render(
        self,
        model: LoadedModel,
        source: torch.Tensor,
        poses: PoseSequence,
        align: Align,
        preset: Preset,
        seed: int,
        source_poses: PoseSequence | None = None,
    ) -> tuple[torch.Tensor]:
        """Return the frames as a batch of images.

        Args:
            model: From `LoadModel`.
            source: (B, H, W, 3) in [0, 1], of which the first picture is taken.
            poses: From `TakePoses`.
            align: How the poses are brought onto the signer; all but `none` want `source_poses`.
            preset: How it is sampled.
            seed: Of the noise.
            source_poses: Key points of the picture, of which the first are taken.
        """
        # The source, and poses in its pixels
        picture = np.rint(source[0].cpu().numpy() * 255).clip(0, 255).astype(np.uint8)  # (H, W, 3)
        size = (picture.shape[0], picture.shape[1])
        signer = None if source_poses is None else fit_to_source(source_poses.frames([0]), size)
        if align != "none":
            if signer is None:
                raise UserError(f"align is {align}; expected source_poses, of the picture.")
            poses = align_to_source(poses, signer, align, ("poses", "source_poses")).poses

        # Frame by frame
        wanted = PRESETS[preset]
        sampling = Sampling(steps=wanted.steps, sampler=wanted.sampler, seed=seed)
        renderer = load_renderer(model.name, model.device, sampling, model=model.model)
        frames = renderer.render(picture, fit_to_source(poses, size), size, signer=signer)
        rendered = np.stack(list(_watched(frames, len(poses))))  # (T, H, W, 3)
        return (torch.from_numpy(rendered.astype(np.float32) / 255),)


def _watched(frames: Iterable[Any], total: int) -> Iterator[Any]:
    """Yield frames; inside ComfyUI show its progress bar and heed its Cancel."""
    try:
        from comfy.model_management import throw_exception_if_processing_interrupted
        from comfy.utils import ProgressBar
    except ImportError:
        yield from frames
        return
    bar = ProgressBar(total)
    for frame in frames:
        throw_exception_if_processing_interrupted()
        bar.update(1)
        yield frame


NODE_CLASS_MAPPINGS = {
    "SigngenLoadModel": LoadModel,
    "SigngenTakePoses": TakePoses,
    "SigngenRender": Render,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "SigngenLoadModel": "signgen: load model",
    "SigngenTakePoses": "signgen: poses from key points",
    "SigngenRender": "signgen: render signer",
}
