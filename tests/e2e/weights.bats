#!/usr/bin/env bats
# Weights from elsewhere and for elsewhere: files in Keras' HDF5 layout, as h5py reads and writes them.
# Run from the repository's root after `make all tools`: bats tests/e2e/weights.bats

bats_require_minimum_version 1.5.0

setup() {
  BUILD=${BUILD:-build}
  cd "$BATS_TEST_DIRNAME/../.."
  T=$BATS_TEST_TMPDIR
}

has() {
  [[ $output == *"$1"* ]] || { printf 'missing: %s\nin: %s\n' "$1" "$output"; return 1; }
}

# The first Python that has h5py: Debian's is not always the first in PATH.
needs_h5py() {
  for PYTHON in python3 /usr/bin/python3; do
    "$PYTHON" -c 'import h5py' 2>/dev/null && return
  done
  skip "python3-h5py is not installed"
}

@test "h5py reads what is exported, and what h5py writes is imported, under new and old names" {
  needs_h5py
  "$BUILD/tools/make_weights" "$T/ours.h5" --width 4 --seed 3
  run -0 "$PYTHON" tests/tools/keras_h5.py digest "$T/ours.h5"
  [ "${#lines[@]}" -eq 318 ]
  [[ ${lines[0]} == "conv1_conv conv1_conv/kernel:0 7x7x3x4 "* ]]
  [[ ${lines[317]} == "conv5_block3_3_bn conv5_block3_3_bn/moving_variance:0 128 "* ]]
  "$PYTHON" tests/tools/keras_h5.py copy "$T/ours.h5" "$T/theirs.h5"
  "$PYTHON" tests/tools/keras_h5.py copy "$T/ours.h5" "$T/old.h5" --old
  for file in ours theirs old; do
    "$BUILD/helpers/import_weights" "$T/$file.h5" "$T/$file.safetensors" --width 4
    # Most of the values, and not the metadata, which say which names the file had.
    tail -c 300000 "$T/$file.safetensors" | sha256sum >"$T/$file.sum"
  done
  cmp "$T/ours.sum" "$T/theirs.sum"
  cmp "$T/ours.sum" "$T/old.sum"
  grep -aq '"naming":"Keras before 2.2.5"' "$T/old.safetensors"
}

@test "the importer: limits, usage, and no file where it fails" {
  run -2 "$BUILD/helpers/import_weights"
  has "usage: import_weights"
  run -3 "$BUILD/helpers/import_weights" README.md "$T/out.safetensors"
  has "README.md"
  has "neither as HDF5 nor as safetensors"
  "$BUILD/tools/make_weights" "$T/narrow.h5" --width 4
  run -3 "$BUILD/helpers/import_weights" "$T/narrow.h5" "$T/out.safetensors"
  has "narrow.h5: layer conv1_conv, weight kernel (conv1_conv/kernel:0): its shape is [7, 7, 3, 4]; allowed: [7, 7, 3, 64]"
  [ ! -e "$T/out.safetensors" ]
}
