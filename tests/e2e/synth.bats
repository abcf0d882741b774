#!/usr/bin/env bats
# Rendered datasets: drawn once, gone on with after a kill, mended where files were lost, and never over somebody else's files.
# Run from the repository's root after `make all`: bats tests/e2e/synth.bats

bats_require_minimum_version 1.5.0

setup() {
  cd "$BATS_TEST_DIRNAME/../.."
  STAGES=${BUILD:-build}/stages
  WORK=$BATS_TEST_TMPDIR/work
  DATA=$WORK/synth
}

synth() { "$STAGES/synth" --manifest "$WORK/manifest.db" --size 32 --per-class 4 "$@"; }

ask() { sqlite3 -cmd ".timeout 10000" "$WORK/manifest.db" "$1"; }

has() {
  [[ $output == *"$1"* ]] || { printf 'missing: %s\nin: %s\n' "$1" "$output"; return 1; }
}

digest() { (cd "$DATA" && find . -name '*.jpg' | LC_ALL=C sort | xargs sha256sum | sha256sum); }

@test "29 folders in Kaggle's layout, each image with its parameters, and a second time nothing is done" {
  run -0 synth
  has "the folder is new to the manifest: 116 images"
  [ "$(find "$DATA" -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 29 ]
  for class in A Z del nothing space; do
    [ -s "$DATA/$class/${class}1.jpg" ] && [ -s "$DATA/$class/${class}4.jpg" ]
  done
  [ "$(find "$DATA" -type f | wc -l)" -eq 117 ]
  [ "$(ask "SELECT count(*), sum(json_extract(parameters, '$.pose.index_pip') IS NULL) FROM synth_image")" = "116|4" ]
  before=$(digest)
  run -0 synth
  has "up to date: 116 images"
  rm -r "$WORK"
  run -0 synth --threads 3
  [ "$(digest)" = "$before" ]
}

@test "lost and damaged files are drawn again, the same; more images join those that are there" {
  synth --quiet
  before=$(digest)
  rm "$DATA/A/A2.jpg"
  truncate -s 100 "$DATA/del/del1.jpg"
  printf x | dd of="$DATA/B/B3.jpg" bs=1 seek=200 conv=notrunc status=none
  touch "$DATA/C/.publishing-1999999999-0-0"
  run -0 synth
  has "3 of 116 images are missing or changed"
  [ "$(digest)" = "$before" ]
  [ ! -e "$DATA/C/.publishing-1999999999-0-0" ]
  run -0 synth --per-class 5
  has "29 of 145 images"
  run -0 synth --per-class 5
  has "up to date: 145 images"
}

@test "one image again: the same bytes, and its parameters" {
  synth --quiet
  run -0 --separate-stderr synth --class space --index 3 --replay "$BATS_TEST_TMPDIR/again.jpg"
  cmp "$BATS_TEST_TMPDIR/again.jpg" "$DATA/space/space3.jpg"
  [ "$output" = "$(ask "SELECT parameters FROM synth_image WHERE class = 'space' AND number = 3")" ]
  [[ $stderr == *"the same bytes as"* ]]
  run -2 synth --class spade --index 3 --replay "$BATS_TEST_TMPDIR/again.jpg"
  has "--class spade: no such class"
  run -2 synth --class A --index 0 --replay "$BATS_TEST_TMPDIR/again.jpg"
  has "--index 0"
  run -2 synth --class A
  has "of --replay FILE"
}

# killed SIGNAL IMAGE: once this image is there. What was recorded is kept, and the end is the same.
killed() {
  "$STAGES/synth" --manifest "$WORK/manifest.db" --size 32 --per-class 200 --quiet 3>&- &
  pid=$!
  until [ -e "$DATA/Z/Z$2.jpg" ]; do
    kill -0 "$pid"
    sleep 0.01
  done
  kill -s "$1" "$pid"
  status=0
  wait "$pid" || status=$?
}

@test "killed or interrupted, it goes on where it stopped" {
  killed KILL 25
  [ "$status" -eq 137 ]
  killed INT 60
  [ "$status" -eq 130 ]
  kept=$(ask "SELECT count(*) FROM synth_image")
  [ "$kept" -gt 0 ] && [ "$kept" -lt 5800 ]
  [ "$(ask "SELECT state FROM stage_log ORDER BY id" | tr '\n' ' ')" = "interrupted interrupted " ]
  [ -z "$(find "$DATA" -name '.publishing-*')" ]
  # What is there has the bytes of an uninterrupted execution.
  (cd "$DATA" && sha256sum A/A1.jpg Z/Z3.jpg) >"$BATS_TEST_TMPDIR/some"
  rm -r "$WORK"
  synth --quiet
  (cd "$DATA" && sha256sum --quiet -c "$BATS_TEST_TMPDIR/some")
}

@test "another seed, size or length of videos wants another folder; nothing is lost" {
  synth --quiet
  before=$(digest)
  run -2 synth --seed 1
  has "holds other images (rendered images: seed 0, size 32"
  run -2 synth --size 40
  run -2 synth --set synth.variety=0.5
  run -2 synth --independent
  run -2 synth --per-class 3
  has "holds more images than the 3 of each class"
  [ "$(digest)" = "$before" ]
  run -0 synth --seed 1 --out "$WORK/other"
}

@test "a folder with other files is refused before anything is written" {
  mkdir -p "$DATA/A"
  echo precious >"$DATA/A/mine.txt"
  run -2 synth
  has "holds A/mine.txt"
  has "nothing was changed"
  [ "$(cat "$DATA/A/mine.txt")" = precious ]
  [ "$(find "$DATA" -type f | wc -l)" -eq 1 ]
  rm "$DATA/A/mine.txt"
  touch "$DATA/notes"
  run -2 synth
  has "holds notes"
  rm "$DATA/notes"
  echo other >"$DATA/A/A1.jpg"
  run -2 synth
  has "which no rendered dataset has"
  [ "$(cat "$DATA/A/A1.jpg")" = other ]
  mkdir "$DATA/A/A2.jpg"
  run -2 synth
}

@test "bad numbers and folders that cannot be written are explained" {
  run -2 synth --per-class 0
  has "allowed: 1 to 10000000"
  run -2 synth --per-class 1e9
  run -2 synth --size 0
  has "allowed: 32 to 1024"
  run -2 synth --size 4096
  run -2 synth --seed -1
  run -1 synth --out /proc/nowhere
  has "/proc/nowhere"
  echo >"$BATS_TEST_TMPDIR/file"
  run -1 synth --out "$BATS_TEST_TMPDIR/file/renders"
  has "$BATS_TEST_TMPDIR/file"
}

@test "a full disk fails with a message, and a rerun goes on" {
  strace -o /dev/null true 2>/dev/null || skip "no right to trace"
  ! grep -q fsanitize "${BUILD:-build}/flags" || skip "sanitized build"
  run -1 strace -f -o /dev/null -e trace=write -e inject=write:error=ENOSPC:when=60 \
    "$STAGES/synth" --manifest "$WORK/manifest.db" --size 32 --per-class 4 --threads 1 --quiet
  has "No space left on device"
  [ -z "$(find "$DATA" -name '.publishing-*')" ]
  run -0 synth
  run -0 synth
  has "up to date: 116 images"
}

@test "a configuration with a synth section trains on what it draws, another one draws nothing" {
  cat >"$BATS_TEST_TMPDIR/tiny.yaml" <<-EOF
	synth:
	  per_class: 3
	  size: 32
	train:
	  epochs: 1
	EOF
  for stage in synth ingest split; do
    run -0 "$STAGES/$stage" --manifest "$WORK/manifest.db" --config "$BATS_TEST_TMPDIR/tiny.yaml"
  done
  [ "$(ask "SELECT count(*) FROM split_image")" -eq 87 ]
  [ "$(ask "SELECT count(*) FROM renders WHERE path = 'K/K2.jpg' AND label = 'K' AND number = 2")" -eq 1 ]
  run -0 "$STAGES/synth" --manifest "$WORK/manifest.db" --config "$BATS_TEST_TMPDIR/tiny.yaml" --set dataset.train="$DATA/A"
  has "nothing to draw: dataset.train names other images"
  for name in cnn default; do # a file may be called as none is
    cp configs/cnn.yaml "$BATS_TEST_TMPDIR/$name.yaml"
    run -0 "$STAGES/synth" --manifest "$WORK/manifest.db" --config "$BATS_TEST_TMPDIR/$name.yaml"
    has "nothing to draw: the configuration has no synth section"
  done
}

@test "renders beside photographs: both are trained on, at whatever folder, and named twice they count once" {
  "${BUILD:-build}/tools/make_dataset" "$BATS_TEST_TMPDIR/photographs" --classes 2 --per-class 8 --size 48 >/dev/null
  cat >"$BATS_TEST_TMPDIR/beside.yaml" <<-EOF
	synth: {per_class: 4, size: 32, independent: true, beside: true}
	split: {method: random, val: 0.25}
	train: {epochs: 1, batch: 16}
	EOF
  at=(--manifest "$WORK/manifest.db" --config "$BATS_TEST_TMPDIR/beside.yaml" --set "dataset.train=$BATS_TEST_TMPDIR/photographs")
  for stage in synth ingest split; do "$STAGES/$stage" "${at[@]}" --quiet; done
  [ "$(ask "SELECT group_concat(name || ' ' || images, ', ') FROM split_dataset s JOIN dataset d ON d.id = s.dataset ORDER BY ordinal")" = "photographs 16, synth 116" ]
  run -0 "$STAGES/split" "${at[@]}" --set "dataset.train+=$WORK/synth"
  has "up to date"
  run -0 "$STAGES/synth" "${at[@]}" --set synth.beside=false
  has "nothing to draw: dataset.train names other images"
}

@test "make pipeline draws a dataset, trains on it, and the report shows it" {
  run -0 --separate-stderr env -u CONFIG -u DATA make -s pipeline BUILD="${BUILD:-build}" WORK="$WORK" \
    SET="synth.per_class=10 synth.size=48 split.method=random train.epochs=1"
  [ "$(ask "SELECT count(*) FROM renders")" -eq 290 ]
  [ "$(ask "SELECT name FROM run")" = demo ]
  pdftotext "$WORK/runs/demo/report.pdf" - | grep -q "Rendered images"
}
