#!/bin/sh
# Runs each fuzz target for FUZZ_SECONDS (60) on seeds that are made here; a finding ends it and leaves its input
# there. tests/fuzz/run.sh FOLDER-OF-TARGETS, called by make fuzz.
set -eu
build=$1 tools=${BUILD:-build}/tools seconds=${FUZZ_SECONDS:-60}
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"; rm -f /dev/shm/fuzz-*' EXIT
mkdir "$seeds/image" "$seeds/config" "$seeds/tensorfile"
"$tools/make_dataset" "$seeds/drawn" --per-class 1 --size 48 >/dev/null
find "$seeds/drawn" -type f | while read -r file; do mv "$file" "$seeds/image/$(printf '%s' "$file" | sha256sum | cut -c1-12)"; done
cp configs/*.yaml "$seeds/config/"
cp tests/fixtures/*.safetensors "$seeds/tensorfile/"
cp -r "$seeds/tensorfile" "$seeds/weights"
for target in image config tensorfile weights; do
  echo "fuzz: $target, $seconds s"
  "$build/fuzz/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/fuzz/$target-" "$seeds/$target" 2>&1 | tee "$build/fuzz/$target.log" | grep -E 'number_of_executed|ERROR|SUMMARY|runtime error' || true
  ! grep -qE 'ERROR|SUMMARY|runtime error' "$build/fuzz/$target.log" || exit 1
done
