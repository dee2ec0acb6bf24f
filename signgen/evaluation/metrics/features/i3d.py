"""I3D as FVD looks through it: the TorchScript file that StyleGAN-V publishes."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.metrics.networks import FeatureExtractor, Unavailable, exact_inference
from signgen.files.paths import check_input

__all__ = ["I3D_DIGEST", "open_i3d"]

I3D_ADDRESS = "https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1"
I3D_DIGEST = "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2"
"""SHA-256 of StyleGAN-V's i3d_torchscript.pt, 51,235,320 bytes."""


def open_i3d(weights: Path | None, device: str = "cpu") -> FeatureExtractor | Unavailable:
    """Return the extractor of 400 features for a stack of frames, as StyleGAN-V uses it.

    The network scales pixels to [-1, 1] and resizes frames to 224 x 224 itself (bilinear). A
    TorchScript file is a program, so it is never searched for, and no file but the published one is
    run: all its bytes are read, compared by SHA-256 and only then loaded from memory.
    """
    if weights is None:
        return Unavailable(
            "needs i3d_torchscript.pt, get it with: curl -fL -o i3d_torchscript.pt "
            f'"{I3D_ADDRESS}" and name it with --i3d-weights'
        )
    content = check_input(weights, "file with StyleGAN-V's I3D").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != I3D_DIGEST:
        raise UserError(
            f"{weights}: its SHA-256 starts with {digest[:8]}, expected {I3D_DIGEST[:8]}. "
            "TorchScript is a program, so only the published file is run: curl -fL -o "
            f'i3d_torchscript.pt "{I3D_ADDRESS}"'
        )
    load: Any = torch.jit.load
    network = load(io.BytesIO(content), map_location=device).eval()

    def features(stacks: NDArray[np.uint8]) -> NDArray[np.float32]:
        with exact_inference():
            pixels = torch.from_numpy(np.array(stacks)).to(device)
            pixels = rearrange(pixels, "n t h w c -> n c t h w").float()
            output = network(pixels, rescale=True, resize=True, return_features=True)
            return np.asarray(output.cpu().numpy())

    return FeatureExtractor(features, f"net:i3d-styleganv,weights:{digest[:8]}", batch=2)
