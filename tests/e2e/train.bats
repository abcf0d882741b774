#!/usr/bin/env bats
# From a folder of photographs to a trained and judged network, on a small drawn dataset: what is up to date, what goes on after
# an interruption, and that nothing of this changes a bit.
# Run from the repository's root after `make all tools`: bats tests/e2e/train.bats

bats_require_minimum_version 1.5.0

setup_file() {
  export BUILD=${BUILD:-build}
  export DATA=$BATS_FILE_TMPDIR/data PREPARED=$BATS_FILE_TMPDIR/prepared
  "$BUILD/tools/make_dataset" "$DATA" --classes 5 --per-class 16 --size 40
  cat >"$BATS_FILE_TMPDIR/exp.yaml" <<-EOF
	dataset:
	  train: ["$DATA"]
	train:
	  epochs: 4
	  batch: 8
	EOF
  for stage in ingest split resize; do at "$PREPARED" $stage; done >/dev/null
}

# at WORK STAGE OPTION...
at() {
  "$BUILD/stages/$2" --manifest "$1/manifest.db" --config "$BATS_FILE_TMPDIR/exp.yaml" "${@:3}"
}

setup() {
  WORK=$BATS_TEST_TMPDIR/work
  cp -r "$PREPARED" "$WORK"
}

# A process that was killed may still be dying, its lock with it.
ask() { sqlite3 -cmd ".timeout 10000" "$WORK/manifest.db" "$1"; }

has() {
  [[ $output == *"$1"* ]] || { printf 'missing: %s\nin: %s\n' "$1" "$output"; return 1; }
}

# The digest of the last weights of an uninterrupted run with these options, trained once for all tests.
reference() {
  local name work
  name=$(printf '%s' "$*" | tr -c 'a-z0-9' _)
  work=$BATS_FILE_TMPDIR/reference-$name
  if [ ! -e "$work/hash" ]; then
    cp -r "$PREPARED" "$work"
    at "$work" train --quiet "$@" >/dev/null
    sqlite3 "$work/manifest.db" 'SELECT weights_sha256, best_sha256 FROM run' >"$work/hash"
  fi
  cat "$work/hash"
}

# Trains in the background until the first checkpoint is there, then sends the signal. Sets $status to the stage's.
interrupt() {
  local signal=$1 pid=0
  "$BUILD/stages/train" --manifest "$WORK/manifest.db" --config "$BATS_FILE_TMPDIR/exp.yaml" --quiet \
    --set train.checkpoint_seconds=0.01 "${@:2}" 3>&- & # not by at(): the signal would go to a subshell
  pid=$!
  while [ ! -e "$WORK/runs/exp/weights/last.safetensors" ]; do
    kill -0 "$pid"
    sleep 0.01
  done
  kill -s "$signal" "$pid"
  status=0
  wait "$pid" || status=$?
}

@test "a folder becomes a trained and judged network, and a second time nothing is done" {
  run -0 at "$WORK" augment
  has "nothing to materialise: augment.mode is off"
  run -0 at "$WORK" train
  has "predictions"
  has "epoch 4/4"
  has "weights sha256"
  [ -s "$WORK/runs/exp/args.yaml" ]
  [ "$(head -n 1 "$WORK/runs/exp/results.csv")" = "epoch,time,train/loss,train/accuracy,val/loss,val/accuracy,lr" ]
  [ "$(wc -l <"$WORK/runs/exp/results.csv")" -eq 5 ]
  [ "$(ask "SELECT state, stopped, count(*) FROM run JOIN epoch ON epoch.run = run.id")" = "done|epochs|4" ]
  run -0 at "$WORK" evaluate
  has "val "
  # The judgement is of the weights of the best epoch, to the last digit.
  [ "$(ask "SELECT value = best_val_accuracy AND value = val_accuracy FROM metric JOIN run ON run.id = metric.run
            JOIN epoch ON epoch.run = run.id AND epoch.epoch = run.best_epoch
            WHERE part = 'val' AND metric.name = 'accuracy'")" = 1 ]
  [ "$(ask "SELECT abs(value - val_loss) < 1e-12 FROM metric JOIN run ON run.id = metric.run
            JOIN epoch ON epoch.run = run.id AND epoch.epoch = run.best_epoch
            WHERE part = 'val' AND metric.name = 'loss'")" = 1 ]
  [ "$(ask "SELECT count(*) FROM prediction")" -eq "$(ask "SELECT count(*) FROM split_image WHERE part = 'val'")" ]
  last=$(ask "SELECT max(id) FROM stage_log")
  for stage in ingest split resize train evaluate; do
    run -0 at "$WORK" $stage
    has "up to date"
  done
  [ "$(ask "SELECT count(*), sum(images) FROM stage_log WHERE id > $last")" = "5|0" ]
  [ "$(ask "SELECT count(*) FROM run")" -eq 1 ]
  run -0 at "$WORK" evaluate --run exp --json
  has '"run":"exp"'
}

@test "the same weights again, and for 1, 2 and 4 threads" {
  wanted=$(reference)
  for threads in 1 2 4; do
    rm -rf "$WORK"
    for stage in ingest split resize train; do at "$WORK" $stage --quiet --threads $threads >/dev/null; done
    [ "$(ask "SELECT weights_sha256, best_sha256 FROM run")" = "$wanted" ]
  done
}

@test "killed in the middle of an epoch, it goes on and makes the same weights" {
  wanted=$(reference)
  interrupt KILL
  [ "$status" -eq 137 ]
  [ "$(ask "SELECT state FROM run")" = running ]
  run -0 at "$WORK" train
  has "goes on at epoch"
  [ "$(ask "SELECT weights_sha256, best_sha256 FROM run")" = "$wanted" ]
  [ "$(ask "SELECT count(*) FROM epoch")" -eq 4 ]
  [ -z "$(find "$WORK" -name '.publishing-*')" ]
}

@test "killed again and again, it still arrives" {
  wanted=$(reference)
  killed=0
  for delay in 0.05 0.1 0.2 0.3 0.4 0.5 0.6; do
    status=0
    timeout -s KILL $delay "$BUILD/stages/train" --manifest "$WORK/manifest.db" --config "$BATS_FILE_TMPDIR/exp.yaml" \
      --quiet --set train.checkpoint_seconds=0.01 >/dev/null || status=$?
    [ "$status" -ne 137 ] || killed=$((killed + 1))
    [ "$(ask "PRAGMA integrity_check")" = ok ]
  done
  [ "$killed" -gt 0 ]
  run -0 at "$WORK" train --quiet
  [ "$(ask "SELECT weights_sha256, best_sha256 FROM run")" = "$wanted" ]
}

@test "interrupted by SIGINT or SIGTERM, it goes on to the same weights" {
  wanted=$(reference)
  for signal in INT TERM; do
    rm -rf "$WORK" && cp -r "$PREPARED" "$WORK"
    interrupt $signal
    [ "$status" -eq 130 ]
    [ "$(ask "SELECT state FROM run")" = interrupted ]
    run -0 at "$WORK" train
    has "goes on at epoch"
    [ "$(ask "SELECT weights_sha256, best_sha256 FROM run")" = "$wanted" ]
  done
}

@test "more epochs go on from the shorter run, to the weights of a long one" {
  long=$(reference)
  at "$WORK" train --quiet --set train.epochs=2 >/dev/null
  at "$WORK" train --quiet --set train.epochs=1 --set train.lr=0.01 >/dev/null # the latest run is not the nearest
  run -0 at "$WORK" train
  has "train.epochs changed from 2 to 4"
  has "goes on at epoch 3 of 4"
  has "from run exp"
  [ "$(ask "SELECT weights_sha256, best_sha256 FROM run WHERE name = 'exp-3'")" = "$long" ]
  [ "$(ask "SELECT count(*) FROM epoch JOIN run ON run.id = run WHERE name = 'exp-3'")" -eq 4 ]
  [ "$(ask "SELECT state FROM run WHERE name = 'exp'")" = done ]
  run -0 at "$WORK" train --set train.epochs=3 # the longest run can't be cut, the shorter one goes on
  has "goes on at epoch 3 of 3"
  has "from run exp"
}

@test "a cosine schedule depends on its end: more epochs start anew" {
  at "$WORK" train --quiet --set train.schedule=cosine --set train.epochs=1 >/dev/null
  run -0 at "$WORK" train --set train.schedule=cosine --set train.epochs=2
  has "train.epochs changed from 1 to 2"
  has "epoch 1/2"
}

@test "augmented copies are recorded, trained on in turn, and made once" {
  copies=(--set augment.mode=copies --set augment.copies=2 --set augment.rotate=10 --set train.epochs=1)
  run -0 at "$WORK" augment "${copies[@]}"
  has "2 copies of"
  train=$(ask "SELECT count(*) FROM split_image WHERE part = 'train'")
  [ "$(ask "SELECT count(*) FROM tensor_row WHERE variant > 0 AND json_extract(parameters, '$.rotate') <> 0")" -eq $((2 * train)) ]
  run -0 at "$WORK" augment "${copies[@]}"
  has "up to date"
  run -0 at "$WORK" train "${copies[@]}"
  run -0 at "$WORK" evaluate "${copies[@]}"
  has "val "
}

@test "augmentation on the fly gives the same weights for any number of threads, and others than none" {
  online=(--set augment.mode=online --set augment.rotate=10 --set augment.noise=4 --set train.epochs=1 --quiet)
  at "$WORK" train "${online[@]}" --threads 1 >/dev/null
  first=$(ask "SELECT weights_sha256 FROM run")
  at "$WORK" train "${online[@]}" --threads 3 --again >/dev/null
  [ "$(ask "SELECT weights_sha256 FROM run")" = "$first" ]
  at "$WORK" train --quiet --set train.epochs=1 >/dev/null
  [ "$(ask "SELECT count(DISTINCT weights_sha256) FROM run")" -eq 2 ]
}

# json TEXT PATH...: values of a JSON text, by SQLite's functions.
json() { sqlite3 :memory: "SELECT json_extract('${1//\'/\'\'}', $2)"; }

@test "what training saw is drawn again, with its parameters" {
  with=(--set augment.mode=online --set augment.rotate=10 --set augment.background=1 --set augment.noise=4 --set augment.jpeg=1)
  image=$(ask "SELECT image FROM split_image WHERE part = 'train' ORDER BY image LIMIT 1")
  path=$(ask "SELECT shown FROM image WHERE id = $image")
  replay() { at "$WORK" augment "${with[@]}" --quiet --replay "$@"; }
  run -0 replay "$image" --epoch 2 --out "$WORK/a.png"
  [ "$(json "$output" "'$.epoch', '$.images[0].path', '$.images[0].share', '$.images[1]'")" = "[2,\"$path\",1,null]" ]
  first=$output
  run -0 replay "$path" --epoch 2 --out "$WORK/b.png"
  [ "$output" = "$first" ]
  cmp "$WORK/a.png" "$WORK/b.png"
  replay "$image" --epoch 3 --out "$WORK/b.png" >/dev/null
  run ! cmp -s "$WORK/a.png" "$WORK/b.png"
  # Copy 2 is epoch 2: the files of the copies have the same parameters and pixels.
  copies=("${with[@]}" --set augment.mode=copies --set augment.copies=2 --quiet)
  at "$WORK" augment "${copies[@]}"
  [ "$(ask "SELECT json(parameters) FROM tensor_row WHERE image = $image AND variant = 2")" = \
    "$(json "$first" "'$.images[0].parameters'")" ]
  for epoch in 2 4; do # copies take turns
    run -0 at "$WORK" augment "${copies[@]}" --replay "$image" --epoch $epoch --out "$WORK/b.png"
    [ "$(json "$output" "'$.images[0].parameters'")" = "$(json "$first" "'$.images[0].parameters'")" ]
    cmp "$WORK/a.png" "$WORK/b.png"
  done
  run -0 replay "$image" --set train.mixup=1 --out "$WORK/a.jpg"
  [ "$(json "$output" "'$.images[0].share'")" != 1.0 ]
  [[ "$(json "$output" "'$.images[1].path'")" == */* ]]
  run -2 replay "nobody/knows.jpg" --out "$WORK/c.png"
  [ ! -e "$WORK/c.png" ]
  run -2 replay "$image" --epoch 0 --out "$WORK/c.png"
}

@test "with mixup, averaged weights, centralized gradients and muon: other weights, the same after kill -9, and the best are the averages" {
  with=(--set train.mixup=0.4 --set train.ema=0.9 --set train.centralize=true --set train.optimizer=muon)
  wanted=$(reference "${with[@]}")
  [ "$wanted" != "$(reference)" ]
  [ "${wanted%|*}" != "${wanted#*|}" ]
  interrupt KILL "${with[@]}"
  run -0 at "$WORK" train "${with[@]}" --threads 3
  has "goes on"
  has "averaged weights"
  [ "$(ask "SELECT weights_sha256, best_sha256 FROM run")" = "$wanted" ]
  run -0 at "$WORK" evaluate "${with[@]}"
  [ "$(ask "SELECT value = best_val_accuracy FROM metric JOIN run ON run.id = metric.run
            WHERE part = 'val' AND metric.name = 'accuracy'")" = 1 ]
}

@test "a photograph that changed after ingest is an error that names it" {
  cp -r "$DATA" "$BATS_TEST_TMPDIR/data"
  rm -rf "$WORK"
  mine=(--set "dataset.train=$BATS_TEST_TMPDIR/data")
  at "$WORK" ingest --quiet "${mine[@]}"
  victim=$(find "$BATS_TEST_TMPDIR/data" -name '*.jpg' | sort | sed -n 3p)
  other=$(find "$BATS_TEST_TMPDIR/data" -name '*.jpg' | sort | sed -n 4p)
  cat "$other" >"$victim"
  run -1 at "$WORK" resize "${mine[@]}"
  has "$victim"
  has "run ingest again"
  [ "$(ask "SELECT state FROM tensor_set")" != done ]
}

@test "of several photographs that changed, the first is named, whichever thread meets one first" {
  cp -r "$DATA" "$BATS_TEST_TMPDIR/data"
  rm -rf "$WORK"
  mine=(--set "dataset.train=$BATS_TEST_TMPDIR/data" --threads 2)
  # Threads take four at a time: while one is at the large 33rd, another meets the 37th before the first is at the 36th.
  "$BUILD/tools/make_dataset" "$BATS_TEST_TMPDIR/large" --classes 2 --per-class 1 --size 1024
  cp "$BATS_TEST_TMPDIR/large/A/A1.jpg" "$BATS_TEST_TMPDIR/data/C/C1.jpg"
  at "$WORK" ingest --quiet "${mine[@]}"
  [ "$(ask "SELECT shown FROM image ORDER BY id LIMIT 1 OFFSET 32")" = C/C1.jpg ]
  changed=($(ask "SELECT shown FROM image ORDER BY id LIMIT -1 OFFSET 35"))
  for image in "${changed[@]}"; do printf x >>"$BATS_TEST_TMPDIR/data/$image"; done
  run -1 at "$WORK" resize "${mine[@]}"
  has "${changed[0]}: it has changed"
}

@test "weights that are gone are an error that says what to do" {
  at "$WORK" train --quiet --set train.epochs=1 >/dev/null
  rm "$WORK/runs/exp/weights/best.safetensors"
  run -1 at "$WORK" train --set train.epochs=1
  has "best.safetensors is missing"
  has "--again"
  run -0 at "$WORK" train --set train.epochs=1 --again
  [ -s "$WORK/runs/exp/weights/best.safetensors" ]
}

@test "a checkpoint that is damaged fails the run, until it is removed" {
  interrupt INT
  [ "$(ask "SELECT state FROM run")" = interrupted ]
  last=$WORK/runs/exp/weights/last.safetensors
  chmod u+w "$last"
  truncate -s 100 "$last"
  run -1 at "$WORK" train
  has "cannot resume; remove the file to train the run anew"
  [ "$(ask "SELECT name || ' ' || state FROM run")" = "exp failed" ]
  rm "$last"
  run -0 at "$WORK" train --quiet
  [ "$(ask "SELECT name || ' ' || state FROM run")" = "exp done" ]
}

@test "best weights that are not the run's are not exported as such" {
  one=(--set train.epochs=1)
  at "$WORK" train --quiet "${one[@]}" >/dev/null
  run -0 at "$WORK" export "${one[@]}" --to "$BATS_TEST_TMPDIR/out.safetensors"
  at "$WORK" train --quiet "${one[@]}" --set train.lr=0.01 --set name=other >/dev/null
  cp -f "$WORK/runs/other/weights/best.safetensors" "$WORK/runs/exp/weights"
  run -1 at "$WORK" export "${one[@]}" --to "$BATS_TEST_TMPDIR/again.safetensors"
  has "best.safetensors holds weights $(ask "SELECT substr(best_sha256, 1, 12) FROM run WHERE name = 'other'")..., the manifest says"
  [ ! -e "$BATS_TEST_TMPDIR/again.safetensors" ]
}

@test "a learning rate that breaks training stops it with advice, and keeps the best weights" {
  run -1 at "$WORK" train --set train.optimizer=sgd --set train.lr=10 --set train.epochs=30
  has "ower"
  [ "$(ask "SELECT state FROM run")" = failed ]
}

@test "the first copy is what training on the fly sees first" {
  same=(--quiet --set augment.rotate=10 --set augment.zoom=0.1 --set train.epochs=1)
  at "$WORK" augment "${same[@]}" --set augment.mode=copies >/dev/null
  at "$WORK" train "${same[@]}" --set augment.mode=copies >/dev/null
  at "$WORK" train "${same[@]}" --set augment.mode=online >/dev/null
  [ "$(ask "SELECT count(*), count(DISTINCT weights_sha256) FROM run")" = "2|1" ]
}

@test "a tensor file that is gone is named by train and made again by resize" {
  file=$(find "$WORK/tensors" -name '*.safetensors' | head -n 1)
  sum=$(sha256sum "$file")
  rm "$file"
  run -1 at "$WORK" train
  has "${file##*/}"
  has "resize"
  run -0 at "$WORK" resize
  has "is made again"
  [ "$(sha256sum "$file")" = "$sum" ]
}

@test "a full disk is an error that names the file, and training goes on when there is room" {
  wanted=$(reference)
  # Files of at most 4 MiB: the weights of best.safetensors fit, the optimizer's beside them do not.
  run -1 bash -c "trap '' XFSZ; ulimit -f 4096; '$BUILD/stages/train' --manifest '$WORK/manifest.db' --config '$BATS_FILE_TMPDIR/exp.yaml'"
  has "last.safetensors"
  has "File too large"
  [ "$(ask "SELECT state FROM run")" = failed ]
  [ -z "$(find "$WORK/runs" -name '.publishing-*')" ]
  run -0 at "$WORK" train --quiet
  [ "$(ask "SELECT weights_sha256, best_sha256 FROM run")" = "$wanted" ]
}
