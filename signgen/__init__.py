"""Sign-language video: one source frame and a pose sequence become a video of that signer.

The names below load on first use, so that `import signgen` is instant and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signgen.checkpoints.models import load_model, save_pretrained
    from signgen.config.sampling import Sampling
    from signgen.errors import UserError
    from signgen.evaluation.frames import evaluate_frames
    from signgen.media import read_image, write_video
    from signgen.pose.formats import read_poses
    from signgen.rendering.renderer import Renderer
    from signgen.rendering.warp import WarpRenderer
    from signgen.structures import PoseSequence

__version__ = "0.1.0"

__all__ = [
    "PoseSequence",
    "Renderer",
    "Sampling",
    "UserError",
    "WarpRenderer",
    "__version__",
    "evaluate_frames",
    "load_model",
    "read_image",
    "read_poses",
    "save_pretrained",
    "write_video",
]

_HOMES = {
    "PoseSequence": "signgen.structures",
    "Renderer": "signgen.rendering.renderer",
    "Sampling": "signgen.config.sampling",
    "UserError": "signgen.errors",
    "WarpRenderer": "signgen.rendering.warp",
    "evaluate_frames": "signgen.evaluation.frames",
    "load_model": "signgen.checkpoints.models",
    "read_image": "signgen.media",
    "read_poses": "signgen.pose.formats",
    "save_pretrained": "signgen.checkpoints.models",
    "write_video": "signgen.media",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'signgen' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
