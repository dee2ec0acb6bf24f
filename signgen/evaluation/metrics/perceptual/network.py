"""The network of LPIPS v0.1 with AlexNet, in plain PyTorch.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric". The
trunk has the names of torchvision's AlexNet, so that its published weights load; the linear heads
come with torchmetrics, whose own class needs torchvision.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn

from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.networks import ALEXNET_WEIGHTS
from signgen.files.published_weights import Weights, check_names, read_weights

__all__ = ["LPIPSNetwork", "load_heads", "load_lpips_network"]

CHANNELS = (64, 192, 384, 256, 256)
"""Channels after each of the five stages of AlexNet."""
_STAGES = (slice(0, 2), slice(2, 5), slice(5, 8), slice(8, 10), slice(10, 12))
"""Layers of the trunk in each stage; every stage ends with its ReLU."""


class LPIPSNetwork(nn.Module):
    """Features of a picture whose squared Euclidean distances are LPIPS v0.1 with AlexNet.

    Features of each stage are scaled to unit length along the channels; their squared differences
    are weighted per channel, averaged over the picture and summed over stages. The roots of weights
    and of the size are put into the features here, so that a picture is looked at once, however
    often it is compared.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        )
        self.heads = nn.ParameterList(torch.zeros(1, count, 1, 1) for count in CHANNELS)
        # From [-1, 1] to what the trunk was trained on: ImageNet's mean and deviation.
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the features of pictures.

        Args:
            pictures: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, D), D depending on H and W: 518,976 at 260 x 210.
        """
        activation = (pictures - self.shift) / self.scale
        stages = []
        for stage, head in zip(_STAGES, self.heads, strict=True):
            activation = self.features[stage](activation)  # (B, C, h, w)
            length = activation.square().sum(dim=1, keepdim=True).sqrt()  # (B, 1, h, w)
            height, width = activation.shape[2:]
            scale = (head / (height * width)).sqrt()  # (1, C, 1, 1)
            weighted = activation / (length + 1e-10) * scale  # lpips 0.1.4's 1e-10
            stages.append(rearrange(weighted, "b c h w -> b (c h w)"))
        return torch.cat(stages, dim=1)


def load_lpips_network(path: Path, device: str = "cpu") -> tuple[LPIPSNetwork, str]:
    """Return the network with published weights, and the SHA-256 of the trunk's file."""
    network = LPIPSNetwork()
    trunk = read_weights(path, [ALEXNET_WEIGHTS], "torchvision's AlexNet")
    features = {
        name.removeprefix("features."): value.float()
        for name, value in trunk.state.items()
        if not name.startswith("classifier.")  # LPIPS does not classify
    }
    expected = network.features.state_dict()
    check_names(Weights(path, trunk.digest, features), expected, "AlexNet", "torchvision")
    network.features.load_state_dict(features)
    load_heads(network)
    return network.to(device), trunk.digest


def load_heads(network: LPIPSNetwork) -> None:
    """Give a network the linear heads of LPIPS v0.1, which come with torchmetrics."""
    package = importlib.util.find_spec("torchmetrics")
    folder = Path(package.origin).parent if package and package.origin else Path("torchmetrics")
    path = folder / "functional" / "image" / "lpips_models" / "alex.pth"
    if not path.is_file():
        raise UserError(
            f"{path}: the heads of LPIPS are missing; expected torchmetrics 1.6 or newer. "
            "Install it with: pip install --force-reinstall --no-deps torchmetrics",
            ExitCode.UNAVAILABLE,
        )
    heads = read_weights(path, [], "LPIPS v0.1")
    named = {name.split(".")[0].replace("lin", ""): value for name, value in heads.state.items()}
    expected = network.heads.state_dict()
    check_names(Weights(path, heads.digest, named), expected, "LPIPS v0.1", "torchmetrics")
    if min(float(head.min()) for head in named.values()) < 0:
        raise UserError(f"{path}: a head is negative; LPIPS v0.1 has none. Install torchmetrics.")
    network.heads.load_state_dict(named)
