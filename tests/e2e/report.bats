#!/usr/bin/env bats
# The report stage on manifests as a finished pipeline leaves them (build/tools/make_manifest). Run from the repository's root.

bats_require_minimum_version 1.5.0

setup() {
  build=$(realpath "${BUILD:-build}")
  report="$build/stages/report"
  work="$(mktemp -d)"
}

teardown() { rm -rf "$work"; }

manifest() { "$build/tools/make_manifest" "$work" "$@"; }

pages() { pdfinfo "$1" | awk '/^Pages:/ { print $2 }'; }

@test "report: draws twelve pages, the matrix and the curves, and leaves nothing else" {
  manifest
  mkdir -p "$work/runs/cnn/.report-killed" # what kill -9 leaves
  touch "$work/runs/cnn/.report-killed/report.gp"
  run "$report" --manifest "$work/manifest.db" --run cnn
  [ "$status" -eq 0 ]
  [ "$(pages "$work/runs/cnn/report.pdf")" -eq 12 ]
  [ "$(pages "$work/runs/cnn/confusion_matrix.pdf")" -eq 1 ]
  [ "$(ls -A "$work/runs/cnn" | tr '\n' ' ')" = "confusion_matrix.pdf confusion_matrix.png report.pdf results.png " ]
  [ "$(head -c 4 "$work/runs/cnn/confusion_matrix.png" | tail -c 3)" = PNG ]
  pdftotext "$work/runs/cnn/report.pdf" - | grep -q "percent: of that class : of the label$" # not cut off by the page's edge
}

# The queries below page $1, a line each.
footer() {
  pdftotext -f "$1" -l "$1" -layout "$work/runs/cnn/report.pdf" - | sed -n '/^ *SELECT/,$p' | tr -s ' \n\f' ' ' | sed 's/; */;\n/g'
}

@test "report: each page's footer holds queries that return its rows" {
  manifest
  sqlite3 "$work/manifest.db" "UPDATE image SET brightness = 20 WHERE id < 4" # something for the audit
  "$report" --manifest "$work/manifest.db" --run cnn --quiet
  for page in $(seq "$(pages "$work/runs/cnn/report.pdf")"); do
    footer "$page" >"$work/queries"
    grep -q 'SELECT.*;$' "$work/queries" || { echo "page $page has no query"; return 1; }
    while IFS= read -r query || [ -n "$query" ]; do # the last one may be cut off
      rows="$(sqlite3 -bail "$work/manifest.db" "$query")" || { echo "page $page: $query"; return 1; }
      [ -n "$rows" ] || { echo "page $page: no row of: $query"; return 1; }
    done <"$work/queries"
  done
}

@test "report: what a page shows is what its footer's query returns" {
  manifest
  "$report" --manifest "$work/manifest.db" --run cnn --quiet
  text="$(pdftotext -f 7 -l 7 -layout "$work/runs/cnn/report.pdf" - | tr -s ' →' ' ')"
  first="$(sqlite3 "$work/manifest.db" "$(footer 7)" | head -1 | cut -d'|' -f1,2,3 | tr '|' ' ')"
  [[ "$first" == ?*" "?*" "[0-9]* ]]
  grep -qF "$first" <<<"$text"
}

@test "report: the first page has all settings of the run, also of a long configuration" {
  manifest
  { cat configs/cnn-augmented.yaml && echo 'report: {samples: 23}'; } >"$work/long.yaml" # with the last key that there is
  sqlite3 "$work/manifest.db" "UPDATE run SET config = CAST(readfile('$work/long.yaml') AS TEXT)"
  "$report" --manifest "$work/manifest.db" --run cnn --quiet
  text="$(pdftotext -f 1 -l 1 -layout "$work/runs/cnn/report.pdf" - | tr -s ' \n' ' ')"
  [[ "$text" == *"augment mode online, rotate "*", erase "*"train epochs "*"report samples 23"* ]]
}

@test "report: a second time it is up to date, --force and a lost file draw it again" {
  manifest
  "$report" --manifest "$work/manifest.db" --run cnn --quiet
  run "$report" --manifest "$work/manifest.db" --run cnn
  [[ "$output" == *"up to date"* ]]
  run "$report" --manifest "$work/manifest.db" --run cnn --force
  [[ "$output" == *"12 pages"* ]]
  for file in report.pdf results.png confusion_matrix.pdf confusion_matrix.png; do
    rm "$work/runs/cnn/$file"
    run "$report" --manifest "$work/manifest.db" --run cnn
    [[ "$output" == *"its $file is gone"*"12 pages"* ]]
    [ -s "$work/runs/cnn/$file" ]
  done
}

@test "report: a new evaluation draws it again and says so" {
  manifest
  "$report" --manifest "$work/manifest.db" --run cnn --quiet
  sqlite3 "$work/manifest.db" "UPDATE metric SET value = 0.5 WHERE run = 1 AND name = 'accuracy'"
  run "$report" --manifest "$work/manifest.db" --run cnn
  [[ "$output" == *"evaluation changed"* ]]
}

@test "report: benchmarks, other images and epochs of an unfinished run draw it again and say so" {
  manifest
  sqlite3 "$work/manifest.db" "UPDATE run SET state = 'interrupted', best_sha256 = NULL, weights_sha256 = NULL"
  sqlite3 "$work/manifest.db" "DELETE FROM epoch WHERE epoch > 5"
  draw() { run "$report" --manifest "$work/manifest.db" --run cnn; }
  draw
  sqlite3 "$work/manifest.db" "INSERT INTO benchmark(task, threads, value, unit, host, measured_at) VALUES ('stage ingest', 2, 7, 'images/s', 'h', 0)"
  draw
  [[ "$output" == *"newest benchmark changed from 0 to 1"* ]]
  pdftotext "$work/runs/cnn/report.pdf" - | grep -q "Speed of the layers"
  sqlite3 "$work/manifest.db" "UPDATE dataset SET fingerprint = 'g'"
  draw
  [[ "$output" == *"dataset content changed"* ]]
  sqlite3 "$work/manifest.db" "INSERT INTO epoch SELECT run, 6, 1, 0.5, 1, 0.5, lr, seconds, images_per_second FROM epoch WHERE epoch = 5"
  draw
  [[ "$output" == *"finished epochs changed from 5 to 6"* ]]
  draw
  [[ "$output" == *"up to date"* ]]
}

@test "report: the curves are the same whatever pages were drawn before them" {
  manifest
  "$report" --manifest "$work/manifest.db" --run cnn --quiet
  mv "$work/runs/cnn/results.png" "$work"
  sqlite3 "$work/manifest.db" "DELETE FROM prediction; DELETE FROM metric"
  "$report" --manifest "$work/manifest.db" --run cnn --quiet
  cmp "$work/runs/cnn/results.png" "$work/results.png"
}

@test "report: beside more runs than fit, its own is the first of the costs" {
  manifest
  cat >"$work/runs.sql" <<-'EOF'
	CREATE TEMP TABLE copy AS WITH RECURSIVE n(n) AS (VALUES (3) UNION ALL SELECT n + 1 FROM n WHERE n < 20) SELECT n, run.* FROM n, run WHERE id = 1;
	UPDATE copy SET id = n, name = 'copy-' || n, key = n;
	ALTER TABLE copy DROP COLUMN n;
	INSERT INTO run SELECT * FROM copy;
	INSERT INTO metric SELECT copy.id, part, metric.name, value, low, high, images FROM metric, copy WHERE run = 1;
	INSERT INTO prediction(run, image, part, label, predicted, confidence, label_rank, loss) SELECT copy.id, image, part, label, predicted, confidence, label_rank, loss FROM prediction, copy WHERE run = 1;
	EOF
  sqlite3 "$work/manifest.db" <"$work/runs.sql"
  "$report" --manifest "$work/manifest.db" --run cnn-2 --quiet
  pdftotext -f 3 -l 3 -layout "$work/runs/cnn-2/report.pdf" "$work/page"
  grep -E -A 3 "What it costs" "$work/page" | grep -qE '^ *cnn-2 +resnet50 +67'
  [ "$(grep -c "and more: the query is below" "$work/page")" -eq 2 ]
}

@test "report: without --run it takes the run that was finished last" {
  manifest
  run "$report" --manifest "$work/manifest.db"
  [ "$status" -eq 0 ]
  [ -f "$work/runs/cnn-2/report.pdf" ]
  echo "name: nobody" >"$work/default.yaml" # a configuration, whatever it is called, stands for a run
  run "$report" --manifest "$work/manifest.db" --config "$work/default.yaml"
  [ "$status" -ne 0 ]
  [[ "$output" == *"no run for this configuration yet"* ]]
}

@test "report: an unknown run is an error that lists the runs" {
  manifest bare
  run "$report" --manifest "$work/manifest.db" --run nonesuch
  [ "$status" -eq 1 ]
  [[ "$output" == *"no run 'nonesuch'; it has: cnn, cnn-2"* ]]
}

@test "report: a run without epochs and predictions says so on its pages" {
  manifest bare
  run "$report" --manifest "$work/manifest.db" --run cnn
  [ "$status" -eq 0 ]
  pdftotext "$work/runs/cnn/report.pdf" - | grep -q "No epoch of run cnn is finished yet"
  pdftotext "$work/runs/cnn/report.pdf" - | grep -q "Run cnn has no predictions yet"
}

@test "report: hostile class names are printed as they are and run nothing" {
  manifest hostile
  ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=execve -e status=successful -o "$work/calls" "$report" --manifest "$work/manifest.db" --run cnn
  [ "$(grep -c execve "$work/calls")" -eq 2 ] # the stage and gnuplot
  run -1 grep -E 'execve\("[^"]*/(sh|bash|dash)"' "$work/calls"
  [ -z "$(find "$work" -name 'canary*'; find . -maxdepth 1 -name 'canary*')" ]
  text="$(pdftotext -layout "$work/runs/cnn/report.pdf" -)"
  for name in '`touch canary`' '$(touch canary)' "a\"b'c" 'new\x0Aline' 'x_y^2 {z} @&~' "'; DROP TABLE run; --" 'back\slash\n'; do
    grep -qF -- "$name" <<<"$text" || { echo "not on a page: $name"; return 1; }
  done
  [ "$(sqlite3 "$work/manifest.db" 'SELECT count(*) FROM run')" -eq 2 ]
}

@test "report: an outside test with many images and long names of classes says all of it on its page" {
  manifest
  sqlite3 "$work/manifest.db" "
    INSERT INTO dataset(id, name, root, fingerprint, images, quarantined) VALUES (2, 'other', X'2F6F', 'g', 10, 0);
    INSERT INTO outside_test SELECT 1, 2, 'outside:other', 'g', 'w', 10, 1234567890, names, names, 5, 0
      FROM (SELECT replace(hex(zeroblob(20)), '0', char(0x1E00)) AS names);
    INSERT INTO prediction SELECT run, image, 'outside:other', label, predicted, confidence, label_confidence, label_rank, second,
      second_confidence, third, third_confidence, loss FROM prediction WHERE run = 1;
    INSERT INTO metric SELECT run, 'outside:other', name, value, low, high, images FROM metric WHERE run = 1"
  "$report" --manifest "$work/manifest.db" --run cnn --quiet
  text="$(pdftotext "$work/runs/cnn/report.pdf" - | tr '\n' ' ')"
  [[ "$text" == *"5 images are training images."*"1234567890 images of Ḁ"*"…. Classes that the dataset lacks: Ḁ"*"…. "* ]]
}

@test "report: pictures that are gone are grey, tensor files that are gone are said" {
  manifest
  rm -r "$work/data" "$work/tensors"
  run "$report" --manifest "$work/manifest.db" --run cnn
  [ "$status" -eq 0 ]
  text="$(pdftotext "$work/runs/cnn/report.pdf" -)"
  grep -q "24 source images could not be read" <<<"$text"
  grep -q "They cannot be drawn" <<<"$text"
}

@test "report: without gnuplot it names the package and leaves no folder" {
  manifest
  run env PATH=/nonexistent "$report" --manifest "$work/manifest.db" --run cnn
  [ "$status" -eq 1 ]
  [[ "$output" == *"gnuplot-nox"* ]]
  [ -z "$(ls -A "$work/runs/cnn")" ]
}

@test "report: Ctrl-C while gnuplot draws is an interruption and leaves nothing" {
  manifest bare
  mkdir "$work/bin"
  printf '#!/bin/sh\nexec sleep 60\n' >"$work/bin/gnuplot"
  chmod +x "$work/bin/gnuplot"
  # A process group of its own, as a terminal's foreground job has: the signal reaches the stage and gnuplot.
  PATH="$work/bin:$PATH" setsid "$report" --manifest "$work/manifest.db" --run cnn 3>&- &
  stage=$!
  for _ in $(seq 100); do
    [ -e "$work/runs/cnn" ] && pgrep -g "$stage" -x sleep >/dev/null && break
    sleep 0.1
  done
  kill -INT -- "-$stage"
  status=0
  wait "$stage" || status=$?
  [ "$status" -eq 130 ]
  [ -z "$(ls -A "$work/runs/cnn")" ]
}
