"""What metrics share that look through a network: how it is run, and what is said without it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["FeatureExtractor", "Missing", "exact_inference", "to_tensor"]


@dataclass(frozen=True)
class Missing:
    """A network that is not on this machine.

    Args:
        reason: For `Score.unavailable`: `needs FILE, get it with COMMAND`.
    """

    reason: str


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
    """Return (T, H, W, 3) uint8 frames as a (T, 3, H, W) float32 tensor in [0, 255]."""
    import torch

    pixels = torch.from_numpy(np.array(frames)).to(device)
    return pixels.permute(0, 3, 1, 2).float().contiguous()


class FeatureExtractor:
    """Features of pictures, or of stacks of frames, each computed once where it comes again soon.

    FID, FID* and KID look at the same frames, and the baselines at copies of them, so the features
    of the last items are kept and found again by the content of the item. Copies of an extractor
    are the extractor itself: networks are large, and what one has seen serves the other.

    Args:
        function: From (N, H, W, 3) uint8 pictures, or (N, L, H, W, 3) stacks, to (N, D) features.
        signature: Network, its weights and what is done to its input: `net:...`.
        batch: Items given to the function at a time.
        keep: Features of how many items are kept.
    """

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

    @classmethod
    def of_module(
        cls, module: nn.Module, signature: str, *, device: str = "cpu", batch: int = 8
    ) -> FeatureExtractor:
        """Return the extractor of a network.

        Args:
            module: From (N, 3, H, W) uint8 to (N, D).
            signature: See the class.
            device: Torch device.
            batch: See the class.
        """
        module = module.eval().to(device)

        def features(items: NDArray[np.uint8]) -> NDArray[Any]:
            import torch

            with exact_inference():
                pixels = torch.from_numpy(np.array(items)).to(device)
                output: Tensor = module(pixels.movedim(-1, 1))
                return np.asarray(output.cpu().numpy())

        return cls(features, signature, batch=batch)

    def __deepcopy__(self, memo: dict[int, object]) -> FeatureExtractor:
        """Return the extractor itself."""
        return self

    def __call__(self, items: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the (N, D) features of N items, N at least 1, in the function's type.

        Raises:
            ValueError: If the function returns features of another shape.
        """
        keys = [_key(item) for item in items]
        found = {key: self._seen[key] for key in keys if key in self._seen}
        missing = {key: place for place, key in enumerate(keys) if key not in found}
        places = list(missing.values())
        for start in range(0, len(places), self._batch):
            chosen = places[start : start + self._batch]
            features = np.asarray(self._function(items[chosen]))
            if features.ndim != 2 or len(features) != len(chosen):
                raise ValueError(f"features are {features.shape}; expected ({len(chosen)}, D)")
            found |= {keys[place]: row for place, row in zip(chosen, features, strict=True)}
        for key in keys:
            self._seen[key] = found[key]
            self._seen.move_to_end(key)
        while len(self._seen) > self._keep:
            self._seen.popitem(last=False)
        return np.stack([found[key] for key in keys])


def _key(item: NDArray[np.uint8]) -> bytes:
    """Return what tells the content of a picture from any other."""
    digest = hashlib.blake2b(str(item.shape).encode(), digest_size=16)
    digest.update(item.tobytes())
    return digest.digest()
