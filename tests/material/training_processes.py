"""A program for several processes: it trains the stages whose settings it is given, one by one.

python -m torch.distributed.run --nproc-per-node 2 training_processes.py CONFIG.yaml ...
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.errors import Stopped
from signgen.training.loop import train


def main(paths: list[str]) -> int:
    for path in paths:
        Path(f"{path}.pid-{os.environ['RANK']}").write_text(str(os.getpid()), "utf-8")
        try:
            train(load_config(path, TrainConfig))
        except Stopped as stopped:
            Path(f"{path}.code-{os.environ['RANK']}").write_text(str(int(stopped.code)), "utf-8")
            return int(stopped.code)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
