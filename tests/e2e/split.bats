#!/usr/bin/env bats
# The split stage behind a real ingest. Run from the repository's root after `make`: bats tests/e2e/split.bats

bats_require_minimum_version 1.5.0

PNG=iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAiElEQVR42mNgkLOJqpi25dIHPh2vjLYlhx78k7GKKJuyiYFd1Tmxfu7um99FjQPze1effM6q7BhfO3snA5rCC+94tDzSWhYdYEBTeP2rsKF/bvfK4wxoCu/9kbIIK5m04RwDmsKnzIr2sdUzt19lQFP4hkvDLaVpwb47DGgKPwvq+2Z3Lj/6GACMJV0hawFLUAAAAABJRU5ErkJggg== # 8x8 pixels

setup() {
  BUILD=${BUILD:-build}
  DATA="$BATS_TEST_TMPDIR/the data"
  WORK=$BATS_TEST_TMPDIR/work
  for letter in A B C; do images "$letter" 10; done
}

# images CLASS COUNT: PNG files
images() {
  mkdir -p "$DATA/$1"
  for ((i = 1; i <= $2; i++)); do
    { base64 -d <<< "$PNG"; } > "$DATA/$1/$1$i.png"
  done
}

ingest() {
  "$BUILD/stages/ingest" --quiet --manifest "${MANIFEST:-$WORK/manifest.db}" --set "dataset.train=$DATA"
}

split() {
  run -"$1" "$BUILD/stages/split" --manifest "${MANIFEST:-$WORK/manifest.db}" "${@:2}"
}

has() {
  [[ $output == *"$1"* ]] || { printf 'missing: %s\nin: %s\n' "$1" "$output"; return 1; }
}

ask() {
  sqlite3 -batch "${MANIFEST:-$WORK/manifest.db}" "$1"
}

parts() {
  ask "SELECT shown, part FROM split_image JOIN image ON image.id = image ORDER BY shown" | sha256sum
}

@test "a split is stratified, told as a table, and done once" {
  ingest
  split 0
  has "nothing like it was done yet"
  has "train        24   80.0%  8"
  has "val           6   20.0%  2"
  [ "$(ask "SELECT group_concat(n) FROM (SELECT count(*) n FROM split_image JOIN image ON image.id = image
            WHERE part = 'val' GROUP BY label)")" = 2,2,2 ]
  split 0
  has "split: up to date: 24 images in train, 6 in val, 0 in test"
  [ "$(ask "SELECT count(*) FROM split")" = 1 ]
  [ "$(ask "SELECT why FROM stage_log ORDER BY id DESC LIMIT 1")" = "up to date" ]
}

@test "a changed key makes another split and is named" {
  ingest
  split 0
  split 0 --set split.val=0.1 --set split.test=0.1 --set seed=3
  has "split.test changed from 0 to 0.1, split.val changed from 0.2 to 0.1, seed changed from 0 to 3" ||
    has "split.val changed from 0.2 to 0.1, split.test changed from 0 to 0.1, seed changed from 0 to 3"
  split 0 --set train.epochs=3
  has "up to date"
  rm "$DATA/A/A1.png"
  ingest
  split 0
  has "dataset content changed"
}

@test "parts depend on seed and paths, not on the order in which images were found" {
  mv "$DATA/A" "$BATS_TEST_TMPDIR/later"
  ingest
  mv "$BATS_TEST_TMPDIR/later" "$DATA/A"
  ingest
  split 0
  found_late=$(parts)
  MANIFEST=$BATS_TEST_TMPDIR/other/manifest.db
  ingest
  split 0 --threads 1
  [ "$(parts)" = "$found_late" ]
}

@test "files that are quarantined have no part; a class with too few images is told" {
  images D 1
  : > "$DATA/B/B11.png"
  ingest
  split 0
  has "1 of 4 classes have too few images to have one in val: D"
  [ "$(ask "SELECT count(*) FROM image WHERE status <> 'ok'")" = 1 ]
  [ "$(ask "SELECT count(*) FROM split_image JOIN image ON image.id = image WHERE status <> 'ok'")" = 0 ]
  [ "$(ask "SELECT count(*) FROM split_image")" = 31 ]
}

@test "a dataset that ingest did not accept is not split" {
  mkdir "$DATA/E"
  : > "$DATA/E/E1.png"
  run ! ingest
  split 1
  has "run build/stages/ingest again"
}

@test "an impossible split and an unknown dataset are refused" {
  ingest
  split 2 --set split.val=0.6 --set split.test=0.4
  has "leave nothing to train on"
  split 1 --set dataset.train=/
  has "does not know the dataset / yet: run build/stages/ingest first"
  split 0 --json --quiet --set split.method=random
  [ "$(sed 's/.*"state":"\([a-z]*\)".*/\1/' <<< "$output")" = "done" ]
}

@test "a class that is one scene is named, and its leak is measured" {
  ingest
  split 0
  has "A is too much of one scene for a split without leaks: 2 of its 2 images in val and test have a neighbour in train"
  [ "$(ask "SELECT images, with_train_neighbour, share, method, bits FROM leakage")" = "6|6|1.0|grouped|5" ]
  [ "$(ask "SELECT count(*), sum(images) FROM near_duplicate_groups")" = "30|30" ]
}

@test "grouped and blocks: no group in two parts, the same frames for every class" {
  "$BUILD/tools/make_dataset" "$DATA-2" --per-class 40 --classes 3 --size 32
  rm -r "$DATA"
  mv "$DATA-2" "$DATA"
  ingest
  split 0
  has "groups of near-duplicates"
  [ "$(ask "SELECT count(*) FROM near_duplicate_groups WHERE (train > 0) + (val > 0) + (test > 0) > 1")" = 0 ]
  split 0 --set split.method=blocks --set split.gap=1 --set split.blocks=2
  has "split.method changed from grouped to blocks"
  [ "$(ask "SELECT count(*) FROM (SELECT 1 FROM split_image JOIN split ON split.id = split JOIN image ON image.id = image
            WHERE method = 'blocks' GROUP BY frame HAVING count(DISTINCT part) > 1)")" = 0 ]
  [ "$(ask "SELECT count(*) > 0 FROM split_image WHERE part = 'none'")" = 1 ]
  split 0 --set split.gap=7 # not a key of grouped
  has "up to date"
}

@test "folder: the parts are those of the folders, classes by name" {
  mkdir "$DATA-3"
  mv "$DATA" "$DATA-3/train"
  mkdir "$DATA-3/valid" "$DATA-3/test"
  cp -r "$DATA-3/train/A" "$DATA-3/train/C" "$DATA-3/valid"
  mv "$DATA-3/train/B" "$DATA-3/test"
  DATA=$DATA-3
  run -1 "$BUILD/stages/ingest" --manifest "$WORK/manifest.db" --set "dataset.train=$DATA"
  has "name one of the two"
  "$BUILD/stages/ingest" --quiet --manifest "$WORK/manifest.db" --set "dataset.train=$DATA" --set split.method=folder
  split 0 --set split.method=folder
  has "1 of 3 classes have nothing in train: B"
  has "val: 100.0% of the images have a neighbour in train"
  [ "$(ask "SELECT group_concat(name || part || n, ' ') FROM (SELECT class.name, part, count(*) n FROM split_image
            JOIN image ON image.id = image JOIN class ON class.dataset = image.dataset AND class.ordinal = label
            GROUP BY 1, 2 ORDER BY 1, 2)")" = "Atrain10 Aval10 Btest10 Ctrain10 Cval10" ]
  split 0 --set split.method=folder --set split.val=0.4 --set seed=3 # neither counts
  has "up to date"
  rm -r "$DATA/train"
  run -1 "$BUILD/stages/ingest" --manifest "$WORK/manifest.db" --set "dataset.train=$DATA" --set split.method=folder
  has "needs a folder train in it"
}

@test "methods that need what the names lack are refused with a reason" {
  for file in "$DATA"/*/*1.png; do mv "$file" "${file%1.png}x.png"; done
  ingest
  split 1 --set split.method=blocks
  has "3 of 30 images have none"
  split 1 --set split.method=folder
  has "30 of 30 images are in none of these folders"
}
