#!/usr/bin/env bats
# A frozen trunk runs once: the features of images are kept, read by training and evaluation, made again where they are missing; and
# what it starts from is the imported file's.
# Run from the repository's root after `make all tools`: bats tests/e2e/features.bats

bats_require_minimum_version 1.5.0

setup_file() {
  export BUILD=${BUILD:-build}
  cd "$BATS_TEST_DIRNAME/../.."
  export PREPARED=$BATS_FILE_TMPDIR/prepared
  "$BUILD/tools/make_dataset" "$BATS_FILE_TMPDIR/data" --classes 2 --per-class 8 --size 48
  "$BUILD/tools/make_dataset" "$BATS_FILE_TMPDIR/other" --classes 2 --per-class 2 --size 48 --seed 9
  "$BUILD/tools/make_weights" "$BATS_FILE_TMPDIR/w.h5"
  cat >"$BATS_FILE_TMPDIR/exp.yaml" <<-EOF
	dataset:
	  train: ["$BATS_FILE_TMPDIR/data"]
	split: {method: random, val: 0.25}
	resize: {size: 224}
	model: {name: resnet50, trainable: head, weights: ["$BATS_FILE_TMPDIR/w.h5"]}
	train: {epochs: 2, batch: 4, lr: 1.0e-5}
	EOF
  for stage in ingest split resize weights; do at "$PREPARED" $stage --quiet; done
}

# at WORK STAGE OPTION...
at() {
  "$BUILD/stages/$2" --manifest "$1/manifest.db" --config "$BATS_FILE_TMPDIR/exp.yaml" "${@:3}"
}

setup() {
  WORK=$BATS_TEST_TMPDIR/work
  cp -r "$PREPARED" "$WORK"
}

ask() { sqlite3 -cmd ".timeout 10000" "$WORK/manifest.db" "$1"; }

has() {
  [[ $output == *"$1"* ]] || { printf 'missing: %s\nin: %s\n' "$1" "$output"; return 1; }
}

@test "features are made once, trained on, judged, and found again" {
  run -1 at "$WORK" train
  has "no features for this configuration: run build/stages/features first"
  run -0 at "$WORK" features
  has "16 rows of 100352 numbers (bf16), 3 MiB on the disk"
  [ "$(ask "SELECT dtype, channels, rows, state FROM tensor_set WHERE kind = 'features'")" = "BF16|100352|16|done" ]
  run -0 at "$WORK" features
  has "up to date: 16 rows of 100352 numbers"
  run -0 at "$WORK" train
  has "Slice"
  has "epoch 2/2"
  [ "$(ask "SELECT w.source_format FROM run_weights JOIN weights w ON w.id = weights")" = "Keras HDF5" ]
  run -0 at "$WORK" evaluate
  has "val "
  accuracy=$(ask "SELECT value FROM metric WHERE part = 'val' AND name = 'accuracy'")
  [ "$accuracy" = "$(ask "SELECT best_val_accuracy FROM run")" ]
  # The report's page on throughput takes what was logged of the run's datasets.
  [ "$(ask "SELECT subject = datasets FROM throughput, run_datasets WHERE stage = 'features'")" = 1 ]
  # Pictures from elsewhere go through the whole net: the imported trunk and the trained head.
  run -0 at "$WORK" evaluate --data "$BATS_FILE_TMPDIR/other"
  has "outside:other"
  [ "$(ask "SELECT count(*) FROM prediction WHERE part = 'outside:other'")" -eq 4 ]
  # Exported, the whole model: the trunk never changed, and imports as what it came from.
  run -0 at "$WORK" export --to "$BATS_TEST_TMPDIR/all.h5"
  has "322"
  run -0 at "$WORK" export --trunk --to "$BATS_TEST_TMPDIR/trunk.h5"
  has "318"
  "$BUILD/helpers/import_weights" "$BATS_TEST_TMPDIR/trunk.h5" "$BATS_TEST_TMPDIR/trunk.safetensors"
  cmp "$BATS_TEST_TMPDIR/trunk.safetensors" "$WORK/$(ask "SELECT path FROM weights")"
  run -2 at "$WORK" export --to "$BATS_TEST_TMPDIR/all.onnx"
  has "allowed: .h5, .hdf5, .safetensors"
}

@test "fine-tuning a head goes on from its run's own trunk" {
  at "$WORK" features --quiet
  at "$WORK" train --quiet
  # Nothing else is said: the trunk is the run's, and its features are there.
  none=(--set name=fine --set model.start=exp --set model.weights=none --set train.lr=1e-30 --set train.epochs=1)
  run -0 at "$WORK" features "${none[@]}"
  has "up to date"
  run -0 at "$WORK" train "${none[@]}"
  has "starts from the weights of $WORK/runs/exp/weights/best.safetensors"
  at "$WORK" evaluate --quiet >/dev/null
  at "$WORK" evaluate --quiet "${none[@]}" >/dev/null
  [ "$(ask "SELECT count(*), count(DISTINCT m.value) FROM metric m WHERE part = 'val' AND name = 'accuracy'")" = "2|1" ]
  [ "$(ask "SELECT count(DISTINCT weights) FROM run_weights")" -eq 1 ]
  # Named as well, it must be the same.
  run -0 at "$WORK" features --set name=fine --set model.start=exp
  "$BUILD/tools/make_weights" "$BATS_TEST_TMPDIR/other.h5" --seed 5
  at "$WORK" weights --quiet --set "model.weights=$BATS_TEST_TMPDIR/other.h5"
  run -2 at "$WORK" features --set model.start=exp --set "model.weights=$BATS_TEST_TMPDIR/other.h5"
  has "the head of run exp was trained on another trunk than model.weights has"
  run -2 at "$WORK" features "${none[@]}" --set model.variant=v1.5
  has "run exp is of model.variant v1, not v1.5"
  run -2 at "$WORK" features "${none[@]}" --set "model.start=$WORK/runs/exp/weights/best.safetensors"
  has "does not tell on which frozen trunk its head was trained"
}

@test "what was not frozen is exported as it was trained" {
  at "$WORK" features --quiet --set model.trainable=last4
  run -0 at "$WORK" train --set model.trainable=last4 --set train.epochs=1
  has "conv5_block3_3_bn"
  run -0 at "$WORK" evaluate --set model.trainable=last4 --set train.epochs=1
  [ "$(ask "SELECT value FROM metric WHERE part = 'val' AND name = 'accuracy'")" = "$(ask "SELECT best_val_accuracy FROM run")" ]
  run -0 at "$WORK" export --set model.trainable=last4 --set train.epochs=1 --trunk --to "$BATS_TEST_TMPDIR/trunk.safetensors"
  run ! cmp -s "$BATS_TEST_TMPDIR/trunk.safetensors" "$WORK/$(ask "SELECT path FROM weights")"
  run -0 at "$WORK" weights --set "model.weights=$BATS_TEST_TMPDIR/trunk.safetensors"
}

@test "a head on a trunk that was drawn is not exported as if it were the model" {
  drawn=(--set model.weights=none --set train.epochs=1)
  for stage in features train; do at "$WORK" $stage --quiet "${drawn[@]}"; done
  run -1 at "$WORK" export "${drawn[@]}" --to "$BATS_TEST_TMPDIR/all.h5"
  has "run exp has the weights of its head alone"
  [ ! -e "$BATS_TEST_TMPDIR/all.h5" ]
}

@test "what changes the features makes them anew, what does not uses them again" {
  at "$WORK" features --quiet
  run -0 at "$WORK" features --set train.epochs=9 --set train.lr=1 --set model.dropout=0.1
  has "up to date"
  run -0 at "$WORK" features --set model.trainable=last4
  has "model.trainable changed from head to last4"
  has "16 rows of 125440 numbers"
  run -0 at "$WORK" features --set model.trainable=all
  has "nothing to keep: model.trainable is all"
  run -0 at "$WORK" features --set augment.mode=online
  has "nothing to keep: augment.mode online"
  [ "$(ask "SELECT count(*) FROM tensor_set WHERE kind = 'features'")" -eq 2 ]
}

@test "augmented copies have features of their own, and epochs take them in turn" {
  at "$WORK" augment --quiet --set augment.mode=copies --set augment.copies=2 --set augment.rotate=10
  run -0 at "$WORK" features --set augment.mode=copies --set augment.copies=2 --set augment.rotate=10
  has "24 rows of 100352 numbers" # 12 training images, twice
  [ "$(ask "SELECT group_concat(DISTINCT variant) FROM tensor_row JOIN tensor_set t ON t.id = tensor_set
    WHERE t.kind = 'features' AND t.split IS NOT NULL")" = "1,2" ]
  run -0 at "$WORK" train --set augment.mode=copies --set augment.copies=2 --set augment.rotate=10
  has "epoch 2/2"
}

# What a row holds, whichever file it is in: the data of all files, headers left out, in the order of the rows
contents() {
  ask "SELECT path, f.rows * channels * iif(dtype = 'U8', 1, 2) FROM tensor_file f JOIN tensor_set t ON t.id = tensor_set
    WHERE kind = 'features' ORDER BY t.split IS NOT NULL, f.ordinal" |
    while IFS='|' read -r path bytes; do tail -c "$bytes" "$WORK/$path"; done | sha256sum
}

@test "a killed execution goes on, to the same bytes: at any file of two sets, and within one" {
  copies=(--set augment.mode=copies --set augment.copies=2 --set augment.rotate=10 --set features.file_mib=1)
  at "$WORK" augment --quiet "${copies[@]}"
  augmented=$BATS_TEST_TMPDIR/augmented
  cp -r "$WORK" "$augmented"
  files="SELECT count(*) FROM tensor_file JOIN tensor_set t ON t.id = tensor_set WHERE kind = 'features'"
  digests="SELECT group_concat(sha256, ' ') FROM (SELECT f.sha256 FROM tensor_file f JOIN tensor_set t ON t.id = tensor_set
    WHERE kind = 'features' ORDER BY t.split IS NOT NULL, f.ordinal)"
  at "$WORK" features --quiet "${copies[@]}"
  [ "$(ask "$files")" -eq 9 ] # 16 rows and 24, at most 5 in a file
  wanted=$(ask "$digests") rows=$(contents) on_disk=$(find "$WORK/tensors" -type f | wc -l)
  for kill_at in 1 4 7; do
    rm -r "$WORK"
    cp -r "$augmented" "$WORK"
    "$BUILD/stages/features" --manifest "$WORK/manifest.db" --config "$BATS_FILE_TMPDIR/exp.yaml" --threads 1 --quiet "${copies[@]}" 3>&- &
    pid=$!
    while [ "$(ask "$files")" -lt $kill_at ] && kill -0 $pid 2>/dev/null; do :; done
    sleep 0.02 # into the next file
    kill -KILL $pid 2>/dev/null || true
    wait $pid || true
    kept=$(ask "$files")
    [ "$kept" -ge $kill_at ]
    run -0 at "$WORK" features "${copies[@]}"
    if [ "$kept" -eq 1 ]; then has "5 of 16 images"; fi
    [ "$(ask "$digests")" = "$wanted" ]
    [ "$(find "$WORK/tensors" -type f | wc -l)" -eq "$on_disk" ] # nothing left over
  done
  # Files of another size hold the same rows.
  rm -r "$WORK"
  cp -r "$augmented" "$WORK"
  at "$WORK" features --quiet "${copies[@]}" --set features.file_mib=64
  [ "$(ask "$files")" -eq 2 ]
  [ "$(contents)" = "$rows" ]
}

@test "epochs see the copies in turn: those of one copy have one loss, those of another another" {
  # A rate that changes no weight, and no dropout: an epoch's loss depends on nothing but the copies that it sees.
  still=(--set augment.mode=copies --set augment.copies=2 --set augment.rotate=20 --set augment.noise=20 --set model.dropout=0
    --set train.lr=1e-30 --set train.epochs=5 --set train.weight_decay=0)
  for stage in augment features train; do at "$WORK" $stage --quiet "${still[@]}"; done
  [ "$(ask "SELECT count(*) FROM epoch")" -eq 5 ]
  [ "$(ask "SELECT group_concat(epoch) FROM epoch WHERE abs(train_loss - (SELECT train_loss FROM epoch WHERE epoch = 1)) < 1e-5")" = "1,3,5" ]
  [ "$(ask "SELECT group_concat(epoch) FROM epoch WHERE abs(train_loss - (SELECT train_loss FROM epoch WHERE epoch = 2)) < 1e-5")" = "2,4" ]
}

@test "features kept as bytes: half the disk, another key, trained on and judged" {
  at "$WORK" features --quiet
  run -0 at "$WORK" features --set features.storage=u8
  has "features.storage"
  has "16 rows of 100352 numbers (u8), 1 MiB"
  [ "$(ask "SELECT dtype, channels FROM tensor_set WHERE kind = 'features' ORDER BY id DESC LIMIT 1")" = "U8|101920" ]
  run -0 at "$WORK" features --set features.storage=auto
  has "up to date"
  run -0 at "$WORK" train --set features.storage=u8
  has "epoch 2/2"
  run -0 at "$WORK" evaluate --set features.storage=u8
  [ "$(ask "SELECT value FROM metric WHERE part = 'val' AND name = 'accuracy'")" = "$(ask "SELECT best_val_accuracy FROM run")" ]
  # What it changes is small, and it is another run.
  at "$WORK" train --quiet
  [ "$(ask "SELECT count(DISTINCT key) FROM run")" -eq 2 ]
  [ "$(ask "SELECT count(*) FROM epoch a JOIN epoch b ON a.epoch = b.epoch AND a.run < b.run
    WHERE a.epoch = 1 AND abs(a.train_loss - b.train_loss) < 0.05 * b.train_loss AND a.train_loss <> b.train_loss")" -eq 1 ]
  run -2 at "$WORK" features --set features.storage=f16
  has "auto, bf16 or u8"
}

@test "features on bytes: calibrated once, near to those of fp32, trained on and judged, also on other pictures" {
  bytes=(--set features.precision=int8 --set features.calibrate=4)
  at "$WORK" features --quiet
  run -0 at "$WORK" features "${bytes[@]}"
  has "int8: what bytes stand for, from 4 training images"
  has ", int8), "
  [ "$(ask "SELECT images, judged, cosine_mean BETWEEN 0.99 AND 0.99999 FROM calibration")" = "4|4|1" ]
  [ "$(ask "SELECT count(*) FROM calibration_range WHERE layer GLOB 'conv*_conv'")" -eq 53 ]
  [ "$(ask "SELECT count(*) FROM tensor_set WHERE kind = 'features' AND state = 'done'")" -eq 2 ]
  run -0 at "$WORK" features "${bytes[@]}"
  has "up to date"
  rm "$WORK/$(ask "SELECT path FROM tensor_file JOIN tensor_set t ON t.id = tensor_set WHERE kind = 'features' ORDER BY t.id DESC LIMIT 1")"
  run -0 at "$WORK" features "${bytes[@]}"
  run ! has "what bytes stand for" # it was calibrated
  run -0 at "$WORK" train "${bytes[@]}"
  run -0 at "$WORK" evaluate "${bytes[@]}"
  [ "$(ask "SELECT value FROM metric WHERE part = 'val' AND name = 'accuracy'")" = "$(ask "SELECT best_val_accuracy FROM run")" ]
  # The whole net works on the same bytes: the training folder's own pictures get the predictions that their features got.
  mkdir "$BATS_TEST_TMPDIR/again"
  cp -r "$BATS_FILE_TMPDIR/data/." "$BATS_TEST_TMPDIR/again"
  for file in "$BATS_TEST_TMPDIR/again"/*/*.jpg; do printf x >>"$file"; done # the same pixels, other bytes
  run -0 at "$WORK" evaluate "${bytes[@]}" --data "$BATS_TEST_TMPDIR/again"
  [ "$(ask "SELECT count(*), max(abs(p.loss - o.loss)) < 0.02 * max(p.loss) FROM prediction p JOIN image i ON i.id = p.image
    JOIN image j ON j.path = i.path AND j.id <> i.id JOIN prediction o ON o.image = j.id WHERE p.part = 'val' AND o.part = 'outside:again'")" = "4|1" ]
  # Another split has other training images: another calibration.
  at "$WORK" split --quiet --set seed=5
  run -0 at "$WORK" features "${bytes[@]}" --set seed=5
  has "calibration"
  [ "$(ask "SELECT count(*) FROM calibration")" -eq 2 ]
}

@test "features on bytes that differ too much are refused; so are ranges that somebody changed" {
  bytes=(--set features.precision=int8 --set features.calibrate=4)
  run -1 at "$WORK" features "${bytes[@]}" --set features.least_cosine=1
  has "features.least_cosine is 1"
  [ "$(ask "SELECT (SELECT count(*) FROM calibration) + (SELECT count(*) FROM tensor_set WHERE kind = 'features')")" -eq 0 ]
  run -2 at "$WORK" features --set features.precision=int4
  has "auto or int8"
  at "$WORK" features --quiet "${bytes[@]}"
  # The limit holds for what is there already, too.
  run -1 at "$WORK" features "${bytes[@]}" --set features.least_cosine=1
  has "features.least_cosine is 1"
  at "$WORK" train --quiet "${bytes[@]}"
  ask "UPDATE calibration_range SET range = 9e999 WHERE layer = 'conv2_block1_1_conv'"
  run -1 at "$WORK" evaluate "${bytes[@]}" --data "$BATS_FILE_TMPDIR/other"
  has "layer conv2_block1_1_conv: a range of inf"
  ask "DELETE FROM calibration"
  run -1 at "$WORK" evaluate "${bytes[@]}" --data "$BATS_FILE_TMPDIR/other"
  has "not calibrated yet: run build/stages/features first"
}

@test "model.variant v1.5 runs from torchvision's weights to an export, and is told from v1 on the way" {
  "$BUILD/tools/make_weights" "$BATS_TEST_TMPDIR/torch.safetensors" --torch
  late=(--set model.variant=v1.5 --set "model.weights=$BATS_TEST_TMPDIR/torch.safetensors" --set train.epochs=1)
  for stage in weights features train evaluate; do at "$WORK" $stage --quiet "${late[@]}"; done
  run -0 at "$WORK" evaluate "${late[@]}" --data "$BATS_FILE_TMPDIR/other"
  run -2 at "$WORK" export "${late[@]}" --trunk --to "$BATS_TEST_TMPDIR/trunk.h5"
  has "allowed: .safetensors"
  run -0 at "$WORK" export "${late[@]}" --trunk --to "$BATS_TEST_TMPDIR/trunk.safetensors"
  run -1 at "$WORK" weights --set "model.weights=$BATS_TEST_TMPDIR/trunk.safetensors"
  has "set model.variant v1.5"
  run -0 at "$WORK" weights --set model.variant=v1.5 --set "model.weights=$BATS_TEST_TMPDIR/trunk.safetensors"
  run -1 at "$WORK" features --set "model.weights=$BATS_TEST_TMPDIR/trunk.safetensors"
  has "run build/stages/weights first"
  run -2 at "$WORK" train --set model.name=seed-cnn --set model.trainable=all --set model.weights=none --set model.variant=v1.5
  has "v1.5 is a variant of resnet50"
}

# `features` where the tensors are on a disk of so many MiB: on_a_small_disk MIB [OPTION...]
on_a_small_disk() {
  unshare -rm sh -c 'kept=$(mktemp -d) && cp "$1"/tensors/* "$kept" && mount -t tmpfs -o size="$2m" tmpfs "$1/tensors" &&
    cp "$kept"/* "$1/tensors" && rm -r "$kept" && manifest=$1/manifest.db config=$3 && shift 3 &&
    exec "$BUILD/stages/features" --manifest "$manifest" --config "$config" "$@"' sh \
    "$WORK" "$1" "$BATS_FILE_TMPDIR/exp.yaml" "${@:2}"
}

@test "a disk too small, weights that are gone or changed: told before anything is made" {
  if unshare -rm true 2>/dev/null; then
    run -1 on_a_small_disk 4
    has "16 rows of 200704 bytes need 3 MiB, its disk has 1 MiB free"
    run -1 on_a_small_disk 4 --set features.precision=int8 --set features.calibrate=4
    has "16 rows of 200704 bytes need 3 MiB, its disk has 1 MiB free"
    [[ $output != *"what bytes stand for"* ]]
    [ "$(ask "SELECT count(*) FROM calibration")" -eq 0 ]
    # Each of two sets would fit, both do not.
    copies=(--set augment.mode=copies --set augment.copies=1 --set augment.rotate=10)
    at "$WORK" augment --quiet "${copies[@]}"
    run -1 on_a_small_disk 9 "${copies[@]}"
    has "28 rows of 200704 bytes need 5 MiB, its disk has"
    # So where one of them is done, but its file is gone.
    at "$WORK" features --quiet
    rm "$WORK/$(ask "SELECT path FROM tensor_file JOIN tensor_set t ON t.id = tensor_set WHERE kind = 'features'")"
    run -1 on_a_small_disk 9 "${copies[@]}"
    has "28 rows of 200704 bytes need 5 MiB, its disk has"
    ask "DELETE FROM tensor_set WHERE kind = 'features'"
  fi
  file=$WORK/$(ask "SELECT path FROM weights")
  chmod u+w "$file"
  printf x | dd of="$file" bs=1 seek=1000000 conv=notrunc status=none
  run -1 at "$WORK" features
  has "has SHA-256"
  has "run build/stages/weights again"
  rm "$file"
  run -1 at "$WORK" features
  has "No such file or directory, but the manifest has it as done"
  [ "$(ask "SELECT count(*) FROM tensor_file JOIN tensor_set t ON t.id = tensor_set WHERE kind = 'features'")" -eq 0 ]
  run -0 at "$WORK" weights
  has "it is made again"
  run -0 at "$WORK" features
}
