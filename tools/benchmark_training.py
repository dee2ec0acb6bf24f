"""Print how much faster stage 2 trains from cached features than by computing them in every step.

OMP_NUM_THREADS=1 python tools/benchmark_training.py [ROUNDS] [--full CONFIG.yaml]
OMP_NUM_THREADS=1 python tools/benchmark_training.py [ROUNDS] --compile CONFIG.yaml

Both ways take turns on the same examples of the bundled sample, in one process with one thread, and
are timed by the processor time of their steps, loading included; printed are samples per second,
and the ratio's median over the rounds with its range. The model has FPDM's shape at full size, an
eighth as wide: its levels and layers with drawn weights, pictures of 128 x 128, 257 source tokens.

Beside it are the operations of one example of that model and of a full-size run, counted on torch's
meta device (`signgen.training.cost`): what a cache saves there at most.

With `--compile` a run of other settings is timed instead, on the bundled sample, from nothing and
in 32 bits: its steps compiled and not, and the seconds that compiling takes the first time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from signgen.config.data import DataConfig
from signgen.config.model import FPDMConfig, full_fpdm
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.data.examples.batching import batches
from signgen.training.cost import cost
from signgen.training.features.writing import write_features
from signgen.training.loop import take_step
from signgen.training.run import TrainingRun, open_run

BATCH = 2
FULL = "configs/train-fpdm-phoenix14t.yaml"


def narrow() -> FPDMConfig:
    """Return settings of FPDM's shape at full size, an eighth as wide."""
    model = full_fpdm(base=None, clip=None, dino=None)
    encoder, tower = model.source_encoder, model.ipf
    unet, autoencoder = model.unet, model.autoencoder
    return replace(
        model,
        size=(128, 128),
        autoencoder=replace(
            autoencoder,
            block_channels=tuple(width // 8 for width in autoencoder.block_channels),
            norm_groups=8,
        ),
        unet=replace(
            unet,
            block_channels=tuple(width // 8 for width in unet.block_channels),
            head_width=unet.head_width // 8,
            cross_attention_width=unet.cross_attention_width // 8,
            norm_groups=8,
        ),
        source_encoder=replace(
            encoder,
            image_size=224,
            width=128,
            heads=4,
            projection_width=96,
            table_size=0,
        ),
        ipf=replace(tower, image_size=112, width=128, heads=4, embedding_width=96),
        source_size=None,
    )


def settings(folder: Path) -> TrainConfig:
    """Return the settings of the run that is timed."""
    data = DataConfig(workers=0, split="dev", identity_rate=0.0, source_frames=1)
    return TrainConfig(
        out=str(folder / "run"), model=narrow(), data=data, device="cpu", batch_size=BATCH
    )


def seconds(run: TrainingRun) -> float:
    """Return the processor time of the next step of a run."""
    size = run.config.batch_size
    source = batches(run.dataset, start=run.step, steps=run.step + 1, batch_size=size)
    begun = time.process_time()
    take_step(run, source)
    run.step += 1
    return time.process_time() - begun


def speeds(config: TrainConfig, folder: Path, rounds: int) -> str:
    """Return the lines of both ways: samples per second and their ratio."""
    features = replace(config, data=replace(config.data, feature_cache=str(folder / "features")))
    write_features(features)
    size = sum(path.stat().st_size for path in (folder / "features").glob("*.npy"))
    runs = {
        "online": open_run(config, resume=False),
        "cached": open_run(replace(features, out=str(folder / "cached")), resume=False),
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            found = seconds(run)
            if number:  # the first round warms up
                taken[name].append(found)
    ratios = [one / two for one, two in zip(taken["online"], taken["cached"], strict=True)]
    lines = [
        f"{name:<8}{BATCH / statistics.median(values):8.3f} samples/s"
        for name, values in taken.items()
    ]
    lines.append(
        f"cached / online {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}, {rounds} rounds); cache {size / 1e6:.1f} MB"
    )
    return "\n".join(lines)


def compiled(config: TrainConfig, folder: Path, rounds: int) -> str:
    """Return a line of a run's steps, compiled and not."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "cache")
    data = replace(config.data, root="sample", cache=False, workers=0)
    changes = {"data": data, "start_from": (), "precision": "no", "device": "cpu", "compile": True}
    run = open_run(replace(config, out=str(folder / "run"), **changes), resume=False)  # type: ignore[arg-type]
    taken: dict[str, list[float]] = {"force_eager": [], "default": []}
    waited = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        for stance, values in taken.items():
            with torch.compiler.set_stance(stance):
                values.append(seconds(run))
        waited.append(time.perf_counter() - begun)
    plain, fast = (values[1:] for values in taken.values())
    ratios = [one / two for one, two in zip(plain, fast, strict=True)]
    return (
        f"plain {statistics.median(plain):.2f} s, compiled {statistics.median(fast):.2f} s a step; "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}, "
        f"{rounds} rounds); compiled in {waited[0] - statistics.median(waited[1:]):.0f} s"
    )


def operations(config: TrainConfig) -> str:
    """Return a line of the operations of one example, online and cached."""
    online, cached = (cost(config, cached=way) for way in (False, True))
    totals = [one.forward + one.backward for one in (online, cached)]
    return (
        f"TFLOP per example: {totals[0] / 1e12:.4g} online, {totals[1] / 1e12:.4g} cached, "
        f"ratio {totals[0] / totals[1]:.2f}"
    )


def main() -> None:
    """Print speeds, and operations of the model that is timed and of a full-size run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    parser.add_argument("--full", default=FULL, help="settings of the full-size run")
    parser.add_argument("--compile", help="settings of a run to time compiled, instead")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"rounds is {options.rounds}; expected at least 1.")
    with tempfile.TemporaryDirectory() as folder:
        if options.compile:
            print(compiled(load_config(options.compile, TrainConfig), Path(folder), options.rounds))
            return
        config = settings(Path(folder))
        print("an eighth as wide, 128 x 128")
        print(operations(config))
        print(speeds(config, Path(folder), options.rounds), flush=True)
    print(f"\n{options.full}")
    print(operations(load_config(options.full, TrainConfig)))


if __name__ == "__main__":
    main()
