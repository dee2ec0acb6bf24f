"""Kill trainings at random and let them go on: python tools/kill_trainings.py [KILLS].

A tiny stage 2 is trained on the bundled sample, with averaged weights, a checkpoint every other
step and 0, 2 or 4 loader processes in turns. Its process is killed (SIGKILL) at a random time, up
to five times, and then let through. Printed for each number of loaders: kills, how many of them
before the first step, how many left an unfinished file or folder, steps that were done again, and
runs that end with the weights, averaged weights, optimiser state and log of a run that nobody
killed. Problems are runs that do not, a log that is not whole, and litter that stays.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import random
import sys
import tempfile
import time
from multiprocessing.context import ForkProcess
from pathlib import Path

import torch

from signgen.checkpoints.models import read_weights
from signgen.config.data import DataConfig
from signgen.config.train import TrainConfig
from signgen.training.loop import train

STEPS = 16
LOADERS = (0, 2, 4)
KILLS_A_RUN = 5
TIMES = ("seconds", "samples_per_second")


def settings(out: Path, workers: int) -> TrainConfig:
    """Return the settings of a run."""
    return TrainConfig(
        out=str(out),
        data=DataConfig(workers=workers),
        device="cpu",
        steps=STEPS,
        ema=0.9,
        save_every=2,
        sample_every=5,
        log_every=1,
    )


def begun(config: TrainConfig) -> ForkProcess:
    """Train in a process of its own, forked from this one, which has imported everything."""
    process = multiprocessing.get_context("fork").Process(target=quietly, args=(config,))
    process.start()
    return process


def quietly(config: TrainConfig) -> None:
    """Train without a word, and without the bar."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    torch.set_num_threads(1)
    logging.disable()
    train(config)


def log(run: Path) -> list[dict[str, float]]:
    """Return the lines of a run's log without what depends on the clock.

    Raises:
        ValueError: If a line is no JSON.
    """
    path = run / "log.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [{k: v for k, v in json.loads(line).items() if k not in TIMES} for line in lines]


def steps_done(run: Path) -> int:
    """Return the last step of a log whose last line may be torn."""
    path = run / "log.jsonl"
    text = path.read_text("utf-8") if path.exists() else ""
    return int(json.loads(text.splitlines()[text.count("\n") - 1])["step"]) if "\n" in text else 0


def saved(run: Path) -> int:
    """Return the step of the newest checkpoint."""
    found = [int(path.name[5:]) for path in (run / "checkpoints").glob("step-*")]
    return max(found, default=0)


def litter(run: Path) -> list[Path]:
    """Return what is there of files and folders that were not finished."""
    return list(run.rglob(".*.part"))


def same(one: object, two: object) -> bool:
    """Whether two states are equal, to the bit."""
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    return one == two


def state(run: Path) -> dict[str, object]:
    """Return all that a run ended with."""
    folder = run / "checkpoints" / f"step-{STEPS:06d}"
    kept = torch.load(folder / "trainer.pt", weights_only=True)
    return {
        "weights": read_weights(folder, "model"),
        "averaged weights": read_weights(folder, "ema"),
        "optimiser": kept["optimizer"],
        "average": kept["ema"],
        "log": log(run),
    }


def whole(run: Path) -> tuple[float, dict[str, object]]:
    """Train a run that nobody kills; return its seconds and its state."""
    start = time.monotonic()
    process = begun(settings(run, workers=0))
    process.join()
    if process.exitcode:
        raise SystemExit(f"a run that nobody killed ended with {process.exitcode}")
    return time.monotonic() - start, state(run)


def main(kills: int) -> int:
    """Kill so many times; return 1 if anything is not as it should be."""
    chance, problems = random.Random(0), 0
    counts = {
        w: dict.fromkeys(("kills", "early", "torn", "again", "runs", "equal"), 0) for w in LOADERS
    }
    with tempfile.TemporaryDirectory() as place:
        seconds, wanted = whole(Path(place) / "whole")
        print(f"a run of {STEPS} steps takes {seconds:.1f} s", flush=True)
        for number in range(kills):
            done = sum(one["kills"] for one in counts.values())
            if done >= kills:
                break
            workers = LOADERS[number % len(LOADERS)]
            count, run = counts[workers], Path(place) / f"run-{number}"
            config = settings(run, workers)
            for _ in range(min(KILLS_A_RUN, kills - done)):
                process = begun(config)
                process.join(chance.uniform(0, seconds))
                if process.exitcode is not None:
                    break
                process.kill()
                process.join()
                count["kills"] += 1
                count["early"] += steps_done(run) == 0
                count["torn"] += bool(litter(run))
                count["again"] += max(0, steps_done(run) - saved(run))
            process = begun(config)
            process.join()
            found = {} if process.exitcode else state(run)
            differ = [name for name in wanted if not same(wanted[name], found.get(name))]
            differ += ["litter"] if litter(run) else []
            count["runs"], count["equal"] = count["runs"] + 1, count["equal"] + (not differ)
            problems += bool(differ)
            print(f"run {number}, {workers} loaders: {', '.join(differ) or 'equal'}", flush=True)
    print("| Loaders | Kills | Before a step | Unfinished files | Steps again | Runs | Equal |")
    print("|---|---|---|---|---|---|---|")
    for workers, count in counts.items():
        print("| " + " | ".join(map(str, (workers, *count.values()))) + " |")
    print(f"{problems} problems")
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
