#!/bin/bash
# A manifest is not trusted: CELLS times somebody changes a cell of one to what no stage writes, then every stage runs on it, but
# those of a frozen trunk (weights, features). Each must do its work or refuse with status 1 or 2 and a message; none may crash,
# hang, or leave the work folder.
#
#   make proof-manifest [CELLS=300] [SEED=1]     with the address and undefined-behaviour sanitizers
#
# At the first finding it stops with status 1 and says which change did it. Needs sqlite3.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${BUILD:-build} cells=${CELLS:-300} first=${SEED:-1}
base=$(mktemp -d) || exit 2
work=$base/work
trap 'rm -rf "$base"' EXIT

cat >"$base/proof.yaml" <<END
dataset: {train: ["$base/data"], test: ["$base/test"]}
synth: {per_class: 1, size: 32, beside: true}
split: {method: grouped, val: 0.25}
augment: {mode: copies, copies: 1, rotate: 5}
train: {epochs: 1, batch: 8, lr: 0.001}
END
"$build/tools/make_dataset" "$base/data" --classes 3 --per-class 8 --size 48 >/dev/null
"$build/tools/make_dataset" "$base/test" --classes 3 --per-class 2 --size 48 --seed 7 >/dev/null

stage() { # NAME OPTION...
  timeout 120 "$build/stages/$1" --manifest "$work/manifest.db" --config "$base/proof.yaml" --threads 2 --quiet "${@:2}" >>"$base/messages" 2>&1
}

for name in synth ingest split resize augment train evaluate; do
  stage $name || { cat "$base/messages"; exit 2; }
done
cp -a "$work" "$base/kept"
outside=$(ls -A "$base" | grep -v messages)

refused=0
for ((cell = first; cell < first + cells; cell++)); do
  rm -rf "$work" && cp -a "$base/kept" "$work"
  change=$("$build/tools/meddle" "$work/manifest.db" "$cell") || exit 2
  for name in evaluate report export synth ingest split resize augment train evaluate; do
    : >"$base/messages"
    options=()
    [ $name != export ] || options=(--to "$work/out.safetensors")
    stage $name "${options[@]}"
    status=$?
    if [ $status -gt 2 ] || grep -qE 'Sanitizer|runtime error' "$base/messages"; then
      echo "cell $cell: $change"
      echo "$name ends with status $status:"
      cat "$base/messages"
      exit 1
    fi
    if [ $status -gt 0 ]; then
      refused=$((refused + 1))
      [ -s "$base/messages" ] || { echo "cell $cell: $change: $name ends with status $status, without a word"; exit 1; }
    fi
  done
  [ "$(ls -A "$base" | grep -v messages)" = "$outside" ] || { echo "cell $cell: $change: something was written beside the work folder"; exit 1; }
done
echo "proof-manifest: $cells changed cells, 10 stages each: no crash; $refused refusals, each with a message"
