#!/usr/bin/env bats
# Outside tests: folders that a run never trains on, judged after training and at any later time, classes matched by name.
# Run from the repository's root after `make all tools`: bats tests/e2e/outside.bats

bats_require_minimum_version 1.5.0

# Trained on A B C D. `few` lacks A; `more` has E and F, which the run does not know. Pictures are other draws of the letters.
setup_file() {
  export BUILD=${BUILD:-build}
  export DATA=$BATS_FILE_TMPDIR/data FEW=$BATS_FILE_TMPDIR/few MORE=$BATS_FILE_TMPDIR/more PREPARED=$BATS_FILE_TMPDIR/prepared
  "$BUILD/tools/make_dataset" "$DATA" --classes 4 --per-class 16 --size 40
  "$BUILD/tools/make_dataset" "$FEW" --classes 4 --per-class 5 --size 50 --seed 8
  "$BUILD/tools/make_dataset" "$MORE" --classes 6 --per-class 4 --size 60 --seed 9
  rm -r "$FEW/A"
  cat >"$BATS_FILE_TMPDIR/exp.yaml" <<-EOF2
	dataset:
	  train: ["$DATA"]
	  test: ["$FEW", "$MORE"]
	train:
	  epochs: 6
	  batch: 8
	EOF2
  for stage in ingest split resize train; do WORK=$PREPARED at $stage --quiet; done >/dev/null
}

at() { "$BUILD/stages/$1" --manifest "$WORK/manifest.db" --config "$BATS_FILE_TMPDIR/exp.yaml" "${@:2}"; }

setup() {
  WORK=$BATS_TEST_TMPDIR/work
  cp -r "$PREPARED" "$WORK"
}

ask() { sqlite3 -batch "$WORK/manifest.db" "$1"; }

has() {
  [[ $output == *"$1"* ]] || { printf 'missing: %s\nin: %s\n' "$1" "$output"; return 1; }
}

@test "outside tests are judged after training, each by itself, classes matched by name" {
  run -0 at evaluate
  has "few lacks 1 of the 4 classes of run exp: A"
  has "more has classes that run exp does not know: E, F; 8 images are judged, but no figure counts them"
  has "outside:few        15 "
  has "outside:more       16 "
  [ "$(ask "SELECT dataset, images, unknown_images, unknown_classes, missing_classes, same_as_training, current
            FROM outside_tests WHERE run = 'exp'")" = "few|15|0||A|0|1
more|16|8|E, F||0|1" ]
  # Never a shift: a label is what the image's folder is called, and the figures are of exactly these names.
  [ "$(ask "SELECT count(*) FROM prediction JOIN run ON run.id = run JOIN image ON image.id = image
            JOIN split_class ON split_class.split = run.split AND split_class.ordinal = prediction.label
            WHERE shown NOT LIKE split_class.name || '/%'")" = 0 ]
  [ "$(ask "SELECT count(*) FROM outside_tests JOIN (SELECT dataset, avg(class = predicted) AS mean, avg(label_rank <= 3) AS three
            FROM outside_images WHERE known GROUP BY dataset) USING (dataset)
            WHERE abs(accuracy - mean) < 1e-12 AND abs(top3 - three) < 1e-12 AND low <= accuracy AND accuracy <= high AND low < high")" = 2 ]
  [ "$(ask "SELECT dataset, class, count(*) FROM outside_images WHERE NOT known GROUP BY 1, 2")" = "more|E|4
more|F|4" ]
  # The views of parts hold them, and leave out what the run does not know.
  [ "$(ask "SELECT sum(images) FROM class_metrics WHERE part = 'outside:more'")" = 16 ]
  [ "$(ask "SELECT sum(predicted) FROM class_metrics WHERE part = 'outside:more'")" = 16 ]
  [ "$(ask "SELECT sum(images) FROM confusion WHERE part = 'outside:few'")" = 15 ]
  [ "$(ask "SELECT count(*) FROM misclassified WHERE part = 'outside:more' AND label IN ('E', 'F')")" = 0 ]
  # What it learned holds for other draws of the same letters.
  [ "$(ask "SELECT min(accuracy) > 0.5 FROM outside_tests")" = 1 ]
  run -0 at evaluate
  has "up to date: run exp, 1 parts, 2 outside tests"
  run -0 at evaluate --run exp --json --quiet --set evaluate.parts=val
  has '"outside:few":{"accuracy"'
}

@test "another outside test is judged alone, and nothing is trained again" {
  at evaluate --quiet --set dataset.test="$FEW" >/dev/null 2>&1
  run -0 at train
  has "up to date"
  run -0 at evaluate
  has "runs because more: it was not judged yet"
  has "24 images in"
  [ "$(ask "SELECT count(*) FROM outside_tests")" = 2 ]
}

@test "evaluate --data reads, resizes and judges a folder at any later time" {
  "$BUILD/tools/make_dataset" "$BATS_TEST_TMPDIR/new/test" --classes 4 --per-class 3 --size 30 --seed 10
  run -0 at evaluate --run exp --data "$BATS_TEST_TMPDIR/new/test"
  has "12 files in 4 class folders"
  has "outside:new/test"
  [[ $output != *$'\n'"val "* ]]
  [ "$(ask "SELECT dataset, images FROM outside_tests")" = "new/test|12" ]
  [ "$(ask "SELECT images FROM stage_log WHERE stage = 'evaluate' AND state = 'done'")" = 12 ]
  run -0 at evaluate --run exp --data "$BATS_TEST_TMPDIR/new/../new/test"
  has "up to date"
  # The images change: they are judged anew.
  rm "$BATS_TEST_TMPDIR/new/test/B/B1.jpg"
  run -0 at evaluate --run exp --data "$BATS_TEST_TMPDIR/new/test"
  has "runs because new/test: its images changed"
  [ "$(ask "SELECT images FROM outside_tests")" = 11 ]
  # Without a configuration, the run's own tests; an outside test is no second dataset to choose from.
  run -0 "$BUILD/stages/evaluate" --manifest "$WORK/manifest.db" --run exp
  has "outside:few"
  ask "DELETE FROM dataset WHERE name IN ('few', 'more')"
  run -0 "$BUILD/stages/split" --manifest "$WORK/manifest.db"
  has "up to date"
}

@test "an old run keeps its figures when its images change, and is still judged on other folders" {
  cp -r "$DATA" "$BATS_TEST_TMPDIR/data"
  mine=(--set "dataset.train=$BATS_TEST_TMPDIR/data" --set name=old --set train.epochs=1)
  for stage in ingest split resize train evaluate; do at $stage --quiet "${mine[@]}"; done >/dev/null
  figures=$(ask "SELECT value FROM metric JOIN run ON run.id = run WHERE run.name = 'old' ORDER BY metric.name")
  rm "$(find "$BATS_TEST_TMPDIR/data/B" -type f | sort | head -n 1)"
  at ingest --quiet "${mine[@]}"
  # Before another split is made, and after.
  for _ in 1 2; do
    run -0 at evaluate --run old
    has "up to date"
    run -1 at evaluate --run old --set evaluate.parts=train
    has "the images that run old was trained on are not those of today"
    [ "$(ask "SELECT value FROM metric JOIN run ON run.id = run WHERE run.name = 'old' ORDER BY metric.name")" = "$figures" ]
    at split --quiet "${mine[@]}"
    at resize --quiet "${mine[@]}"
  done
  "$BUILD/tools/make_dataset" "$BATS_TEST_TMPDIR/third" --classes 3 --per-class 3 --size 30 --seed 11
  run -0 at evaluate --run old --data "$BATS_TEST_TMPDIR/third"
  has "outside:third"
}

@test "what is trained on is no outside test" {
  run -2 at ingest --set dataset.test="$DATA"
  has "$DATA is in both dataset.test and dataset.train"
  run -2 at ingest --set dataset.test="$BATS_FILE_TMPDIR"
  has "trained on and tested on"
  run -2 at evaluate --data "$DATA"
  has "$DATA is what the run was trained on"
  run -2 at evaluate --data "$BATS_FILE_TMPDIR"
  has "lie one within the other"
  cp -r "$DATA" "$BATS_TEST_TMPDIR/copy"
  run -1 at evaluate --data "$BATS_TEST_TMPDIR/copy"
  has "holds the same images as dataset"
  run -2 at evaluate --data "$BATS_TEST_TMPDIR/none"
  has "no folder at"
  [ "$(ask "SELECT count(*) FROM outside_test")" = 0 ]
}

@test "images with the bytes of a training image are told and can be asked for" {
  cp -r "$FEW" "$BATS_TEST_TMPDIR/leaky"
  i=0
  ask "SELECT shown FROM split_image JOIN image ON image.id = image WHERE part = 'train' AND shown LIKE 'B/%' LIMIT 3" |
    while read -r path; do cp "$DATA/$path" "$BATS_TEST_TMPDIR/leaky/B/twin$((i++)).jpg"; done
  run -0 at evaluate --data "$BATS_TEST_TMPDIR/leaky"
  has "3 images of leaky have the same bytes as training images of run exp"
  [ "$(ask "SELECT same_as_training FROM outside_tests WHERE dataset = 'leaky'")" = 3 ]
  [ "$(ask "SELECT path FROM outside_images WHERE in_training")" = "B/twin0.jpg
B/twin1.jpg
B/twin2.jpg" ]
}

@test "a folder without a class that the run knows is an error that names its classes" {
  mkdir -p "$BATS_TEST_TMPDIR/other"
  cp -r "$MORE/E" "$MORE/F" "$BATS_TEST_TMPDIR/other"
  run -1 at evaluate --data "$BATS_TEST_TMPDIR/other"
  has "other has no class that run exp knows: its classes are E, F"
  [ "$(ask "SELECT count(*) FROM outside_test")" = 0 ]
}

@test "a test that is not ready says which stage to run" {
  cp -r "$FEW" "$BATS_TEST_TMPDIR/late"
  late=(--set "dataset.test=$BATS_TEST_TMPDIR/late")
  run -1 at evaluate "${late[@]}"
  has "run build/stages/ingest first"
  at ingest --quiet "${late[@]}"
  rm "$BATS_TEST_TMPDIR/late/B/B1.jpg"
  at ingest --quiet "${late[@]}"
  run -1 at evaluate "${late[@]}"
  has "run build/stages/resize first"
  at resize --quiet "${late[@]}"
  run -0 at evaluate "${late[@]}"
  has "outside:late"
}

@test "the report has all parts on its first page, and pages for each outside test" {
  at evaluate --quiet >/dev/null 2>&1
  run -0 at report
  text=$(pdftotext -f 1 -l 1 -layout "$WORK/runs/exp/report.pdf" - | tr -s ' ')
  for part in val outside:few outside:more; do
    wanted=$(ask "SELECT format('%s %d %.1f %%', part, images, 100 * accuracy) FROM part_metrics WHERE part = '$part'")
    [[ $text == *"$wanted"* ]] || { printf 'missing: %s\nin: %s\n' "$wanted" "$text"; return 1; }
  done
  text=$(pdftotext "$WORK/runs/exp/report.pdf" -)
  for title in "Confusion matrix, outside:few" "Confusion matrix, outside:more" "Wrong images, outside:few" \
    "Classes that the dataset lacks: A." "Left out: 8 images of E, F."; do
    [[ $text == *"$title"* ]] || { echo "missing: $title"; return 1; }
  done
  run -0 at report
  has "up to date"
  "$BUILD/tools/make_dataset" "$BATS_TEST_TMPDIR/third" --classes 3 --per-class 3 --size 30 --seed 11
  at evaluate --quiet --data "$BATS_TEST_TMPDIR/third" >/dev/null 2>&1
  run -0 at report
  has "evaluation changed"
}
