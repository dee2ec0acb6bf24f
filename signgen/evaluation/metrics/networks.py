"""What metrics share that look through a network: how it is run, and what is said without it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.files.published_weights import Published, find_weights, how_to_get

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "ALEXNET_WEIGHTS",
    "FIDELITY_WEIGHTS",
    "INCEPTION_PACKAGES",
    "TORCHVISION_WEIGHTS",
    "FeatureExtractor",
    "Unavailable",
    "exact_inference",
    "published_file",
    "to_tensor",
]

INCEPTION_PACKAGES = ("torchvision", "torch_fidelity")
"""What Inception-v3 is opened with: the first alone where it is torchvision's."""
_TORCH = "https://download.pytorch.org/models"
ALEXNET_WEIGHTS = Published("alexnet-owt-7be5be79.pth", _TORCH, "--lpips-weights")
TORCHVISION_WEIGHTS = Published("inception_v3_google-0cc3c7bd.pth", _TORCH, "--inception-weights")
FIDELITY_WEIGHTS = Published(
    "weights-inception-2015-12-05-6726825d.pth",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0",
    "--fid-weights",
)


@dataclass(frozen=True)
class Unavailable:
    """A network or estimator that is not on this machine.

    Args:
        reason: For `Score.unavailable`: `needs FILE, get it with COMMAND`.
    """

    reason: str
    name = "none"
    signature = "net:none"


def published_file(
    weights: Path | None, published: Published, packages: Sequence[str] = ()
) -> Path | Unavailable:
    """Return a file of weights, before anything else is loaded, or how to get all that is absent.

    Args:
        weights: The file; None to look for the published one in the caches of this machine.
        published: The published one.
        packages: Modules that the network is opened with; they are looked for, not imported.
    """
    absent = [name.replace("_", "-") for name in packages if find_spec(name) is None]
    needed = [f"needs {' and '.join(absent)}, get with: pip install {' '.join(absent)}"]
    needed = needed if absent else []
    try:
        path = find_weights(weights, published)
    except UserError:
        if weights is not None:
            raise
        needed.append(f"needs {published.file}, {how_to_get(published)}")
    return Unavailable("; and it ".join(needed)) if needed else path


@contextmanager
def exact_inference() -> Iterator[None]:
    """Run a network without gradients and, on a GPU, without TF32: values as on a CPU.

    TF32 keeps 10 bits of mantissa, which moves scores in their third digit.
    """
    import torch

    exact = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with torch.inference_mode(), exact:
        yield


def to_tensor(frames: NDArray[np.uint8], device: str) -> Tensor:
    """Return (..., H, W, 3) uint8 frames as a (..., 3, H, W) float32 tensor in [0, 255]."""
    import torch

    pixels = torch.from_numpy(np.array(frames)).to(device)
    return rearrange(pixels, "... h w c -> ... c h w").float().contiguous()


class FeatureExtractor:
    """Features of pictures, or of stacks of frames, each computed once where it comes again soon.

    FID, FID* and KID look at the same frames, and the baselines at copies of them, so the features
    of the last items are kept and found again by the content of the item.

    Args:
        function: From (N, H, W, 3) uint8 pictures, or (N, L, H, W, 3) stacks, to (N, D) features.
        signature: Network, its weights and what is done to its input: `net:...`.
        batch: Items given to the function at a time.
        keep: Features of how many items are kept.
    """

    reason = ""

    def __init__(
        self,
        function: Callable[[NDArray[np.uint8]], NDArray[Any]],
        signature: str,
        *,
        batch: int = 8,
        keep: int = 256,
    ) -> None:
        self._function, self.signature = function, signature
        self._batch, self._keep = batch, keep
        self._seen: OrderedDict[bytes, NDArray[Any]] = OrderedDict()

    def __call__(self, items: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the (N, D) features of N items, N at least 1, in the function's type."""
        shape = str(items.shape[1:]).encode()
        keys = [hashlib.blake2b(shape + item.tobytes(), digest_size=16).digest() for item in items]
        known = {key: self._seen[key] for key in keys if key in self._seen}
        places = list({key: place for place, key in enumerate(keys) if key not in known}.values())
        for start in range(0, len(places), self._batch):
            batch = places[start : start + self._batch]
            features = self._function(items[batch])
            known |= {keys[place]: row for place, row in zip(batch, features, strict=True)}
        for key in keys:
            self._seen[key] = known[key]
            self._seen.move_to_end(key)
        while len(self._seen) > self._keep:
            self._seen.popitem(last=False)
        return np.stack([known[key] for key in keys])
