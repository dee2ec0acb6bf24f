"""Print how much faster frames are rendered than by the plain path and by stock diffusers.

OMP_NUM_THREADS=1 python tools/benchmark_speed.py [ROUNDS] [--shape mini|sd-like]

All ways take turns on the same noise, source and poses, in one process with one thread, and are
timed by the processor time that they take. Printed are ratios: their median over the rounds and
their range. Compared are

- exact: what `signgen render` does;
- plain: the same without `signgen.rendering.acceleration`;
- stock: the loop that one writes with diffusers alone, frame by frame, with all three branches of
  guidance and the scheduler's own step.

Source encoding and decoding are left out: all three do the same. Largest is the largest difference
of the latents to those of the plain path, in 32 bits.

`mini` is the bundled model. `sd-like` has drawn weights, on which speed does not depend, and the
shape of Stable Diffusion 2.1 for pictures of 256 x 256 with FPDM's 1,297 source tokens: its levels,
layers and heads, all a quarter as wide.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from signgen.checkpoints.models import load_model
from signgen.config.model import UNetConfig, tiny_fpdm
from signgen.config.sampling import ResolvedSampling, Sampling
from signgen.data.examples.guides import unknown_guide
from signgen.diffusion.samplers import sample
from signgen.models import build_model
from signgen.models.base import PoseGuidedModel
from signgen.rendering.acceleration import denoiser, remember
from signgen.structures import Conditioning, SourceFeatures

FRAMES = 2
STEPS = 2
TOKENS = 1297
CPU = torch.device("cpu")


def sd_like() -> tuple[PoseGuidedModel, SourceFeatures]:
    """Return a model with Stable Diffusion's shape, a quarter as wide, and features of a source."""
    unet = UNetConfig(
        block_channels=(80, 160, 320, 320),
        layers_per_block=2,
        head_width=16,
        norm_groups=16,
        cross_attention_width=256,
    )
    model = build_model(replace(tiny_fpdm(), unet=unet, size=(256, 256)))
    with torch.inference_mode():
        pooled = model.encode_source(torch.rand(1, 3, *model.config.size) * 2 - 1).pooled
    return model, SourceFeatures(torch.randn(1, TOKENS, 256), pooled)


def mini() -> tuple[PoseGuidedModel, SourceFeatures]:
    """Return the bundled model and features of a source."""
    model = load_model("mini")
    with torch.inference_mode():
        return model, model.encode_source(torch.rand(1, 3, *model.config.size) * 2 - 1)


def stock(
    model: PoseGuidedModel, branches: list[Conditioning], noise: Tensor, weights: tuple[float, ...]
) -> Tensor:
    """Denoise frame by frame with the library's scheduler and all branches of guidance."""
    scheduler = DDIMScheduler.from_config(model.schedule.scheduler.config)
    frames = []
    for row in range(len(noise)):
        scheduler.set_timesteps(STEPS)
        z = noise[row : row + 1]
        for timestep in scheduler.timesteps:
            made = []
            for branch in branches:
                own = slice(row, row + 1)
                one = Conditioning(
                    branch.pose[own],
                    branch.tokens[own],
                    None if branch.embedding is None else branch.embedding[own],
                    moved=None if branch.moved is None else branch.moved[own],
                )
                made.append(model.denoise(z, timestep.view(1), one))
            output = made[0]
            for before, after, weight in zip(made, made[1:], weights, strict=False):
                output = output + weight * (after - before)
            z = scheduler.step(output, timestep, z, return_dict=False)[0]
        frames.append(z)
    return torch.cat(frames)


def ways(
    model: PoseGuidedModel, features: SourceFeatures, settings: ResolvedSampling
) -> dict[str, Callable[[], Tensor]]:
    """Return the ways to denoise the same frames, which are conditioned already."""
    size = model.config.size
    with torch.inference_mode():
        guide = unknown_guide(np.zeros((*size, 3), np.uint8))
        conditioning = model.condition(features, torch.rand(FRAMES, 3, *size), guide=guide)
    branches = model.branches(conditioning)
    noise = torch.randn(FRAMES, *model.latents.shape(size))

    def ours(*, exact: bool) -> Tensor:
        memory = remember(model, features) if exact else None
        return sample(
            denoiser(model, branches, settings, CPU, memory),
            model.schedule,
            sampler="ddim",
            steps=STEPS,
            noise=noise,
            step_noise=lambda step: torch.zeros_like(noise),
        )

    return {
        "exact": lambda: ours(exact=True),
        "plain": lambda: ours(exact=False),
        "stock": lambda: stock(model, branches, noise, settings.guidance),
    }


def benchmark(shape: str, rounds: int) -> str:
    """Return the table of one shape.

    Args:
        shape: `mini` or `sd-like`.
        rounds: How often all ways take their turn, after one that warms up.
    """
    # Warm up, and compare results
    torch.manual_seed(0)
    model, features = mini() if shape == "mini" else sd_like()
    model = model.eval()
    compared = ways(model, features, Sampling(precision="no").resolve(model.config.sampling))
    with torch.inference_mode():
        made = {name: run() for name, run in compared.items()}
    size = "x".join(map(str, made["plain"].shape[-2:]))
    rows = [f"{shape}: {FRAMES} frames, {STEPS} steps, latents {size}, {rounds} rounds"]
    for name in ("exact", "stock"):
        largest = float((made[name] - made["plain"]).abs().max())
        rows.append(f"  {name}: largest difference to plain {largest:.1e}")

    # Take turns
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(rounds):
        for name, run in compared.items():
            with torch.inference_mode():
                start = time.process_time()
                run()
                seconds[name].append(time.process_time() - start)
    for name in ("plain", "stock"):
        ratios = [slow / fast for slow, fast in zip(seconds[name], seconds["exact"], strict=True)]
        rows.append(
            f"  {name} / exact: {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )
    return "\n".join(rows)


def main() -> None:
    """Print one table per shape."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rounds", nargs="?", type=int, default=7)
    parser.add_argument("--shape", choices=("mini", "sd-like"))
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"ROUNDS is {options.rounds}; expected at least 1.")
    torch.set_num_threads(1)
    for shape in [options.shape] if options.shape else ["sd-like", "mini"]:
        print(benchmark(shape, options.rounds))


if __name__ == "__main__":
    main()
