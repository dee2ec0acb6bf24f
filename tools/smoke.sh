#!/usr/bin/env bash
# The whole path in miniature, on a CPU and offline: draw a corpus, train 4 steps of every stage with a stop and a
# resume in between, render with the result, evaluate it. Shows that the commands fit together; measures nothing.
# Usage: make smoke, or SIGNGEN=/path/to/signgen bash tools/smoke.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SIGNGEN=${SIGNGEN:-.venv/bin/signgen}
SAMPLE=signgen/assets/sample/demo
export HF_HUB_OFFLINE=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "smoke: $*"; }
fail() { echo "smoke: FAILED: $*" >&2; exit 1; }

# Run a command and show what it said only if it fails.
run() {
  "$SIGNGEN" "$@" >"$work/said" 2>&1 || { cat "$work/said" >&2; fail "signgen $*"; }
}

# A step counts as reached when its checkpoint has a manifest, which is written last.
reached() { [ -f "$work/$1/checkpoints/step-$(printf %06d "$2")/manifest.json" ]; }

"$SIGNGEN" --help >/dev/null || fail "signgen --help"

say "prepare synthetic"
run prepare synthetic --out "$work/corpus" --signers 3 --clips-per-signer 1 --frames 4 --seed 1
[ -d "$work/corpus/features" ] || fail "no frames in the corpus"

for stage in vae ipf fpdm distill motion decoder guided parsing; do
  say "train $stage: stop after step 2, resume to step 4"
  flags=()
  if [ "$stage" = fpdm ]; then flags=(--start-from "$work/vae" "$work/ipf"); fi
  if [ "$stage" = parsing ]; then flags=(--start-from "$work/vae"); fi
  if [[ "$stage" =~ ^(distill|motion|decoder)$ ]]; then flags=(--start-from "$work/fpdm"); fi
  run train "configs/smoke-$stage.yaml" --out "$work/$stage" --device cpu --stop-at 2 "${flags[@]}"
  reached "$stage" 2 || fail "$stage has no checkpoint at step 2"
  if reached "$stage" 4; then fail "$stage did not stop at step 2"; fi
  run train "$work/$stage" --stop-at 0
  reached "$stage" 4 || fail "$stage did not resume to step 4"
done
grep -q '"step": 4, "validation": {.*"loss": ' "$work/vae/log.jsonl" || fail "no validation of the vae at step 4"
grep -q '"step": 4, "lr": 1e-05, ' "$work/vae/log.jsonl" || fail "the rate of the vae did not fall at step 4"

say "render with the run folder"
run render --source "$SAMPLE/source.png" --poses "$SAMPLE/poses.json" --model "$work/decoder" --steps 2 \
  --device cpu --out "$work/out.mp4" --compare
for file in out.mp4 out.compare.mp4 out.sheet.png; do
  [ -s "$work/$file" ] || fail "render left no $file"
done

say "render with the parsing-guided run folder"
clip=Signer037_clip001
frames=signgen/assets/sample/features/fullFrame-210x260px/test/$clip
run render --source "$frames/images0001.png" --parsing "signgen/assets/sample/parts/test/$clip/images0001.png" \
  --label-set signgen-10 --poses "signgen/assets/sample/keypoints/test/$clip.json" --model "$work/parsing" \
  --device cpu --out "$work/parsing.mp4" --no-compare
[ -s "$work/parsing.mp4" ] || fail "the parsing-guided model rendered nothing"

say "eval with the run folder"
run eval --model "$work/decoder" --data "$work/corpus" --split test --hand-metrics --device cpu \
  --out "$work/report.json"
[ -s "$work/report.json" ] || fail "eval left no report"

say "export the run folder, render with the export"
run export "$work/decoder" --to-hub-folder "$work/hub" --license apache-2.0 --data synthetic --report "$work/report.json"
run render --source "$SAMPLE/source.png" --poses "$SAMPLE/poses.json" --model "$work/hub" --steps 1 \
  --device cpu --out "$work/hub.mp4" --no-compare
[ -s "$work/hub.mp4" ] || fail "the export rendered nothing"

say "a wrong path is one line and exit code 66"
code=0
"$SIGNGEN" render --source "$work/none.png" --poses "$SAMPLE/poses.json" --out "$work/none.mp4" \
  >"$work/said" 2>&1 || code=$?
[ "$code" = 66 ] || fail "exit code $code, expected 66"
[ "$(wc -l <"$work/said")" = 1 ] || { cat "$work/said" >&2; fail "more than one line"; }
[ ! -e "$work/none.mp4" ] || fail "a file was left at the output path"

say "passed"
