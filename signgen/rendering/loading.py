"""Renderers by name: the warp, or a model. Imports no torch before a model is asked for."""

from __future__ import annotations

from signgen.config.pose import Device
from signgen.config.render import Framing
from signgen.config.sampling import Sampling
from signgen.device import choose_device
from signgen.rendering.base import FrameRenderer
from signgen.rendering.warp import WARP, WarpRenderer

__all__ = ["load_renderer"]


def load_renderer(
    name: str,
    device: Device = "auto",
    sampling: Sampling | None = None,
    *,
    frame: Framing = "auto",
    chunk: int = 8,
) -> FrameRenderer:
    """Return a renderer.

    Args:
        name: `warp`, or a model as `load_model` takes it.
        device: Where a model computes.
        sampling: How a model is sampled.
        frame: What a model renders of the source; see `Renderer`.
        chunk: Frames that a model computes at a time.

    Raises:
        UserError: If the model, the device or a setting is unusable.
    """
    # No model
    if name == WARP:
        return WarpRenderer()

    # A model, on a device that is there
    chosen = choose_device(device)
    from signgen.checkpoints.models import load_model
    from signgen.rendering.renderer import Renderer

    return Renderer(load_model(name, chosen), sampling, frame=frame, chunk=chunk)
