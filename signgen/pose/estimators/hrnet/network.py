"""HRNet as it predicts heatmaps: whole body (HRNet-W48) and hand (HRNetV2-W18), in plain PyTorch.

The architecture of Sun et al. 2019 (arXiv 1902.09212) and, for the hand, its second version (arXiv
1904.04514), in the sizes that MMPose published. Modules bear the names of MMPose 1.x, so that its
weights load by name; `weights` says which names of older files differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["HAND", "STRIDE", "WHOLE_BODY", "HRNetSize", "HeatmapNetwork"]

#: Pixels of the input per cell of a heatmap.
STRIDE = 4


@dataclass(frozen=True)
class HRNetSize:
    """What distinguishes one network from another.

    Args:
        name: What messages call it.
        width: Channels of the finest branch; each coarser branch has twice as many.
        num_keypoints: Number of heatmaps K.
        input_size: (H, W) of its input, multiples of 32.
        all_branches: The head sees all four branches (version 2), else the finest alone.
        modules: Number of exchange modules in stages 2, 3 and 4.
        blocks: Residual blocks per branch and module, and in the first stage.
        stem: Channels of the stem; the first stage has four times as many.
    """

    name: str
    width: int
    num_keypoints: int
    input_size: tuple[int, int]
    all_branches: bool
    modules: tuple[int, int, int] = (1, 4, 3)
    blocks: int = 4
    stem: int = 64

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Channels of the four branches, finest first."""
        return (self.width, 2 * self.width, 4 * self.width, 8 * self.width)


#: MMPose's `td-hm_hrnet-w48_dark-8xb32-210e_coco-wholebody-384x288`.
WHOLE_BODY = HRNetSize("HRNet-W48 whole-body", 48, 133, (384, 288), all_branches=False)
#: MMPose's `td-hm_hrnetv2-w18_dark-8xb32-210e_coco-wholebody-hand-256x256`.
HAND = HRNetSize("HRNetV2-W18 hand", 18, 21, (256, 256), all_branches=True)


def _convolution(
    inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, relu: bool = False
) -> nn.Sequential:
    """Return convolution, batch norm and, where asked for, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, h, w)."""
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + x)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions around a shortcut; a quarter of the channels inside."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inside = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Identity() if inputs == outputs else _convolution(inputs, outputs, kernel=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        inner = F.relu(self.bn1(self.conv1(x)))
        inner = F.relu(self.bn2(self.conv2(inner)))
        return F.relu(self.bn3(self.conv3(inner)) + self.downsample(x))


class ExchangeModule(nn.Module):
    """Residual blocks in every branch, then each output branch adds up all branches at its size.

    Args:
        widths: Channels of the branches, finest first; each has half the height and width of the
            one before.
        blocks: Residual blocks per branch.
        outputs: Number of branches that come out, finest first.
        upsampling: `nearest` (version 1) or `bilinear` (version 2).
    """

    def __init__(self, widths: Sequence[int], blocks: int, outputs: int, upsampling: str) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(blocks))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_path(widths, source, to, upsampling) for source in range(len(widths)))
            for to in range(outputs)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Map one (B, C, h, w) per branch to one per output branch."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for paths in self.fuse_layers:
            assert isinstance(paths, nn.ModuleList)
            # Added in this order, because rounding depends on it.
            total = paths[0](maps[0])
            for path, x in zip(paths[1:], maps[1:], strict=True):
                total = total + path(x)
            fused.append(F.relu(total))
        return fused


def _path(widths: Sequence[int], source: int, to: int, upsampling: str) -> nn.Module:
    """Return what brings branch `source` to the size and channels of branch `to`."""
    if source == to:
        return nn.Identity()
    if source > to:
        align = {"align_corners": False} if upsampling == "bilinear" else {}
        larger = nn.Upsample(scale_factor=2 ** (source - to), mode=upsampling, **align)
        return nn.Sequential(*_convolution(widths[source], widths[to], kernel=1), larger)
    # Halved step by step; the channels change, and no ReLU follows, in the last step.
    steps = [
        _convolution(widths[source], widths[source], stride=2, relu=True)
        for _ in range(to - source - 1)
    ]
    return nn.Sequential(*steps, _convolution(widths[source], widths[to], stride=2))


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """Return what makes the input of each branch of a stage; one more branch than before."""
    kept = [
        nn.Identity() if have == want else _convolution(have, want, relu=True)
        for have, want in zip(before, after[: len(before)], strict=True)
    ]
    new = nn.Sequential(_convolution(before[-1], after[len(before)], stride=2, relu=True))
    return nn.ModuleList([*kept, new])


class Backbone(nn.Module):
    """The stem, a stage of one branch, then stages of two, three and four branches."""

    def __init__(self, size: HRNetSize) -> None:
        super().__init__()
        stem, widths = size.stem, size.widths
        self.conv1 = nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = nn.Conv2d(stem, stem, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem)
        self.layer1 = nn.Sequential(
            Bottleneck(stem, 4 * stem),
            *(Bottleneck(4 * stem, 4 * stem) for _ in range(size.blocks - 1)),
        )
        self.transition1 = _transition((4 * stem,), widths[:2])
        self.stage2 = self._stage(size, 2)
        self.transition2 = _transition(widths[:2], widths[:3])
        self.stage3 = self._stage(size, 3)
        self.transition3 = _transition(widths[:3], widths)
        self.stage4 = self._stage(size, 4)

    @staticmethod
    def _stage(size: HRNetSize, branches: int) -> nn.Sequential:
        upsampling = "bilinear" if size.all_branches else "nearest"
        count = size.modules[branches - 2]
        outputs = [branches] * count
        if branches == 4 and not size.all_branches:
            outputs[-1] = 1
        return nn.Sequential(
            *(
                ExchangeModule(size.widths[:branches], size.blocks, number, upsampling)
                for number in outputs
            )
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Map (B, 3, H, W) to branches of (B, C, H / 4, W / 4), (B, 2 C, H / 8, W / 8), ...."""
        x = F.relu(self.bn1(self.conv1(pictures)))  # (B, stem, H / 2, W / 2)
        x = F.relu(self.bn2(self.conv2(x)))  # (B, stem, H / 4, W / 4)
        maps: list[Tensor] = [self.layer1(x)]
        for transition, stage in (
            (self.transition1, self.stage2),
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        ):
            # The new, coarsest branch starts from the coarsest one so far.
            maps = stage([step(maps[min(i, len(maps) - 1)]) for i, step in enumerate(transition)])
        return maps


class HeatmapHead(nn.Module):
    """One heatmap per key point; behind several branches, first a 1 x 1 convolution that mixes."""

    def __init__(self, channels: int, num_keypoints: int, *, mix: bool) -> None:
        super().__init__()
        self.conv_layers = (
            nn.Sequential(
                nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
            )
            if mix
            else nn.Identity()
        )
        self.final_layer = nn.Conv2d(channels, num_keypoints, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, K, h, w)."""
        heatmaps: Tensor = self.final_layer(self.conv_layers(features))
        return heatmaps


class HeatmapNetwork(nn.Module):
    """From normalised pictures to heatmaps."""

    def __init__(self, size: HRNetSize) -> None:
        super().__init__()
        self.backbone = Backbone(size)
        channels = sum(size.widths) if size.all_branches else size.width
        self.head = HeatmapHead(channels, size.num_keypoints, mix=size.all_branches)

    def forward(self, pictures: Tensor) -> Tensor:
        """Predict heatmaps.

        Args:
            pictures: (B, 3, H, W) RGB, ImageNet's mean taken off, divided by its deviation.

        Returns:
            (B, K, H / 4, W / 4); near 1 at a visible point, near 0 elsewhere.
        """
        finest, *coarser = self.backbone(pictures)
        # Bring every branch to the size of the finest
        resized = [
            F.interpolate(x, finest.shape[-2:], mode="bilinear", align_corners=False)
            for x in coarser
        ]
        heatmaps: Tensor = self.head(torch.cat([finest, *resized], dim=1))
        return heatmaps
