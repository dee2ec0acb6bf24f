"""What a guided decoder copies from, and where it paints hands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Guide", "Windows"]


@dataclass(frozen=True)
class Windows:
    """Squares around left hand, right hand and face of poses.

    Args:
        squares: (B, 3, 3) int64, left, top and side in pixels of the picture, beyond which they may
            reach; a side of 0 is a part that is not seen.
        drawn: (B, 3, 3, S, S) float32 in [0, 1], the pose as drawn in them: left hands are seen in
            the mirror, so that all are right hands.
    """

    squares: Tensor
    drawn: Tensor

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Windows:
        """Return the windows with both tensors changed alike, such as moved to a device."""
        return Windows(change(self.squares), change(self.drawn))


@dataclass(frozen=True)
class Guide:
    """The source picture moved to a target pose, for decoders that copy from it.

    Args:
        warped: (B, 3, H, W) float32 in [-1, 1], the source moved part by part (`pose.warping`).
        source: (B, 3, H, W) float32 in [-1, 1], the source as it is.
        moved: (B, 1, H, W) float32 in [0, 1]; 0 is where nothing moves in either pose, and a
            picture there is the source, to the bit.
        masks: (B, 3, H, W) float32 in [0, 1]: what the source does not show, what was moved, and
            where the source shows what is there. All 0 where the source's key points are unknown.
        windows: Where hands and face are in the target, for decoders that paint them once more;
            None where nothing is known of them.
    """

    warped: Tensor
    source: Tensor
    moved: Tensor
    masks: Tensor
    windows: Windows | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return int(self.source.shape[-2]), int(self.source.shape[-1])

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Guide:
        """Return the guide on another device."""
        return self._with_windows(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Guide:
        """Return the guide in memory that a GPU reads by itself."""
        return self._with_windows(lambda value: value.pin_memory())

    def expand(self, count: int) -> Guide:
        """Repeat the guide of one frame (B = 1) `count` times, without copying."""
        return self._with_windows(lambda value: value.expand(count, *value.shape[1:]))

    def resized(self, size: tuple[int, int]) -> Guide:
        """Return the guide at another size (H, W), areas averaged; itself at its own."""
        if size == self.size:
            return self
        from torch.nn.functional import interpolate

        shrinks = size[0] <= self.size[0] and size[1] <= self.size[1]
        mode = "area" if shrinks else "bilinear"
        return self.mapped(lambda value: interpolate(value, size, mode=mode))

    @staticmethod
    def cat(guides: Sequence[Guide]) -> Guide:
        """Concatenate along the batch; windows are kept where all guides have them."""
        import torch

        def joined(name: str) -> Tensor:
            return torch.cat([getattr(guide, name) for guide in guides])

        windows = [guide.windows for guide in guides if guide.windows is not None]
        together = None
        if len(windows) == len(guides):
            squares, drawn = zip(*((one.squares, one.drawn) for one in windows), strict=True)
            together = Windows(torch.cat(squares), torch.cat(drawn))
        return Guide(
            joined("warped"), joined("source"), joined("moved"), joined("masks"), windows=together
        )

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Guide:
        """Return the guide with all its planes changed alike, such as cut or mirrored.

        Windows are left out: they would be elsewhere.
        """
        return Guide(
            change(self.warped), change(self.source), change(self.moved), change(self.masks)
        )

    def _with_windows(self, change: Callable[[Tensor], Tensor]) -> Guide:
        windows = None if self.windows is None else self.windows.mapped(change)
        return replace(self.mapped(change), windows=windows)
