"""Inception-v3 as FID looks through it: the field's use of torchvision's, and the standard one.

Both packages are optional and imported here alone, when a network is opened.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from einops import rearrange, reduce
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from signgen.errors import UserError
from signgen.evaluation.metrics.networks import (
    FIDELITY_WEIGHTS,
    INCEPTION_PACKAGES,
    TORCHVISION_WEIGHTS,
    FeatureExtractor,
    Unavailable,
    exact_inference,
    to_tensor,
)
from signgen.files.published_weights import check_names, read_weights

__all__ = ["Inception", "open_inception", "pooled", "scaled_as_cfld"]

Inception = Literal["cfld", "standard", "cleanfid"]
"""Whose features: see `open_inception`."""
SIDE = 299
"""Side of the pictures that the network sees."""
_STEM = (("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"), ("Conv2d_3b_1x1", "Conv2d_4a_3x3"))
"""Layers before the first and before the second pooling, by their names in both packages."""
_MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")


def open_inception(
    kind: Inception, path: Path, device: str = "cpu"
) -> FeatureExtractor | Unavailable:
    """Return the extractor of 2048 features a frame, as one of three programs makes them.

    - `cfld`: torchvision's network with its ImageNet weights. Pixels in [0, 1] are resized to 299 x
      299 (bilinear, no antialiasing) and then scaled by x * std / 0.5 + (mean - 0.5) / 0.5 with
      ImageNet's mean and std. That step is meant for pixels that were normalised before, and these
      were not; CFLD, PCDMs and FPDM do it all the same, so their numbers need it.
    - `standard`: torch-fidelity's network with the weights of TensorFlow's graph of 2015, bilinear
      resizing as in TensorFlow 1, pixels scaled to [-1, 1). The FID of pytorch-fid and others.
    - `cleanfid`: the same network after Pillow's bicubic resizing with antialiasing, of each
      channel in floating point, clipped to [0, 255]: Parmar et al. 2022.
    """
    packages = INCEPTION_PACKAGES[: 1 if kind == "cfld" else 2]
    for package in packages:
        if absent := _why_not(package):
            return absent
    network, digest = _torchvision(path) if kind == "cfld" else _fidelity(path)
    network.eval().requires_grad_(False).to(device)

    def features(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        with exact_inference():
            return np.asarray(pooled(network, _prepared(kind, frames, device)).cpu().numpy())

    return FeatureExtractor(features, f"net:inception-{kind},weights:{digest[:8]}")


def pooled(network: nn.Module, pixels: Tensor) -> Tensor:
    """Run Inception-v3 of either package up to its last pooling: (N, 2048) features.

    Args:
        network: With the layers that torchvision and torch-fidelity name alike.
        pixels: (N, 3, 299, 299), scaled.
    """
    for layers in _STEM:
        for name in layers:
            pixels = network.get_submodule(name)(pixels)
        pixels = functional.max_pool2d(pixels, 3, 2)
    for name in _MIXED:
        pixels = network.get_submodule(f"Mixed_{name}")(pixels)
    return reduce(pixels, "n d h w -> n d", "mean")


# ----- what the network sees ----------------------------------------------------------------------


def _prepared(kind: Inception, frames: NDArray[np.uint8], device: str) -> Tensor:
    """Return (N, H, W, 3) frames as (N, 3, 299, 299), resized and scaled; see `open_inception`."""
    if kind == "cleanfid":
        pixels = torch.from_numpy(np.stack([_pillow_resized(frame) for frame in frames]))
        return (pixels.to(device) - 128) / 128
    pixels = to_tensor(frames, device)
    if kind == "cfld":
        return scaled_as_cfld(pixels / 255)
    module = importlib.import_module("torch_fidelity.interpolate_compat_tensorflow")
    resize: Any = module.interpolate_bilinear_2d_like_tensorflow1x
    resized: Tensor = resize(pixels, size=(SIDE, SIDE), align_corners=False)
    return (resized - 128) / 128


def scaled_as_cfld(pixels: Tensor) -> Tensor:
    """Resize (N, 3, H, W) pixels in [0, 1] to 299 x 299 and scale them as CFLD does."""
    resized = functional.interpolate(pixels, (SIDE, SIDE), mode="bilinear", align_corners=False)
    mean = rearrange(resized.new_tensor([0.485, 0.456, 0.406]), "c -> 1 c 1 1")
    std = rearrange(resized.new_tensor([0.229, 0.224, 0.225]), "c -> 1 c 1 1")
    return resized * (std / 0.5) + (mean - 0.5) / 0.5


def _pillow_resized(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return an (H, W, 3) frame as (3, 299, 299) in [0, 255], resized in floating point."""
    channels = map(Image.fromarray, rearrange(frame, "h w c -> c h w").astype(np.float32))
    resized = [one.resize((SIDE, SIDE), Image.Resampling.BICUBIC) for one in channels]
    return np.stack([np.asarray(channel).clip(0, 255) for channel in resized])


# ----- opening ------------------------------------------------------------------------------------


def _why_not(package: str) -> Unavailable | None:
    """Return why a package cannot be used, or None. Nothing is imported where it is absent."""
    command = f"pip install {package.replace('_', '-')}"
    if importlib.util.find_spec(package) is None:
        return Unavailable(f"needs {package}, get it with: {command}")
    try:
        importlib.import_module(package)
    except Exception as error:  # torchvision beside another build of torch raises RuntimeError
        reason = " ".join(str(error).split())[:120]
        return Unavailable(
            f"needs {package}, which does not import here ({reason}); get one that fits torch "
            f"{torch.__version__} with: {command} --force-reinstall --no-deps"
        )
    return None


def _torchvision(path: Path) -> tuple[nn.Module, str]:
    """Return torchvision's Inception-v3 with ImageNet weights, and the SHA-256 of their file."""
    models: Any = importlib.import_module("torchvision.models")
    network: nn.Module = models.inception_v3(weights=None, init_weights=False)
    weights = read_weights(path, [TORCHVISION_WEIGHTS], "torchvision's Inception-v3")
    check_names(weights, network.state_dict(), "Inception-v3", "torchvision")
    network.load_state_dict(weights.state)
    return network, weights.digest


def _fidelity(path: Path) -> tuple[nn.Module, str]:
    """Return torch-fidelity's Inception-v3, and the SHA-256 of the file of its weights.

    Its class reads the file itself, and would run what is in it; so it is given one with nothing
    but the tensors that were read before.
    """
    module: Any = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    weights = read_weights(path, [FIDELITY_WEIGHTS], "torch-fidelity's Inception-v3")
    tensors = io.BytesIO()
    torch.save(weights.state, tensors)
    tensors.seek(0)
    try:
        network: nn.Module = module.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=tensors
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{path}: not weights of torch-fidelity's Inception-v3 ({reason}). Name the file that "
            "torch-fidelity publishes."
        ) from error
    return network, weights.digest
