"""Entry point of `python -m signgen`."""

from __future__ import annotations

import sys

from signgen.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
