"""What a training costs, computed from its settings: no weights, data or GPU needed.

Counted: the stage is built on torch's meta device, pretrained parts as new ones of the sizes in the
settings, and one example goes forward and backward. Operations are those of matrix products,
convolutions and attention (torch's FlopCounterMode, a multiplication with its addition is 2). The
memory of activations is that of all tensors that autograd keeps for the backward pass, times the
batch; with mixed precision 2 bytes a number, 4 where torch's autocast computes in 32 bits
(normalisations, losses), and attention as its fused kernels keep it.

Assumed: the speed of a GPU. Hours are at a share of the published dense 16-bit peak, by default the
28 % that MosaicML reached with the same U-Net (Stable Diffusion 2 at 512 x 512 with latents at
hand: 290 pictures/s on 8 A100, 3 x 0.80 TFLOP each). The loading of data must keep up. Not counted:
temporary buffers, above all those of the autoencoder, and fragmentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from signgen.config.model import ModelConfig
from signgen.config.train import Stage, TrainConfig
from signgen.diffusion.schedule import NoiseSchedule
from signgen.models import build_stage
from signgen.models.features import CachedFeatures, of_sources, of_targets
from signgen.models.fpdm import FPDM
from signgen.models.ipf import IPF, info_nce
from signgen.structures import Batch, ExitCode, Guide, UserError

__all__ = ["COUNTED", "PEAKS", "SHARE", "Cost", "cost", "example", "hours", "measure", "memory"]

PEAKS = {"A100": 312e12, "H200": 989e12}
"""Operations per second of dense 16-bit matrix products, from NVIDIA's data sheets."""
SHARE = 0.28
COUNTED: tuple[Stage, ...] = ("vae", "ipf", "fpdm", "distill", "motion")
"""Stages whose loss looks at no numbers, which the meta device does not have."""
WIDE = {F.group_norm, F.layer_norm, F.mse_loss, F.l1_loss, F.cross_entropy, F.softmax}
"""Functions that autocast computes in 32 bits."""


@dataclass(frozen=True)
class Cost:
    """What one example of a stage costs.

    Args:
        parameters: Weights in all.
        trained: Weights that are trained.
        forward: Operations of the forward pass, frozen parts included.
        backward: Operations of the backward pass.
        activations: Bytes that autograd keeps for it.
    """

    parameters: int
    trained: int
    forward: int
    backward: int
    activations: int


class _Autocast(TorchFunctionMode):
    """Fused attention on the meta device, and whether a function runs in 32 bits.

    Autocast itself does not know the meta device, which has unfused attention only.
    """

    wide = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is F.scaled_dot_product_attention:
            return torch.ops.aten._scaled_dot_product_flash_attention(*args[:3])[0]
        outer, self.wide = self.wide, self.wide or func in WIDE
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.wide = outer


@contextmanager
def _kept(stage: nn.Module, narrow: int) -> Iterator[Callable[[], int]]:
    """Give a function that counts the bytes kept for the backward pass; weights do not count."""
    weights = {p.untyped_storage()._cdata for p in (*stage.parameters(), *stage.buffers())}
    sizes: dict[int, int] = {}
    alive = []  # a storage that is gone would leave its number to another one

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        alive.append(storage)
        if storage._cdata not in weights:
            floating = tensor.is_floating_point()
            width = narrow if floating and not mode.wide else tensor.element_size()
            held = storage.nbytes() // tensor.element_size() * width
            sizes[storage._cdata] = max(held, sizes.get(storage._cdata, 0))
        return tensor

    with _Autocast() as mode, saved_tensors_hooks(pack, lambda tensor: tensor):
        yield lambda: sum(sizes.values())


def without_weights(model: ModelConfig) -> ModelConfig:
    """Return settings whose pretrained parts are new ones of the sizes that are given for them."""
    parts = ("autoencoder", "unet", "scheduler", "source_encoder", "ipf")
    new = {part: replace(getattr(model, part), pretrained=None) for part in parts}
    return replace(model, **new)


def example(model: ModelConfig, count: int = 1) -> Batch:
    """Return a batch of `count` examples of the sizes that a stage is given, on the meta device."""

    def pixels(size: tuple[int, int], channels: int = 3) -> Tensor:
        return torch.empty(count, channels, *size, device="meta")

    source, picture = pixels(model.source_size or model.size), pixels(model.size)
    hands = pixels(model.size, 1)
    guide = Guide(picture, picture, hands, picture) if model.guided else None
    batch = Batch(source, picture, picture, hands, guide=guide)
    if not model.regions:
        return batch
    shown, wanted = (
        torch.empty(count, *one.shape[-2:], dtype=torch.int64, device="meta")
        for one in (source, picture)
    )
    return replace(batch, source_parts=shown, target_parts=wanted)


def measure(stage: nn.Module, batch: Batch, *, mixed: bool) -> Cost:
    """Count one forward and one backward pass of a stage.

    Args:
        stage: A `Trainable` on the meta device, in training mode.
        batch: One example on the meta device.
        mixed: With mixed precision.
    """
    forward, backward = FlopCounterMode(display=False), FlopCounterMode(display=False)
    loss: Any = stage.loss
    with _kept(stage, 2 if mixed else 4) as kept, forward:
        value: Tensor = loss(batch)["loss"]
    with backward:
        value.backward()  # type: ignore[no-untyped-call]
    weights = list(stage.parameters())
    return Cost(
        sum(weight.numel() for weight in weights),
        sum(weight.numel() for weight in weights if weight.requires_grad),
        forward.get_total_flops(),
        backward.get_total_flops(),
        kept(),
    )


def cost(config: TrainConfig, *, cached: bool = False) -> Cost:
    """Build the stage of a run and count one example.

    Args:
        config: Settings of the run.
        cached: Whether what frozen parts make of frames comes from a cache; for stage fpdm.

    Raises:
        UserError: If the settings do not fit together, or the stage cannot be counted.
    """
    if config.stage not in COUNTED:
        raise UserError(
            f"stage is {config.stage}, whose loss looks at numbers that the meta device does not "
            f"have; expected one of {', '.join(COUNTED)}.",
            ExitCode.USAGE,
        )
    model = without_weights(config.model)
    with torch.device("meta"):
        stage = build_stage(model, config.stage).train()
    if config.stage == "distill":
        # The teacher's sampler computes with the numbers of the schedule
        stage.schedule = NoiseSchedule.from_config(model.scheduler)  # type: ignore[attr-defined]
    if isinstance(stage, IPF):
        # The whole loss switches autocast off, which does not know the meta device. What is left
        # out is a product of B x B numbers.
        stage.contrast = lambda source, target, fused: {  # type: ignore[method-assign]
            "loss": info_nce(target, fused)
        }
    batch = example(model, config.clip)
    if cached and isinstance(stage, FPDM):
        made = CachedFeatures(*of_targets(stage, batch.target), *of_sources(stage, batch.source))
        batch = replace(batch, features=made)
    found = measure(cast(nn.Module, stage), batch, mixed=config.precision != "no")
    counts = (found.forward, found.backward, found.activations)
    return Cost(found.parameters, found.trained, *(count // config.clip for count in counts))


def memory(config: TrainConfig, one: Cost) -> dict[str, int]:
    """Return the bytes that a run holds at least, by what they hold.

    Args:
        config: Settings of the run.
        one: The cost of one of its examples.
    """
    extra = 2 if config.precision != "no" else 0
    return {
        "weights": 4 * one.parameters + extra * one.trained,
        "gradients": 4 * one.trained,
        "AdamW": (2 if config.optimizer == "adamw-8bit" else 8) * one.trained,
        "moving average": 4 * one.trained if config.ema else 0,
        f"activations, batch {config.batch_size}": one.activations * config.batch_size,
    }


def operations(config: TrainConfig, one: Cost) -> int:
    """Return the operations of a whole run; arguments as for `memory`."""
    return (one.forward + one.backward) * config.steps * config.batch_size * config.accumulate


def hours(config: TrainConfig, one: Cost, share: float = SHARE) -> dict[str, float]:
    """Return the hours of a whole run on one GPU, by its name.

    Args:
        config: Settings of the run.
        one: The cost of one of its examples.
        share: Share of a GPU's peak that is reached.
    """
    return {name: operations(config, one) / (peak * share) / 3600 for name, peak in PEAKS.items()}
