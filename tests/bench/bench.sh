#!/bin/sh
# make bench: compare with the settings that make has put into the environment. Run from the repository's root.
set -eu
build=${BUILD:-build}
export BENCH_PEERS="$build/bench/peers"

set -- --ours "$build/bench/ours" --torch tests/bench/peers/torch_seed_cnn.py
if command -v node >/dev/null; then set -- "$@" --onnxruntime tests/bench/peers/onnxruntime_peer.js; fi
if [ -n "${THREADS:-}" ]; then set -- "$@" --threads "$THREADS"; fi
if [ -n "${BATCH:-}" ]; then set -- "$@" --batch "$BATCH"; fi
if [ -n "${ISA:-}" ]; then set -- "$@" --isa "$ISA"; fi
if [ -n "${QUICK:-}" ]; then
  # Peers start and warm up slowly: two rounds of this take about 50 s, and where they do not fit there is one.
  set -- "$@" --rounds "${ROUNDS:-2}" --seconds "${SECONDS:-1}" --budget 55
else
  set -- "$@" --rounds "${ROUNDS:-5}" --seconds "${SECONDS:-4}" --details
fi
mkdir -p "${WORK:-work}"
"$build/bench/compare" "$@" --manifest "${WORK:-work}/manifest.db"
if [ -z "${QUICK:-}" ]; then
  tests/bench/image.sh
  tests/bench/resnet50.sh
fi
