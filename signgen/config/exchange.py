"""Settings of the commands that exchange models with others, and of `doctor`. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DoctorConfig", "ExportConfig", "ImportFPDMConfig"]


@dataclass(frozen=True)
class ExportConfig:
    """Write a model as a folder to upload to the hub, with a model card."""

    model: str = ""
    """`mini`, a run folder, a model folder, or a hub id."""
    to_hub_folder: str = ""
    """Folder to write to; an older model there is replaced."""
    repo: str = ""
    """Name it will have on the hub, owner/name."""
    license: str = ""
    """Licence of the weights, such as cc-by-nc-sa-4.0; that of the model's card if it has one."""
    data: tuple[str, ...] = ()
    """What it was trained on: synthetic, phoenix14t, deepfashion or your own names; where a run's
    data or the model's card say it, that is taken."""
    data_license: str = ""
    """Terms of the training data, needed for names of your own."""
    report: str | None = None
    """Report of the model's scores, as `signgen eval --out` writes it."""
    human_evaluation: str = "none done"
    """What people found who judged the videos, in a few words."""
    notes: str | None = None
    """Markdown file to append to the card; the notes of the model's card if it has one."""
    half: bool = True
    """Store fp16, half the size, instead of fp32."""
    json: bool = False
    """Print one JSON object on stdout."""


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


@dataclass(frozen=True)
class DoctorConfig:
    """Say what works on this machine."""

    json: bool = False
    """Print one JSON object on stdout."""
