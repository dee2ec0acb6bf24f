"""Time the ladder from plain rendering to everything at once, on one GPU, in one command.

python tools/benchmark_gpu.py [--shape full|tiny] [--frames 8] [--rounds 5] [--compile]

Weights are drawn, on which speed does not depend; source encoding is done once and left out. Rungs
take turns. Printed for each: evaluations of the denoiser and TFLOP a frame (decoding included,
counted by torch), its frames per second (median and range of the rounds), the share of the rate of
matrix products that this machine reaches in 16 bits, peak memory, and the largest difference of its
pictures, in [-1, 1], to the plain path in 32 bits with the same sampler and steps.

`tiny` is a model for tests: it runs on a CPU, too, and says nothing about speed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from signgen.config.model import full_fpdm, tiny_fpdm
from signgen.config.sampling import Sampling
from signgen.models import FPDM, build_model
from signgen.rendering.acceleration import remember
from signgen.rendering.generation import generate
from signgen.structures import SourceFeatures

PUBLISHED = (2.0, 2.0 + 1e-6)
"""Guidance whose middle branch is computed, as the published code does, and counts for nothing."""


@dataclass(frozen=True)
class Rung:
    """One way to render.

    Args:
        name: What the table calls it.
        sampling: How to sample.
        exact: Whether the source is projected once.
        tf32: Whether products of 32 bits may be rounded to TF32.
        channels_last: Whether channels lie innermost in memory.
        compiled: Whether the U-Net is compiled.
    """

    name: str
    sampling: Sampling
    exact: bool = True
    tf32: bool = False
    channels_last: bool = False
    compiled: bool = False


def ladder(steps: int, *, compiled: bool) -> list[Rung]:
    """Return the rungs, slowest first."""
    plain, half = Sampling(steps=steps), Sampling(steps=steps, precision="bf16")
    few = replace(half, sampler="unipc", steps=max(2, steps // 2))
    best = {"tf32": True, "channels_last": True}
    rungs = [
        Rung("three branches, fp32", replace(plain, guidance=PUBLISHED), exact=False),
        Rung("plain, fp32", plain, exact=False),
        Rung("exact, fp32", plain),
        Rung("exact, TF32", plain, tf32=True),
        Rung("three branches, bf16", replace(half, guidance=PUBLISHED), exact=False, tf32=True),
        Rung("exact, bf16", half, tf32=True),
        Rung("+ channels last", half, **best),
        Rung("+ UniPC, half the steps", few, **best),
    ]
    if compiled:
        rungs.append(Rung("+ compiled", few, **best, compiled=True))
    return rungs


@dataclass(frozen=True)
class Bench:
    """A model with drawn weights, and what it renders.

    Args:
        model: The model.
        features: Of a source.
        pose: (B, 3, H, W) in [0, 1].
    """

    model: FPDM
    features: SourceFeatures
    pose: Tensor

    @staticmethod
    def of(shape: str, frames: int, device: torch.device) -> Bench:
        """Draw a model of a shape."""
        torch.manual_seed(0)
        full = shape == "full"
        config = full_fpdm(base=None, clip=None, dino=None) if full else tiny_fpdm()
        with device:
            model = build_model(config).eval()
            pose = torch.rand(frames, 3, *config.size)
            with torch.inference_mode():
                source = torch.rand(1, 3, *(config.source_size or config.size)) * 2 - 1
                features = model.encode_source(source)
        assert isinstance(model, FPDM)
        return Bench(model, features, pose)

    def run(self, rung: Rung) -> Tensor:
        """Render all frames: (B, 3, H, W)."""
        return generate(
            self.model,
            self.features,
            self.pose,
            frames=range(len(self.pose)),
            sampling=rung.sampling.resolve(self.model.config.sampling),
            memory=remember(self.model, self.features) if rung.exact else None,
        )


def set_up(bench: Bench, rung: Rung) -> None:
    """Give the model what a rung asks for."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = rung.tf32
    layout = torch.channels_last if rung.channels_last else torch.contiguous_format
    for part in (bench.model.unet, bench.model.autoencoder):
        torch.nn.Module.to(part, memory_format=layout)  # type: ignore[call-overload]


def seconds_of(bench: Bench, rung: Rung) -> float:
    """Return the seconds that all frames take."""
    device = bench.pose.device
    set_up(bench, rung)
    _wait(device)
    start = time.perf_counter()
    bench.run(rung)
    _wait(device)
    return time.perf_counter() - start


def matmul_rate(device: torch.device, size: int) -> float:
    """Return the TFLOP/s of products of square matrices in 16 bits, the best of ten."""
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(10):
        _wait(device)
        start = time.perf_counter()
        a @ a
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e12


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def benchmark(
    shape: str, frames: int, rounds: int, steps: int, device: torch.device, *, compiled: bool
) -> str:
    """Return the table."""
    bench, rungs = Bench.of(shape, frames, device), ladder(steps, compiled=compiled)
    plain = bench.model.unet.forward
    fast = torch.compile(plain, dynamic=False) if compiled else plain
    cuda = device.type == "cuda"
    rate = matmul_rate(device, 8192 if cuda else 256)

    # Count, warm up, compare
    references: dict[tuple[object, object], Tensor] = {}
    rows: dict[str, list[str]] = {}
    flops: dict[str, float] = {}
    for rung in rungs:
        bench.model.unet.forward = fast if rung.compiled else plain
        set_up(bench, rung)
        key = (rung.sampling.sampler, rung.sampling.steps)
        if key not in references:
            set_up(bench, Rung("reference", replace(rung.sampling, precision="no"), exact=False))
            reference = replace(rung.sampling, precision="no", guidance=None)
            references[key] = bench.run(Rung("reference", reference, exact=False))
            set_up(bench, rung)
        with FlopCounterMode(display=False) as counter:
            bench.model.unet.forward = plain
            bench.run(rung)
        bench.model.unet.forward = fast if rung.compiled else plain
        if cuda:
            torch.cuda.reset_peak_memory_stats(device)
        made = bench.run(rung)
        memory = torch.cuda.max_memory_allocated(device) / 2**30 if cuda else float("nan")
        flops[rung.name] = counter.get_total_flops() / frames / 1e12
        branches = 3 if rung.sampling.guidance == PUBLISHED else 2
        error = float((made - references[key]).abs().max())
        count = branches * (rung.sampling.steps or 0)
        rows[rung.name] = [
            *(f"{count:8}", f"{flops[rung.name]:9.4g}", f"{memory:8.1f}", f"{error:9.1e}")
        ]

    # Take turns
    spent: dict[str, list[float]] = {rung.name: [] for rung in rungs}
    for _ in range(rounds):
        for rung in rungs:
            bench.model.unet.forward = fast if rung.compiled else plain
            spent[rung.name].append(seconds_of(bench, rung))
    bench.model.unet.forward = plain

    # The table
    lines = [
        f"{shape}, {frames} frames, {rounds} rounds, "
        f"{torch.cuda.get_device_name(device) if cuda else 'CPU'}, torch {torch.__version__}, "
        f"matrix products in bf16: {rate:.4g} TFLOP/s",
        f"{'':26}{'forwards':>8}{'TFLOP':>10}{'GiB':>9}{'error':>10}{'fps':>9}"
        f"{'range':>18}{'share':>8}",
    ]
    for name, cells in rows.items():
        rates = sorted(frames / seconds for seconds in spent[name])
        middle = statistics.median(rates)
        spread = f"{rates[0]:.3g} to {rates[-1]:.3g}"
        lines.append(
            f"{name:26}{' '.join(cells)}{middle:9.3g}{spread:>18}{flops[name] * middle / rate:8.1%}"
        )
    return "\n".join(lines)


def main() -> int:
    """Print the table; return 69 where `full` is asked for and there is no GPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=("full", "tiny"), default="full")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--compile", action="store_true", help="also compile the U-Net (minutes)")
    options = parser.parse_args()
    if options.shape == "full" and not torch.cuda.is_available():
        print("torch finds no CUDA device here. Give --shape tiny.", file=sys.stderr)
        return 69
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    counts = (options.frames, options.rounds, options.steps)
    print(benchmark(options.shape, *counts, device, compiled=options.compile))
    return 0


if __name__ == "__main__":
    sys.exit(main())
