"""Settings of the commands that import weights of others. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ImportFPDMConfig"]


@dataclass(frozen=True)
class ImportFPDMConfig:
    """Make a model folder of checkpoints that the published FPDM program wrote."""

    stage1: str = ""
    """Checkpoint of stage 1 (`last.ckpt`). Alone it becomes a folder for --start-from and for
    `signgen eval --retrieval`."""
    stage2: str = ""
    """Checkpoint of stage 2 (`last.ckpt`); it holds stage 1 too."""
    out: str = ""
    """Folder to write; a model folder that is there is replaced."""
    submodels: str | None = None
    """JSON file with the library configurations of the parts, as `clip_vision`, `dinov2`, `vae`,
    `unet_fork` and `scheduler`, where they are not the published ones."""
    size: tuple[int, int] | None = None
    """Height and width of the pictures; what the checkpoint says if not given, else 512 352."""
    skeleton: str = "openpose-18"
    """Skeleton of the poses that the model was trained on: `openpose-18` for DeepFashion."""
    half: bool = False
    """Store 16-bit numbers: half the size, a little less exact."""
    json: bool = False
    """Print one JSON object on stdout."""
