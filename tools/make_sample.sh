#!/usr/bin/env bash
# Draw the bundled sample again: a small corpus, and one longer clip of a test signer for `make demo`.
# Usage: SIGNGEN=.venv/bin/signgen bash tools/make_sample.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SIGNGEN=${SIGNGEN:-.venv/bin/signgen}
sample=signgen/assets/sample

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$SIGNGEN" prepare synthetic --out "$work/sample" --signers 40 --clips-per-signer 1 --frames 12 --seed 2026
"$SIGNGEN" prepare synthetic --out "$work/demo" --signers 3 --clips-per-signer 1 --frames 60 --seed 5

mkdir "$work/sample/demo"
cp "$work"/demo/features/*/test/*/images0001.png "$work/sample/demo/source.png"
cp "$work"/demo/keypoints/test/*.json "$work/sample/demo/poses.json"
rm -rf "$sample"
mv "$work/sample" "$sample"
