"""A network that paints what is new and copies what pictures show.

It sees a pose as drawn, a picture, and another one moved to that pose. Per pixel it mixes three:
what it paints, the moved picture shifted by a learned flow, and the picture as it is.

Copying pixels of the source follows Siarohin et al. (CVPR 2018) and Balakrishnan et al. (CVPR
2018); a mask over a residual flow Siarohin et al. (NeurIPS 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from signgen.structures import Guide, expect

__all__ = ["GUIDE_CHANNELS", "Painter", "Painting", "guide_planes", "with_detail"]

GUIDE_CHANNELS = 3 + 3 + 1 + 3
"""Moved source, source, what moved, masks."""
FIRST_GATE = (0.0, 2.0, 0.0)
"""Logits of painted, moved and unmoved source before anything is learned."""
CELL = 1 / 32
"""Side of the cells whose mean colours are compared for detail, as a share of the height."""
ALIKE = 0.1
"""Mean difference of two colours in [-1, 1] at which they are still much alike."""
FINE, COARSE = 0.05, 0.12
"""What the deviation inside cells has to exceed the painted one by for the moved source's detail
to come back not at all and wholly. The noise of a camera is below."""
FULL = 12
"""Channels at the picture's full size."""


@dataclass(frozen=True)
class Painting:
    """What a `Painter` paints, and how it is mixed with the source; of any size when mixed.

    Args:
        rgb: (B, 3, H, W) painted picture, about [-1, 1].
        gate: (B, 3, H, W) shares of painted, moved and unmoved source; they sum to 1.
        flow: (B, 2, h, w) in pixels of `rgb`, (x, y): the moved source is read at (x, y) + flow.
    """

    rgb: Tensor
    gate: Tensor
    flow: Tensor

    def mix(self, warped: Tensor, source: Tensor, moved: Tensor) -> Tensor:
        """Mix the painting with the source, at the size of the source's pictures.

        Args:
            warped: (B, 3, H, W) the source moved to the pose, in [-1, 1]; any size.
            source: The source as it is, the same shape.
            moved: (B, 1, H, W); where it is 0 the result is the source, to the bit.

        Returns:
            (B, 3, H, W) float32, not clamped.
        """
        expect(moved, "B 1 H W", "moved")
        size = (int(source.shape[-2]), int(source.shape[-1]))
        painted, gate = (_at_size(value.float(), size) for value in (self.rgb, self.gate))
        scale = [size[1] / self.rgb.shape[-1], size[0] / self.rgb.shape[-2]]
        flow = _at_size(self.flow.float(), size)  # (B, 2, H, W)
        flow = flow * flow.new_tensor(scale)[:, None, None]
        shares = gate.split(1, dim=1)
        picture = shares[0] * painted + shares[1] * _shifted(warped, flow) + shares[2] * source
        return source + moved * (picture - source)


def with_detail(picture: Tensor, guide: Guide) -> Tensor:
    """Give back what painting has blurred: stripes, prints and letters of the moved source.

    What a network cannot place to the pixel it paints as its mean. Where a picture has the moved
    source's colours cell by cell, and much less inside of the cells, it shows the same thing, and
    is given what the moved source has inside of them.

    Args:
        picture: (B, 3, H, W) painted, in about [-1, 1].
        guide: Of the same size.

    Returns:
        (B, 3, H, W); what did not move stays.
    """
    hole, _, valid = guide.masks.split(1, dim=1)
    known = guide.moved * valid * (1 - hole)  # (B, 1, H, W)
    made, moved = _mean_of_cells(picture), _mean_of_cells(guide.warped)
    fine, blurred = guide.warped - moved, picture - made
    alike = torch.exp(-((made - moved).abs().mean(dim=1, keepdim=True) / ALIKE).square())
    lost = _deviation(fine) - _deviation(blurred)
    share = known * alike * ((lost - FINE) / (COARSE - FINE)).clamp(0, 1)
    return picture + share * (fine - blurred)


def _mean_of_cells(plane: Tensor) -> Tensor:
    """Return planes (B, C, H, W) as smooth as means over cells are."""
    height, width = plane.shape[-2:]
    rows = max(1, round(1 / CELL))
    cells = _at_size(plane, (rows, max(1, round(rows * width / height))))
    return _at_size(cells, (height, width))


def _deviation(detail: Tensor) -> Tensor:
    """Return the deviation (B, 1, H, W) of detail inside of the cells around."""
    return _mean_of_cells(detail.square().mean(dim=1, keepdim=True)).clamp(min=1e-8).sqrt()


def _at_size(value: Tensor, size: tuple[int, int]) -> Tensor:
    """Return planes at a size (H, W), smoothly between their pixels."""
    if value.shape[-2:] == size:
        return value
    smaller = size[0] < value.shape[-2] or size[1] < value.shape[-1]
    return F.interpolate(value, size, mode="bilinear", antialias=smaller)


def _shifted(picture: Tensor, flow: Tensor) -> Tensor:
    """Read a picture (B, 3, H, W) at every pixel plus flow (B, 2, H, W) in pixels."""
    height, width = picture.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, 0]  # (B, H, W)
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return F.grid_sample(picture, grid, padding_mode="border", align_corners=False)


class _PixelNorm(nn.Module):
    """Bring the channels of every pixel to unit mean square (Zhang and Sennrich, NeurIPS 2019).

    Unlike statistics over the picture it treats a window as it treats the whole.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        return x * (torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6) * self.gain)


class _Convolution(nn.Sequential):
    """Convolution, normalisation, SiLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 3, stride, 1), _PixelNorm(outputs), nn.SiLU())


class _Block(nn.Module):
    """A residual block, coloured by the embedding of the signer."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.first = _Convolution(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        # FiLM (Perez et al., AAAI 2018); at zero, so that it fades in
        self.colour = nn.Linear(embedding, 2 * channels) if embedding else None
        if self.colour is not None:
            for weight in self.colour.parameters():
                nn.init.zeros_(weight)

    def forward(self, x: Tensor, embedding: Tensor | None) -> Tensor:
        """Return (B, C, h, w); no embedding changes nothing."""
        h: Tensor = self.first(x)
        if self.colour is not None and embedding is not None:
            code = self.colour(embedding.to(self.colour.weight.dtype))  # (B, 2 C)
            scale, shift = code[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return x + self.second(h)


class _Blocks(nn.ModuleList):
    """Blocks one after another."""

    def forward(self, x: Tensor, embedding: Tensor | None) -> Tensor:
        """Return (B, C, h, w)."""
        for block in self:
            x = block(x, embedding)
        return x


class Painter(nn.Module):
    """A U-Net over pose, moved source and source, with latents, if any, at their own resolution.

    Its finest features are at half the picture's size: full-size convolutions would cost most of
    the time. A last thin layer sees the pictures as they are.

    Args:
        channels: Channels at a half, a quarter ... of the picture's size, at least two.
        blocks: Residual blocks per resolution on the way up.
        max_flow: Pixels by which the learned flow may shift the moved source.
        latent_channels: Channels of the latents; 0 for none.
        factor: Side of one latent cell in pixels.
        embedding: Width of the signer's embedding; 0 for none.
    """

    def __init__(
        self,
        channels: Sequence[int],
        blocks: int = 1,
        max_flow: float = 8.0,
        *,
        latent_channels: int = 0,
        factor: int = 2,
        embedding: int = 0,
    ) -> None:
        super().__init__()
        widths = tuple(channels)
        levels = range(len(widths))
        self.max_flow = max_flow
        self.latent_level = factor.bit_length() - 2
        self.stem = _Convolution(4 * (3 + GUIDE_CHANNELS), widths[0])
        self.down = nn.ModuleList(
            _Convolution(widths[k - 1], widths[k], stride=2) for k in levels[1:]
        )
        self.latents: nn.Conv2d | None = None
        if latent_channels:
            self.latents = nn.Conv2d(latent_channels, widths[self.latent_level], 3, padding=1)
        self.blocks = nn.ModuleList(_Block(width, embedding) for width in widths)
        self.join = nn.ModuleList(
            nn.Conv2d(widths[k] + widths[k + 1], widths[k], 1) for k in levels[:-1]
        )
        self.up = nn.ModuleList(
            _Blocks(_Block(width, embedding) for _ in range(blocks)) for width in widths[:-1]
        )
        shift = nn.Conv2d(widths[1], 2, 3, padding=1)
        self.full = nn.Conv2d(widths[0], 4 * FULL, 3, padding=1)
        last = nn.Conv2d(FULL, 6, 3, padding=1)
        self.head = nn.Sequential(
            nn.Conv2d(FULL + 3 + GUIDE_CHANNELS, FULL, 3, padding=1), nn.SiLU(), last
        )
        # At first nothing is shifted, and what was moved is copied
        for weight in shift.parameters():
            nn.init.zeros_(weight)
        self.flow = shift
        with torch.no_grad():
            assert last.bias is not None
            last.weight[3:] = 0
            last.bias[3:] = torch.tensor(FIRST_GATE)

    def forward(
        self, latents: Tensor | None, drawing: Tensor, guide: Guide, embedding: Tensor | None = None
    ) -> Painting:
        """Paint a picture.

        Args:
            latents: (B, C, h, w), about unit variance; None where there are none.
            drawing: (B, 3, H, W) drawn pose in [0, 1].
            guide: The source moved to the pose, at the same size.
            embedding: (B, E) of the signer, or None.
        """
        inputs = torch.cat([drawing * 2 - 1, guide_planes(guide)], dim=1)  # (B, 13, H, W)
        inputs = inputs.to(self.full.weight.dtype)

        # Down, with the latents where they belong
        skips = [self.stem(F.pixel_unshuffle(inputs, 2))]  # (B, C0, H / 2, W / 2)
        for level, block in enumerate(self.blocks):
            if level:
                skips.append(self.down[level - 1](skips[-1]))
            if self.latents is not None and level == self.latent_level and latents is not None:
                skips[-1] = skips[-1] + self.latents(latents.to(inputs.dtype))
            skips[-1] = block(skips[-1], embedding)

        # Up
        x = skips.pop()
        flow = None
        for level in reversed(range(len(self.up))):
            skip = skips.pop()
            x = F.interpolate(x, skip.shape[-2:])
            x = self.join[level](torch.cat([x, skip], dim=1))
            x = self.up[level](x, embedding)
            if level == 1:
                flow = self.max_flow * torch.tanh(self.flow(x))  # (B, 2, H / 4, W / 4)

        # To full size
        full = F.pixel_shuffle(self.full(F.silu(x)), 2)  # (B, FULL, H, W)
        rgb, gate = self.head(torch.cat([full, inputs], dim=1)).split(3, dim=1)
        assert flow is not None
        return Painting(rgb, gate.float().softmax(dim=1), flow)


def guide_planes(guide: Guide) -> Tensor:
    """Return (B, GUIDE_CHANNELS, H, W)."""
    return torch.cat([guide.warped, guide.source, guide.moved, guide.masks], dim=1)
