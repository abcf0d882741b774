#!/usr/bin/env bats
# Several folders trained on as one, from ingest to report, on small drawn datasets; and a manifest of an older schema.
# Run from the repository's root after `make all tools`: bats tests/e2e/datasets.bats

bats_require_minimum_version 1.5.0

# one: A B C D, two: B C D E F, each with the pictures that make_dataset draws for the letter.
setup_file() {
  export BUILD=${BUILD:-build}
  export ONE=$BATS_FILE_TMPDIR/one TWO=$BATS_FILE_TMPDIR/two
  "$BUILD/tools/make_dataset" "$ONE" --classes 4 --per-class 10 --size 40
  "$BUILD/tools/make_dataset" "$TWO" --classes 6 --per-class 10 --size 48 --seed 5
  rm -r "$TWO/A"
  cat >"$BATS_FILE_TMPDIR/exp.yaml" <<-EOF2
	dataset:
	  train: ["$ONE", "$TWO"]
	split:
	  method: random # counts to the image
	train:
	  epochs: 2
	  batch: 8
	EOF2
}

setup() { WORK=$BATS_TEST_TMPDIR/work; }

at() { "$BUILD/stages/$1" --manifest "$WORK/manifest.db" --config "$BATS_FILE_TMPDIR/exp.yaml" "${@:2}"; }

ask() { sqlite3 -batch "$WORK/manifest.db" "$1"; }

has() {
  [[ $output == *"$1"* ]] || { printf 'missing: %s\nin: %s\n' "$1" "$output"; return 1; }
}

prepare() { for stage in ingest split resize; do at $stage --quiet "$@"; done >/dev/null; }

@test "two folders are two datasets, and a run trains on their union" {
  run -0 at ingest
  has "one: the folder is new to the manifest"
  has "two: the folder is new to the manifest"
  has "ingest: 90 images"
  run -0 at split
  [ "$(ask "SELECT group_concat(name, '') FROM (SELECT name FROM split_class ORDER BY ordinal)")" = ABCDEF ]
  # Stratified over the union: B has 20 images, A and E have 10.
  [ "$(ask "SELECT group_concat(class.name || n, ' ') FROM (SELECT class.name, count(*) n FROM split_image
            JOIN image ON image.id = image JOIN class ON class.dataset = image.dataset AND class.ordinal = label
            WHERE part = 'val' GROUP BY class.name ORDER BY class.name) class")" = "A2 B4 C4 D4 E2 F2" ]
  [ "$(ask "SELECT count(DISTINCT dataset) FROM split_image JOIN image ON image.id = image WHERE part = 'val'")" = 2 ]
  run -0 at resize
  has "40 images of 100x100 from one"
  has "50 images of 100x100 from two"
  run -0 at train
  has "72 training and 18 validation images"
  run -0 at evaluate
  [ "$(ask "SELECT count(*) FROM class_metrics WHERE part = 'val'")" = 6 ]
  # A label is the union's: what the class folders of the images are called.
  [ "$(ask "SELECT count(*) FROM prediction JOIN run ON run.id = run JOIN image ON image.id = image
            JOIN split_class ON split_class.split = run.split AND split_class.ordinal = prediction.label
            WHERE shown NOT LIKE split_class.name || '/%'")" = 0 ]
  [ "$(ask "SELECT value = best_val_accuracy FROM metric JOIN run ON run.id = run WHERE metric.name = 'accuracy'")" = 1 ]
  [ "$(ask "SELECT dataset FROM leaderboard")" = "one + two" ]
  [ "$(ask "SELECT count(*), count(DISTINCT dataset) FROM training_images WHERE run = 'exp'")" = "72|2" ]
  run -0 at report
  pdftotext "$WORK/runs/exp/report.pdf" - | grep -q "two: 50 images in 5 classes"
  for stage in ingest split resize train evaluate report; do
    run -0 at $stage
    has "up to date"
  done
}

@test "any combination uses the resized images again" {
  prepare
  run -0 at resize --set dataset.train="$TWO"
  has "up to date"
  at split --quiet --set dataset.train="$TWO" --set dataset.train+="$ONE"
  [ "$(ask "SELECT group_concat(dataset.name, ' ') FROM (SELECT dataset.name FROM split_dataset
            JOIN dataset ON dataset.id = dataset WHERE split = 2 ORDER BY ordinal) dataset")" = "two one" ]
  run -0 at train --quiet --set dataset.train="$TWO" --set dataset.train+="$ONE" --set train.epochs=1
  [ "$(ask "SELECT count(*) FROM tensor_set")" = 2 ]
}

@test "the order in which folders were ingested does not matter, nor the number of threads" {
  prepare
  at train --quiet >/dev/null
  first=$(ask "SELECT weights_sha256, best_sha256 FROM run")
  rm -r "$WORK"
  at ingest --quiet --set dataset.train="$TWO"
  prepare --threads 1
  at train --quiet --threads 1 >/dev/null
  [ "$(ask "SELECT weights_sha256, best_sha256 FROM run")" = "$first" ]
}

@test "augmented copies are made of all the datasets' training images" {
  prepare
  copies=(--set augment.mode=copies --set augment.copies=2 --set augment.rotate=10 --set train.epochs=1)
  run -0 at augment "${copies[@]}"
  has "2 copies of 72 training images"
  run -0 at train --quiet "${copies[@]}"
  [ "$(ask "SELECT count(*), count(DISTINCT dataset) FROM training_images WHERE run = 'exp'")" = "144|2" ]
  at train --quiet "${copies[@]}" --set augment.mode=online >/dev/null
  [ "$(ask "SELECT count(*), count(DISTINCT weights_sha256) FROM run")" = "2|1" ] # the first copy is what epoch 1 sees
}

@test "a dataset that changes brings a new split and a new run, and its own resized images alone" {
  cp -r "$ONE" "$TWO" "$BATS_TEST_TMPDIR"
  mine=(--set "dataset.train=$BATS_TEST_TMPDIR/one" --set "dataset.train+=$BATS_TEST_TMPDIR/two" --set train.epochs=1)
  prepare "${mine[@]}"
  rm "$BATS_TEST_TMPDIR/two/B/B1.jpg"
  run -0 at ingest "${mine[@]}"
  has "two: 0 files are new or changed, 1 are gone"
  [[ $output != *"one:"* ]]
  run -0 at split "${mine[@]}"
  has "dataset content 2 changed"
  run -0 at resize "${mine[@]}"
  has "49 images"
  [[ $output != *"40 images"* ]]
}

@test "the same folder twice, and one within another, are refused" {
  run -2 at ingest --set dataset.train+="$ONE/../one"
  has "names $ONE twice"
  run -2 at ingest --set dataset.train+="$BATS_FILE_TMPDIR"
  has "$ONE lies within $BATS_FILE_TMPDIR: its images would be counted twice"
  run -2 at ingest --set dataset.train+="$BATS_FILE_TMPDIR/none"
  has "no folder at"
  cp -r "$ONE" "$BATS_TEST_TMPDIR/copy"
  at ingest --quiet --set dataset.train+="$BATS_TEST_TMPDIR/copy"
  run -1 at split --set dataset.train+="$BATS_TEST_TMPDIR/copy"
  has "one and copy hold the same images"
}

@test "a folder that was moved keeps its dataset, its splits and its runs" {
  cp -r "$ONE" "$BATS_TEST_TMPDIR/here"
  all() { for stage in ingest split resize train evaluate; do at $stage --set "dataset.train=$BATS_TEST_TMPDIR/$1" --set train.epochs=1 "${@:2}"; done; }
  all here --quiet >/dev/null
  mv "$BATS_TEST_TMPDIR/here" "$BATS_TEST_TMPDIR/there"
  run -0 all there
  has "dataset here was moved here from $BATS_TEST_TMPDIR/here"
  [ "$(grep -c "up to date" <<<"$output")" -eq 5 ]
  [ "$(ask "SELECT count(*), root = CAST('$BATS_TEST_TMPDIR/there' AS BLOB) FROM dataset")" = "1|1" ]
  # Another split of it finds its resized images.
  run -0 all there --set seed=1
  has "run exp-2"
  # Other times, the same bytes: they are read again, and nothing else is made.
  cp -r "$BATS_TEST_TMPDIR/there" "$BATS_TEST_TMPDIR/elsewhere"
  rm -r "$BATS_TEST_TMPDIR/there"
  run -0 all elsewhere
  has "40 files are new or changed"
  [ "$(grep -c "up to date" <<<"$output")" -eq 4 ]
  [ "$(ask "SELECT count(*) FROM dataset")" -eq 1 ]
}

@test "a copy of a folder has splits and images of its own, whatever becomes of the first" {
  cp -r "$ONE" "$BATS_TEST_TMPDIR/first"
  cp -r "$ONE" "$BATS_TEST_TMPDIR/second"
  all() { for stage in ingest split resize train; do at $stage --quiet --set "dataset.train=$BATS_TEST_TMPDIR/$1" --set train.epochs=1; done; }
  all first >/dev/null
  rm "$BATS_TEST_TMPDIR/first/B/B1.jpg"
  at ingest --quiet --set "dataset.train=$BATS_TEST_TMPDIR/first"
  all second >/dev/null
  [ "$(ask "SELECT count(*), count(DISTINCT weights_sha256) FROM run")" = "2|1" ]
  [ "$(ask "SELECT count(*), sum(i.status = 'ok') FROM split_image s JOIN image i ON i.id = s.image JOIN run r ON r.split = s.split
            JOIN dataset d ON d.id = i.dataset WHERE r.name = 'exp-2' AND d.name = 'second'")" = "40|40" ]
  run -0 at train --set "dataset.train=$BATS_TEST_TMPDIR/second" --set train.epochs=1
  has "up to date"
}

@test "fine-tuning starts from another run's best weights, and from a checkpoint of the same model and classes" {
  prepare
  at train --quiet --set name=pre >/dev/null
  run -0 at train --set name=fine --set model.start=pre --set train.epochs=1 --set train.lr=1e-30 --set model.dropout=0
  has "starts from the weights of $WORK/runs/pre/weights/best.safetensors"
  # At next to no rate the weights stay what they were.
  [ "$(ask "SELECT fine.weights_sha256 = pre.best_sha256 FROM run fine, run pre WHERE fine.name = 'fine' AND pre.name = 'pre'")" = 1 ]
  [ "$(ask "SELECT value FROM run_settings WHERE run = 'fine' AND setting = 'start weights'")" = \
    "$(ask "SELECT best_sha256 FROM run WHERE name = 'pre'")" ]
  run -0 at train --set name=fine --set model.start=pre --set train.epochs=1 --set train.lr=1e-30 --set model.dropout=0
  has "up to date"
  run -0 at train --set name=file --set model.start="$WORK/runs/pre/weights/last.safetensors" --set train.epochs=1
  has "last.safetensors"
  run -2 at train --set model.start=nobody
  has "model.start: nobody is neither a run of"
  # Other classes, another order of outputs: refused by name.
  prepare --set dataset.train="$ONE"
  run -1 at train --set dataset.train="$ONE" --set model.start=pre --set name=few
  has "it has 6 classes, not 4"
  [ "$(ask "SELECT count(*) FROM run WHERE name = 'few'")" = 0 ] # the name is free for the next try
  run -1 at train --set model.start="$ONE/A/A1.jpg"
  has "model.start"
}

# The columns of all tables.
shape() {
  sqlite3 -batch "$1" "SELECT tables.name, columns.name, columns.type, columns.[notnull], columns.pk
    FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%' ORDER BY 1, columns.cid;
    SELECT name FROM sqlite_schema WHERE type = 'index' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
}

@test "a manifest of schema 1 is brought up, and has what a new one has" {
  mkdir "$WORK"
  at ingest --quiet --set dataset.train="$ONE"
  mv "$WORK/manifest.db" "$WORK/new.db"
  sqlite3 -batch "$WORK/manifest.db" <<-EOF2
	$(cat tests/fixtures/schema_1.sql)
	PRAGMA application_id = $(sqlite3 "$WORK/new.db" 'PRAGMA application_id');
	PRAGMA user_version = 1;
	CREATE VIEW old AS SELECT * FROM prediction;
	INSERT INTO meta VALUES ('views', 'old');
	INSERT INTO dataset (id, name, root) VALUES (1, 'd', x'2f64');
	INSERT INTO class VALUES (1, 0, 'A'), (1, 1, 'B');
	INSERT INTO image (id, dataset, label, path, shown, status, width, height, bytes, sha256, mtime_ns, inode)
	  VALUES (1, 1, 1, x'61', 'a', 'ok', 9, 9, 9, 'x', 0, 0);
	INSERT INTO split VALUES (1, 1, 's', '{}', 'random', 0, 1, 0, 0, 0.0);
	INSERT INTO split_image VALUES (1, 1, 'train');
	INSERT INTO tensor_set (id, kind, dataset, key, parameters, state, height, width, channels, dtype, created_at)
	  VALUES (1, 'resized', 1, 't', '{}', 'done', 9, 9, 3, 'U8', 0.0);
	INSERT INTO run (id, name, key, parameters, config, state, model, dataset, split, tensor_set, seed, precision, threads, isa,
	  host, versions, parameter_count, trainable_count, epochs_planned, started_at)
	  VALUES (1, 'r', 'r', '{}', '', 'done', 'm', 1, 1, 1, 0, 'fp32', 1, '', '', '{}', 1, 1, 1, 0.0);
	INSERT INTO prediction VALUES (1, 1, 'train', 1, 0, 0.9, 0.1, 2, 1, 0.1, NULL, NULL, 2.3);
	EOF2
  at ingest --quiet --set dataset.train="$ONE"
  [ "$(ask "PRAGMA user_version")" = "$(sqlite3 "$WORK/new.db" 'PRAGMA user_version')" ]
  [ "$(ask "PRAGMA integrity_check; PRAGMA foreign_key_check")" = ok ]
  [ "$(shape "$WORK/manifest.db")" = "$(shape "$WORK/new.db")" ]
  [ "$(ask "SELECT run, label, predicted, label_confidence FROM misclassified")" = "r|B|A|0.1" ]
  [ "$(ask "SELECT dataset FROM leaderboard")" = d ]
}
