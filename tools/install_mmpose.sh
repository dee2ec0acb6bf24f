#!/usr/bin/env bash
# Install MMPose 1.1.0 + mmcv-lite 2.0.1 + mmengine 0.10.7 into the environment of $PYTHON.
# Usage: make pose-mmpose, or PYTHON=.venv/bin/python bash tools/install_mmpose.sh
# HRNet whole-body (133 points) needs nothing more; its weights are downloaded by the user.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=${PYTHON:-.venv/bin/python}

if ! command -v "${CC:-cc}" >/dev/null; then
  echo "tools/install_mmpose.sh needs a C compiler (for xtcocotools); on Debian and Ubuntu install gcc and python3-dev." >&2
  exit 1
fi

pip() { "$PYTHON" -m pip --disable-pip-version-check "$@"; }

pip install -c constraints.txt torch -r requirements/pose-mmpose.txt
pip install --no-deps mmengine==0.10.7 mmcv-lite==2.0.1 mmpose==1.1.0
# From source and without isolation, so that it is built against the numpy that is installed.
pip install --no-deps --no-build-isolation --no-binary xtcocotools xtcocotools==1.14.3

"$PYTHON" -c 'import mmpose; from mmpose.apis import init_model; print("mmpose", mmpose.__version__, "works")'
