"""Renderers by name: the warp, or a model. Imports no torch before a model is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signgen.config.pose import Device
from signgen.config.render import Framing
from signgen.config.sampling import Sampling
from signgen.device import choose_device
from signgen.rendering.base import FrameRenderer
from signgen.rendering.warp import WARP, WarpRenderer

if TYPE_CHECKING:
    from signgen.models.base import PoseGuidedModel

__all__ = ["load_once", "load_renderer"]


def load_once(name: str, device: Device = "auto") -> PoseGuidedModel | None:
    """Return a model for several renderers; None for `warp`, which has none.

    Args:
        name: As for `load_renderer`.
        device: Where it computes.
    """
    if name == WARP:
        return None
    chosen = choose_device(device)
    from signgen.checkpoints.models import load_model

    return load_model(name, chosen)


def load_renderer(
    name: str,
    device: Device = "auto",
    sampling: Sampling | None = None,
    *,
    frame: Framing = "auto",
    chunk: int = 8,
    model: PoseGuidedModel | None = None,
) -> FrameRenderer:
    """Return a renderer.

    Args:
        name: `warp`, or a model as `load_model` takes it.
        device: Where a model computes.
        sampling: How a model is sampled.
        frame: What a model renders of the source; see `Renderer`.
        chunk: Frames that a model computes at a time.
        model: The model of that name where it is loaded already, from `load_once`.

    Raises:
        UserError: If the model, the device or a setting is unusable.
    """
    model = model or load_once(name, device)
    if model is None:
        return WarpRenderer()
    from signgen.rendering.renderer import Renderer

    return Renderer(model, sampling, frame=frame, chunk=chunk)
