#!/bin/sh
# Decode, resize and augment against OpenCV: tests/bench/image.sh [FOLDER]; without one, on 200x200 pictures drawn for it.
set -eu
build=${BUILD:-build}
make -s BUILD="$build" "$build/bench/image_bench" "$build/tools/make_dataset"
if [ $# -gt 0 ]; then exec "$build/bench/image_bench" "$@"; fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$build/tools/make_dataset" "$folder/drawn" --per-class 8 --size 200 >/dev/null
"$build/bench/image_bench" "$folder/drawn"
