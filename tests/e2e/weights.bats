#!/usr/bin/env bats
# Weights from elsewhere and for elsewhere: files in Keras' HDF5 layout, as h5py reads and writes them.
# Run from the repository's root after `make all tools`: bats tests/e2e/weights.bats

bats_require_minimum_version 1.5.0

setup() {
  BUILD=${BUILD:-build}
  cd "$BATS_TEST_DIRNAME/../.."
  T=$BATS_TEST_TMPDIR WORK=$BATS_TEST_TMPDIR/work
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

# --- the stage -------------------------------------------------------------------------------------------------------

setup_file() {
  export BUILD=${BUILD:-build}
  cd "$BATS_TEST_DIRNAME/../.."
  export EMPTY=$BATS_FILE_TMPDIR/empty WEIGHTS=$BATS_FILE_TMPDIR/weights.h5
  "$BUILD/tools/make_dataset" "$BATS_FILE_TMPDIR/data" --classes 2 --per-class 1 --size 16
  "$BUILD/stages/ingest" --manifest "$EMPTY/manifest.db" --set "dataset.train=$BATS_FILE_TMPDIR/data" --quiet
  "$BUILD/tools/make_weights" "$WEIGHTS"
}

# weights OPTION...: the stage on a manifest of its own, with homes that are empty and a server that is not there
weights() {
  [ -e "$WORK" ] || cp -r "$EMPTY" "$WORK"
  env -u KERAS_HOME HOME="$T/home" XDG_CACHE_HOME="$T/cache" no_proxy='*' "$BUILD/stages/weights" --manifest "$WORK/manifest.db" \
    --set model.name=resnet50 --set "model.weights_url=${URL:-http://127.0.0.1:9/}" "$@"
}

ask() { sqlite3 -cmd ".timeout 10000" "$WORK/manifest.db" "$1"; }

# serve FILE OPTION...: sets URL
serve() {
  rm -f "$T/log" "$T/port"
  "$BUILD/tools/serve_file" "$1" "$T/log" "${@:2}" >"$T/port" 3>&- &
  SERVER=$!
  while [ ! -s "$T/port" ]; do
    kill -0 "$SERVER"
    sleep 0.01
  done
  URL=http://127.0.0.1:$(cat "$T/port")/
}

teardown() {
  if [ -n "${SERVER:-}" ]; then kill "$SERVER"; fi
}

@test "without weights to import there is nothing to do, and seed-cnn has none" {
  run -0 weights
  has "nothing to import: model.weights is none"
  run -2 weights --set model.name=seed-cnn --set "model.weights=$WEIGHTS"
  has "model seed-cnn has no weights to import; allowed: none"
}

@test "a file is imported once, recorded, and found again; another content is another import" {
  cp "$WEIGHTS" "$T/w.h5"
  run -0 weights --set "model.weights=$T/w.h5"
  has "runs because nothing like it was done yet"
  has "Keras HDF5, names of Keras"
  [ "$(ask "SELECT source_sha256, source_bytes, naming, preprocessing FROM weights")" = \
    "$(sha256sum <"$T/w.h5" | cut -c 1-64)|$(stat -c %s "$T/w.h5")|Keras|caffe" ]
  file=$WORK/$(ask "SELECT path FROM weights")
  [ "$(ask "SELECT sha256 FROM weights")" = "$(sha256sum <"$file" | cut -c 1-64)" ]
  [ "$(ask "SELECT item, CAST(place AS TEXT) FROM weights_choice")" = "$T/w.h5|$T/w.h5" ]
  run -0 weights --set "model.weights=$T/w.h5"
  has "up to date: $T/w.h5"
  rm "$file"
  run -0 weights --set "model.weights=$T/w.h5"
  has "it is made again"
  has "runs because what was imported is missing or changed"
  [ "$(ask "SELECT sha256 FROM weights")" = "$(sha256sum <"$file" | cut -c 1-64)" ]
  "$BUILD/tools/make_weights" "$T/w.h5" --seed 1 --old --top
  run -0 weights --set "model.weights=$T/w.h5"
  has "names of Keras before 2.2.5, preprocessing caffe; not used: fc1000"
  [ "$(ask "SELECT count(*) FROM weights")" -eq 2 ]
  [ "$(ask "SELECT weights FROM weights_choice")" -eq 2 ]
}

@test "torchvision's weights go into model.variant v1.5 alone, and Keras' into v1" {
  "$BUILD/tools/make_weights" "$T/torch.safetensors" --torch
  run -1 weights --set "model.weights=$T/torch.safetensors"
  has "torchvision's naming: its ResNet50 has the stride on a block's 3x3 convolution"
  has "set model.variant v1.5"
  run -1 weights --set "model.weights=$WEIGHTS" --set model.variant=v1.5
  has "set model.variant v1"
  [ "$(ask "SELECT count(*) FROM weights")" -eq 0 ]
  run -0 weights --set "model.weights=$T/torch.safetensors" --set model.variant=v1.5
  has "names of torchvision, preprocessing torch"
  [ "$(ask "SELECT naming, preprocessing, model FROM weights JOIN weights_choice ON weights.id = weights")" = "torchvision|torch|resnet50 v1.5" ]
  # What v1.5 found is not what v1 would use.
  run -1 weights --set "model.weights=$T/torch.safetensors"
  run -0 weights --set "model.weights=$T/torch.safetensors" --set model.variant=v1.5
  has "up to date"
}

@test "the first of a list that is there is taken; what is there and wrong is an error" {
  run -0 weights --set "model.weights=$T/absent.h5" --set model.weights+=none
  has "absent.h5: No such file or directory; tries none"
  [ "$(ask "SELECT item, weights IS NULL FROM weights_choice")" = "none|1" ]
  run -0 weights --set "model.weights=$T/absent.h5" --set "model.weights+=$WEIGHTS"
  has "weights: $WEIGHTS from $WEIGHTS"
  run -1 weights --set "model.weights=$T/absent.h5"
  has "absent.h5: No such file or directory"
  run -1 weights --set model.weights=README.md --set model.weights+=none
  has "README.md"
  has "neither as HDF5 nor as safetensors"
}

@test "a truncated file, one of other shapes, a folder: a clear error, and nothing left" {
  head -c 50000000 "$WEIGHTS" >"$T/cut.h5"
  run -1 weights --set "model.weights=$T/cut.h5"
  has "cut.h5: cannot be opened as HDF5: truncated file"
  "$BUILD/tools/make_weights" "$T/narrow.safetensors" --width 32
  run -1 weights --set "model.weights=$T/narrow.safetensors"
  has "narrow.safetensors: layer conv1_conv, weight kernel (conv1_conv/kernel): its shape is [7, 7, 3, 32]; allowed: [7, 7, 3, 64]"
  run -1 weights --set "model.weights=$T"
  has "not a plain file"
  [ -z "$(find "$WORK/weights" -type f)" ]
  [ "$(ask "SELECT count(*) FROM weights")" -eq 0 ]
}

@test "without network, imagenet is told with address, path and checksum; a wrong file in its place with what it is" {
  run -1 weights --set model.weights=imagenet
  has "cannot be downloaded"
  has "https://storage.googleapis.com/tensorflow/keras-applications/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
  has "94765736 bytes, MD5 4d473c1dd8becc155b73f8504c6f6626"
  has "$T/cache/asl-alphabet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
  run -0 weights --set model.weights=imagenet --set model.weights+=none
  has "tries none"
  for place in "$WORK/weights" "$T/cache/asl-alphabet" "$T/home/.keras/models"; do
    mkdir -p "$place"
    file=$place/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5
    cp README.md "$file"
    run -1 weights --set model.weights=imagenet --set model.weights+=none
    has "$file: has $(stat -c %s README.md) bytes, ImageNet's weights have 94765736"
    truncate -s 94765736 "$file"
    run -1 weights --set model.weights=imagenet
    has "$file: has the MD5 "
    rm "$file"
  done
}

@test "a server that says no, or has another file, leaves nothing behind" {
  serve "$WEIGHTS"
  run -1 weights --set model.weights=imagenet
  has "cannot be downloaded: $URL: the server's file has" # ours is a few bytes shorter or longer
  kill "$SERVER"
  serve "$WEIGHTS" --status 404
  run -1 weights --set model.weights=imagenet
  has "404"
  has "Without network, put"
  [ -z "$(find "$T/cache" -type f)" ]
}

@test "Ctrl-C keeps what was downloaded, and the next execution goes on there" {
  truncate -s 94765736 "$T/served"
  serve "$T/served" --slow
  part=$T/cache/asl-alphabet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5.part
  cp -r "$EMPTY" "$WORK"
  # Not by a function: the signal would go to a subshell. A shell's background job ignores SIGINT, so its like is sent.
  env HOME="$T/home" XDG_CACHE_HOME="$T/cache" no_proxy='*' "$BUILD/stages/weights" --manifest "$WORK/manifest.db" \
    --set model.name=resnet50 --set "model.weights_url=$URL" --set model.weights=imagenet 3>&- 2>"$T/stderr" &
  pid=$!
  while [ ! -s "$part" ]; do kill -0 $pid; sleep 0.05; done
  kill -TERM $pid
  status=0
  wait $pid || status=$?
  [ "$status" -eq 130 ]
  grep -q "stopped at" "$T/stderr"
  kept=$(stat -c %s "$part")
  [ "$kept" -gt 0 ]
  kill "$SERVER"
  serve "$T/served"
  run -1 weights --set model.weights=imagenet # all zeros: the checksum finds out, after a second download from the start
  has "the server's file has the MD5"
  [ "$(cat "$T/log")" = "$kept
whole" ]
  [ -z "$(find "$T/cache" -type f)" ]
}

@test "a killed import leaves nothing that the next execution does not mend" {
  for delay in 0.03 0.15; do
    rm -rf "$WORK"
    cp -r "$EMPTY" "$WORK"
    "$BUILD/stages/weights" --manifest "$WORK/manifest.db" --set model.name=resnet50 --set "model.weights=$WEIGHTS" --quiet 3>&- &
    pid=$!
    sleep "$delay"
    kill -KILL $pid 2>/dev/null || true
    wait $pid || true
    while pgrep -f "import_weights .*$WORK/" >/dev/null; do sleep 0.02; done # dies with the stage, a moment after it
    run -0 weights --set "model.weights=$WEIGHTS"
    [ "$(ask "SELECT count(*) FROM weights")" -eq 1 ]
    [ "$(find "$WORK/weights" -type f | wc -l)" -eq 1 ]
    [ "$(ask "SELECT sha256 FROM weights")" = "$(sha256sum <"$WORK/$(ask "SELECT path FROM weights")" | cut -c 1-64)" ]
  done
}
