"""Values that cross the seams between layers.

Shape legend, used by every comment of the package: `B` batch, `T` frames, `K` key points, `C`
channels, `N` tokens, `D` token width, `E` embedding width, `H, W` pixels, `h, w` latent cells.
Sizes are (H, W), points are (x, y) in pixels, images are RGB, frame rates are frames per second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.structures.guide import Guide

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from signgen.models.features import CachedFeatures
    from signgen.models.source_maps import SourceMaps

__all__ = [
    "Batch",
    "Conditioning",
    "ExitCode",
    "FrameRef",
    "PoseSequence",
    "Progress",
    "Record",
    "SourceFeatures",
    "Triplet",
    "UserError",
    "expect",
]


@dataclass(frozen=True)
class PoseSequence:
    """Key points of one signer over time.

    Args:
        keypoints: (T, K, 2) float32 or float64, (x, y) in pixels of `size`; the value of a missing
            point is 0. FPDM's drawings truncate numbers, so that theirs keep 64 bits.
        confidence: (T, K) float32, at least 0; 0 means missing. There are no sentinel coordinates.
        skeleton: Name of the skeleton, a key of `signgen.pose.skeleton.SKELETONS`.
        size: (H, W) of the picture the points live in.
        fps: Frames per second.

    Raises:
        ValueError: If shapes disagree or a number is not finite.
    """

    keypoints: NDArray[np.floating]
    confidence: NDArray[np.float32]
    skeleton: str
    size: tuple[int, int]
    fps: float

    def __post_init__(self) -> None:
        if self.keypoints.ndim != 3 or self.keypoints.shape[-1] != 2:
            raise ValueError(f"keypoints have shape {self.keypoints.shape}; expected (T, K, 2)")
        if self.confidence.shape != self.keypoints.shape[:2]:
            raise ValueError(
                f"confidence has shape {self.confidence.shape}; expected {self.keypoints.shape[:2]}"
            )
        if not (np.isfinite(self.keypoints).all() and np.isfinite(self.confidence).all()):
            raise ValueError("keypoints or confidence hold NaN or infinite values")

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(T, K), true where a key point is present."""
        return self.confidence > 0

    def frames(self, index: slice | Sequence[int]) -> PoseSequence:
        """Return the chosen frames as a sequence of their own."""
        return replace(self, keypoints=self.keypoints[index], confidence=self.confidence[index])


@dataclass(frozen=True)
class Record:
    """Frames of one signer in one outfit: a video, or the views of one garment.

    Args:
        id: Name, unique within its split.
        split: `train`, `dev` or `test`.
        signer: Name of the signer.
        num_frames: Number of frames, at least 1.
        gloss: What is signed, in glosses; empty where unknown.
        text: The same in the spoken language; empty where unknown.
    """

    id: str
    split: str
    signer: str
    num_frames: int
    gloss: str = ""
    text: str = ""


@dataclass(frozen=True)
class FrameRef:
    """A reference to one frame: record and 0-based index."""

    record: Record
    index: int


@dataclass(frozen=True)
class Triplet:
    """One training example by reference: source frame, target frame (its pose comes with it)."""

    source: FrameRef
    target: FrameRef


@dataclass(frozen=True)
class Batch:
    """What training consumes.

    Args:
        source: (B, 3, Hs, Ws) float32 in [-1, 1]; a model may want other sizes of sources than of
            targets.
        target: (B, 3, H, W) float32 in [-1, 1].
        pose: (B, 3, H, W) float32 in [0, 1], the drawn pose of the target.
        hands: (B, 1, H, W) float32 in [0, 1], 1 inside the boxes around the target's hands.
        source_parts: (B, Hs, Ws) int64 regions of the source by human parsing: 0 is elsewhere, then
            come the model's own, in order. None for models without regions.
        target_parts: (B, H, W) int64, the same of the target, for losses.
        face: (B, 1, H, W) float32 in [0, 1], 1 inside the box around the target's face, or None.
        guide: The source moved to the target's pose, or None where no decoder wants it.
        tower_source: (B, 3, S, S) float32 in [-1, 1], the source as stage 1's tower is to see it;
            None where that is made from `source`.
        tower_target: The same of the target.
        tower_pose: The same of the drawn pose, which comes from its canvas.
        features: What is cached of source and target, which are then black pictures of one pixel.
    """

    source: Tensor
    target: Tensor
    pose: Tensor
    hands: Tensor
    source_parts: Tensor | None = None
    target_parts: Tensor | None = None
    face: Tensor | None = None
    guide: Guide | None = None
    tower_source: Tensor | None = None
    tower_target: Tensor | None = None
    tower_pose: Tensor | None = None
    features: CachedFeatures | None = None

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on another device; from pinned memory without waiting for it."""
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        moved: dict[str, Any] = {
            name: None if value is None else value.to(device, non_blocking=True)
            for name, value in given.items()
        }
        return Batch(**moved)

    def pin_memory(self) -> Batch:
        """Return the batch in memory that a GPU reads by itself."""
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        pinned: dict[str, Any] = {
            name: None if value is None else value.pin_memory() for name, value in given.items()
        }
        return Batch(**pinned)


@dataclass(frozen=True)
class SourceFeatures:
    """Everything that depends on the signer alone; computed once per signer.

    Args:
        tokens: (B, N, D) cross-attention context.
        pooled: (B, E) embedding of the source image, or None.
        maps: What self-attention looks at in the source, or None.
    """

    tokens: Tensor
    pooled: Tensor | None = None
    maps: SourceMaps | None = None

    def expand(self, count: int) -> SourceFeatures:
        """Repeat features of one signer (B = 1) for `count` frames, without copying."""
        pooled = None if self.pooled is None else self.pooled.expand(count, -1)
        maps = None if self.maps is None else self.maps.expand(count)
        return SourceFeatures(self.tokens.expand(count, -1, -1), pooled, maps)


@dataclass(frozen=True)
class Conditioning:
    """All that the denoiser sees besides noisy latents and timestep.

    Args:
        pose: (B, C, h, w) pose feature, added after the first convolution.
        tokens: (B, N, D) source tokens, the cross-attention context.
        embedding: (B, E) fusion embedding, or None for models without one.
        maps: What self-attention looks at in the source, or None for models that do not.
        drawing: (B, 3, H, W) the drawn pose in [0, 1], which the denoiser does not see but a guided
            decoder does; never dropped, and None where no decoder wants it.
        moved: (B, C, h, w) latents of the source moved to the pose, from which a guided model's
            denoiser departs; never dropped, and None for other models.
        nulled: Names of the inputs that `null` has made zeros in every row.
        frames: Rows that are consecutive frames of one clip, and see each other in models with
            motion: B is clips x frames. 1 where every row stands alone.
    """

    pose: Tensor
    tokens: Tensor
    embedding: Tensor | None = None
    drawing: Tensor | None = None
    maps: SourceMaps | None = None
    moved: Tensor | None = None
    nulled: frozenset[str] = frozenset()
    frames: int = 1

    def null(self, *names: Literal["pose", "tokens", "embedding", "maps"]) -> Conditioning:
        """Return a copy with the named inputs replaced by zeros: FPDM's "nothing given"."""
        zeros: dict[str, Any] = {}
        for name in names:
            if name not in ("pose", "tokens", "embedding", "maps"):
                raise ValueError(f"no input {name!r}; expected pose, tokens, embedding or maps")
            value = getattr(self, name)
            if value is not None:
                nothing = name == "maps"
                zeros[name] = value.nothing() if nothing else value.new_zeros(1).expand_as(value)
        return replace(self, **zeros, nulled=self.nulled.union(names))

    def keep(
        self,
        pose: Tensor | None = None,
        tokens: Tensor | None = None,
        embedding: Tensor | None = None,
        maps: Tensor | None = None,
    ) -> Conditioning:
        """Zero inputs per sample: arguments are (B,) bool masks, true where the input is kept."""
        masks = {"pose": pose, "tokens": tokens, "embedding": embedding}
        kept: dict[str, Any] = {}
        for name, mask in masks.items():
            value = getattr(self, name)
            if mask is not None and value is not None:
                kept[name] = value * mask.to(value.dtype).view(-1, *[1] * (value.ndim - 1))
        if maps is not None and self.maps is not None:
            kept["maps"] = self.maps.keep(maps)
        return replace(self, **kept)

    @staticmethod
    def cat(parts: Sequence[Conditioning]) -> Conditioning:
        """Concatenate along the batch; clips of all parts are equally long."""
        import torch

        embeddings = [part.embedding for part in parts if part.embedding is not None]
        maps = [part.maps for part in parts if part.maps is not None]
        moved = [part.moved for part in parts if part.moved is not None]
        return Conditioning(
            pose=torch.cat([part.pose for part in parts]),
            tokens=torch.cat([part.tokens for part in parts]),
            embedding=torch.cat(embeddings) if embeddings else None,
            maps=type(maps[0]).cat(maps) if maps else None,
            moved=torch.cat(moved) if moved else None,
            frames=parts[0].frames,
        )


def expect(value: Tensor, shape: str, name: str) -> None:
    """Check a shape at a public seam.

    Args:
        value: The tensor.
        shape: Blank-separated axes; a number must match exactly, a name matches anything: `"B 3 H
            W"`.
        name: What to call the tensor in the message.

    Raises:
        ValueError: If the number of axes or a fixed axis differs.
    """
    axes = shape.split()
    fits = value.ndim == len(axes) and all(
        not axis.isdigit() or int(axis) == size
        for axis, size in zip(axes, value.shape, strict=False)
    )
    if not fits:
        raise ValueError(f"{name} has shape {tuple(value.shape)}; expected ({', '.join(axes)})")


ItemT = TypeVar("ItemT")


class Progress(Protocol):
    """Shows how far an iteration is, such as `signgen.cli.output.bar`."""

    def __call__(self, items: Iterable[ItemT], total: int, /) -> Iterable[ItemT]:
        """Return the items, `total` of them, one after another."""
