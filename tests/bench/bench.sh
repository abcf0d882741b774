#!/bin/sh
# make bench: compare with the settings that make has put into the environment. Run from the repository's root.
set -eu
build=${BUILD:-build}
export BENCH_PEERS="$build/bench/peers"

set -- --ours "$build/bench/ours" --onnxruntime tests/bench/peers/onnxruntime_peer.js --manifest "${WORK:-work}/manifest.db"
if [ -n "${THREADS:-}" ]; then set -- "$@" --threads "$THREADS"; fi
if [ -n "${ISA:-}" ]; then set -- "$@" --isa "$ISA"; fi
mkdir -p "${WORK:-work}"

compare() {
  "$build/bench/compare" "$@" --torch tests/bench/peers/torch_seed_cnn.py ${BATCH:+--batch "$BATCH"}
}

# Peers start and warm up slowly: two rounds of this take about 50 s, and where they do not fit there is one.
if [ -n "${QUICK:-}" ]; then
  compare "$@" --rounds "${ROUNDS:-2}" --seconds "${SECONDS:-1}" --budget 55
  exit
fi
compare "$@" --rounds "${ROUNDS:-5}" --seconds "${SECONDS:-4}" --details
tests/bench/image.sh
"$build/bench/compare_resnet50" "$@" --torch tests/bench/peers/torch_resnet50.py --rounds "${ROUNDS:-3}" --seconds "${SECONDS:-3}"
