"""Makes the modules of checkpoints importable by their names."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent


def _load(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)


_load(HERE.parent / "pickles" / "training_containers.py")
_load(HERE / "published_checkpoints.py")
