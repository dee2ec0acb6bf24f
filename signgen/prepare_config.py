"""Settings of the `prepare` commands. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "PrepareCacheConfig",
    "PrepareDeepFashionConfig",
    "PrepareSyntheticConfig",
]


@dataclass(frozen=True)
class PrepareSyntheticConfig:
    """Draw a corpus of synthetic signers in the PHOENIX-2014T layout."""

    out: str = ""
    """Folder to create."""
    signers: int = 10
    """Number of signers, at least 3; about 80/10/10 % go to train, dev and test."""
    clips_per_signer: int = 2
    """Clips of each signer."""
    frames: int = 24
    """Frames of each clip."""
    size: tuple[int, int] = (260, 210)
    """Height and width of the frames."""
    seed: int = 0
    """Seed of everything drawn."""
    motion_blur: bool = False
    """Blur moving parts."""
    workers: int = 1
    """Processes."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PrepareCacheConfig:
    """Write frames at training size into files that training maps into memory."""

    data: str = "sample"
    """Folder that `signgen prepare` wrote or that is in the PHOENIX-2014T layout, or `sample` for
    the bundled sample."""
    out: str = ""
    """Folder to create; a cache there that was interrupted is finished."""
    size: tuple[int, int] = (256, 256)
    """Height and width of the frames: the size of the model."""
    splits: tuple[str, ...] = ("train",)
    """Splits to cache."""
    workers: int = 1
    """Processes."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PrepareDeepFashionConfig:
    """Verify a copy of DeepFashion In-shop; write its manifest and packed key points."""

    raw: str = ""
    """Folder of the copy, with the lists, key points and pictures of one of the layouts."""
    out: str = ""
    """Folder to write to."""
    layout: Literal["fpdm", "nted", "patn-csv", "gfla-csv", "pcdms", "mcld"] | None = None
    """Whose files these are; told by the files if not given."""
    keypoints: tuple[str, ...] = ()
    """CSV files or folders of texts with the key points, instead of the layout's own."""
    keypoint_frame: Literal["padded256", "256x176", "unit"] | None = None
    """Where key points live: the 256 x 256 canvas with margins, 256 x 176, or 0 to 1; told by
    their values if not given."""
    rebuild_pairs: bool = False
    """Make the pairs from train.lst, test.lst and the key points instead of reading them."""
    subset: int = 0
    """Keep only this many records of each split, for short runs; 0 keeps all."""
    json: bool = False
    """Print one JSON object on stdout."""
