"""Turn a run of stage fpdm or decoder into a model folder to ship: averaged fp16 weights, card.

python tools/export_model.py runs/mini-decoder signgen/assets/mini --card card.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from signgen.checkpoint import load_model, save_model


def main() -> None:
    """Export and print the size of every file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--card", type=Path, required=True)
    options = parser.parse_args()
    model = load_model(options.run)
    save_model(options.folder, model, model.config, options.card.read_text(encoding="utf-8"))
    sizes = {path.name: path.stat().st_size for path in sorted(options.folder.iterdir())}
    print(json.dumps(sizes | {"total": sum(sizes.values())}))


if __name__ == "__main__":
    main()
