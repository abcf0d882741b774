#!/bin/sh
# ResNet50 beside PyTorch and, for fp32 features, onnxruntime, in turns: tests/bench/resnet50.sh [ROUNDS [SECONDS]].
# Prints the medians and their ratio to PyTorch; of int8, to PyTorch's bf16 or, without fast bf16, its fp32.
set -eu
build=${BUILD:-build}
rounds=${1:-3} seconds=${2:-3} threads=${THREADS:-$(nproc)}
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT

# PROGRAM ARGUMENT...: its rate, nothing where what it needs is not here (77).
rate() {
  ended=0
  printed=$("$@" --threads "$threads" --seconds "$seconds") || ended=$?
  case $ended in
    0) printf '%s\n' "$printed" | sed -n 's/^images_per_second=//p' ;;
    77) ;;
    *) echo "$*: ended with status $ended" >&2 && return 1 ;;
  esac
}

fastest=fp32
"$build/bench/ours" features --precision bf16 --batch 1 --seconds 0 >/dev/null 2>&1 && fastest=bf16

round=0
while [ "$round" -lt "$rounds" ]; do
  for what in "features fp32 16" "features bf16 16" "features int8 16" "head fp32 32" "head bf16 32" "head bf16 128" "resnet50 bf16 32"; do
    set -- $what
    ours=$(rate "$build/bench/ours" "$1" --precision "$2" --batch "$3")
    peer= other=
    # Without fast bf16 there is nothing of ours to compare, and the peer would take minutes for a step.
    # int8 is for those who would otherwise take the peer's fastest floats.
    floats=$2
    [ "$2" != int8 ] || floats=$fastest
    [ -z "$ours" ] || peer=$(rate tests/bench/peers/torch_resnet50.py "$1" --precision "$floats" --batch "$3")
    if [ "$1 $floats" = "features fp32" ] && command -v node >/dev/null; then
      other=$(rate tests/bench/peers/onnxruntime_peer.js "$1" --precision fp32 --batch "$3")
    fi
    echo "$1 $2 $3 ${ours:--} ${peer:--} ${other:--}" >>"$figures"
  done
  round=$((round + 1))
done

printf '%-10s %-6s %6s %14s %14s %8s %12s\n' resnet50 "" batch "ours images/s" PyTorch ratio onnxruntime
cut -d' ' -f1-3 "$figures" | awk '!seen[$0]++' | while read -r what; do
  middle() { grep "^$what " "$figures" | cut -d' ' -f"$1" | grep -v '^-$' | sort -n | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]; else print "-"}'; }
  echo "$what $(middle 4) $(middle 5) $(middle 6)"
done | awk '{printf "%-10s %-6s %6s %14s %14s %8s %12s\n", $1, $2, $3, $4, $5, ($4 == "-" || $5 == "-") ? "-" : sprintf("%.2f", $4 / $5), $6}'
