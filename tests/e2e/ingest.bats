#!/usr/bin/env bats
# ingest meets the files that people really have: good ones, odd names, and everything that is no whole, plain image.
# Run from the repository's root after `make unit`: bats tests/e2e/ingest.bats

bats_require_minimum_version 1.5.0

setup() {
  BUILD=${BUILD:-build}
  DATA=$BATS_TEST_TMPDIR/data
  MANIFEST=$BATS_TEST_TMPDIR/work/manifest.db
  "$BUILD/tools/make_dataset" "$DATA" --classes 4 --per-class 6 --size 48
}

# ingest STATUS [OPTION...]
ingest() {
  run -"$1" "$BUILD/stages/ingest" --manifest "$MANIFEST" --set dataset.train="$DATA" "${@:2}"
}

has() {
  [[ $output == *"$1"* ]] || { printf 'missing: %s\nin: %s\n' "$1" "$output"; return 1; }
}

ask() { sqlite3 "$MANIFEST" "$1"; }

# is SQL ANSWER
is() {
  local answer
  answer=$(ask "$1")
  [ "$answer" = "$2" ] || { printf '%s\n  is  %s\n  not %s\n' "$1" "$answer" "$2"; return 1; }
}

# patch FILE OFFSET BYTES, the bytes as printf's \x escapes
patch() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# The place of the frame header FFC0 in a JPEG.
frame() { LC_ALL=C grep -obUaP '\xff\xc0' "$1" | head -1 | cut -d: -f1; }

@test "a good folder: every file a row, every row whole, and the second run has nothing to do" {
  ingest 0
  has "24 files in 4 class folders"
  has "24 files, 24 ok, 0 quarantined"
  is "SELECT count(*), sum(status = 'ok'), sum(frame), min(width), max(height) FROM image" "24|24|84|48|48"
  is "SELECT group_concat(name, ' ') FROM (SELECT name FROM class ORDER BY ordinal)" "A B C D"
  is "SELECT sha256 FROM image WHERE shown = 'C/C3.jpg'" "$(sha256sum <"$DATA/C/C3.jpg" | cut -d' ' -f1)"
  is "SELECT c.name FROM image i JOIN class c ON c.dataset = i.dataset AND c.ordinal = i.label WHERE i.shown = 'C/C3.jpg'" C
  ingest 0
  has "up to date: 24 images"
  is "SELECT group_concat(images, ' ') FROM (SELECT images FROM stage_log ORDER BY id)" "24 0"
}

@test "the same rows for any number of threads" {
  ingest 0 --threads 1
  ask "SELECT shown, label, sha256, dhash, brightness, sharpness FROM image ORDER BY path" >"$BATS_TEST_TMPDIR/one"
  is "SELECT length(fingerprint) FROM dataset" 64
  first=$(ask "SELECT fingerprint FROM dataset")
  rm "$MANIFEST"
  ingest 0 --threads 4
  ask "SELECT shown, label, sha256, dhash, brightness, sharpness FROM image ORDER BY path" | cmp - "$BATS_TEST_TMPDIR/one"
  is "SELECT fingerprint FROM dataset" "$first"
}

@test "more than twenty kinds of bad files are quarantined with their reasons" {
  cd "$DATA/B"
  good=B1.jpg size=$(stat -c %s B1.jpg) sof=$(frame B1.jpg)
  : >empty.jpg
  printf x >one-byte.jpg
  head -c $((size / 2)) $good >half.jpg
  head -c 100 $good >header-cut.jpg
  head -c $((size - 2)) $good >no-end.jpg
  echo 'this is a note' >text.jpg
  printf '<!DOCTYPE html><html><body>404 Not Found</body></html>' >page.jpg
  printf 'GIF89a\001\000\001\000\200\000\000' >anim.jpg
  printf 'RIFF\044\000\000\000WEBPVP8 ' >photo.webp
  printf 'BM\106\000\000\000\000\000\000\000' >paint.jpg
  printf 'II*\000\010\000\000\000' >scan.jpg
  printf '%%PDF-1.4\n' >paper.jpg
  printf 'PK\003\004\024\000\000\000' >archive.jpg
  head -c 5000 /dev/zero >zeros.jpg
  cp $good cmyk.jpg && patch cmyk.jpg $((sof + 9)) '\x04'
  cp $good arithmetic.jpg && patch arithmetic.jpg $((sof + 1)) '\xc9'
  cp $good lossless.jpg && patch lossless.jpg $((sof + 1)) '\xc3'
  cp $good bomb.jpg && patch bomb.jpg $((sof + 5)) '\xff\xdc\xff\xdc'
  cp $good stump.jpg && patch stump.jpg $((sof + 5)) '\x1f\x40\x1f\x40'
  cp $good broken.jpg && patch broken.jpg $((size * 3 / 4)) '\xff\xc4\x00\x00\xff\xd0'
  printf '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x27\x10\0\0\x27\x10\x08\x02\0\0\0' >png-cut.png
  printf '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0\0\0\0\0' >png-bomb.png
  mkdir folder.jpg && cp $good folder.jpg/inside.jpg
  mkfifo pipe.jpg
  ln -s loop.jpg loop.jpg
  ln -s /etc/passwd outside.jpg
  ln -s B1.jpg link.jpg
  cd - >/dev/null
  run -0 timeout 20 "$BUILD/stages/ingest" --manifest "$MANIFEST" --set dataset.train="$DATA"
  has "51 files, 24 ok, 27 quarantined"
  has "sqlite3 $MANIFEST"
  ask "SELECT shown, reason FROM image WHERE status = 'quarantined' ORDER BY path" | tee "$BATS_TEST_TMPDIR/reasons"
  output=$(<"$BATS_TEST_TMPDIR/reasons")
  has "B/anim.jpg|unsupported: a GIF image"
  has "B/archive.jpg|not-an-image: a ZIP archive"
  has "B/arithmetic.jpg|unsupported: an arithmetic-coded JPEG"
  has "B/bomb.jpg|too-large: 65500 x 65500 pixels"
  has "B/broken.jpg|corrupt: "
  has "B/cmyk.jpg|unsupported: a JPEG of four colours"
  has "B/empty.jpg|empty: 0 bytes"
  has "B/folder.jpg|not-a-file: a folder"
  has "B/half.jpg|truncated: "
  has "B/header-cut.jpg|truncated: "
  has "B/link.jpg|not-a-file: a symbolic link"
  has "B/loop.jpg|not-a-file: a symbolic link"
  has "B/lossless.jpg|unsupported: a lossless"
  has "B/no-end.jpg|truncated: "
  has "B/one-byte.jpg|too-small: 1 bytes"
  has "B/outside.jpg|not-a-file: a symbolic link"
  has "B/page.jpg|not-an-image: HTML"
  has "B/paint.jpg|unsupported: a BMP image"
  has "B/paper.jpg|not-an-image: a PDF"
  has "B/photo.webp|unsupported: a WebP image"
  has "B/pipe.jpg|not-a-file: a pipe"
  has "B/png-bomb.png|too-large: 2147483647 x 2147483647 pixels"
  has "B/png-cut.png|truncated: "
  has "B/scan.jpg|unsupported: a TIFF image"
  has "B/stump.jpg|truncated: 8000 x 8000 pixels cannot be in"
  has "B/text.jpg|not-an-image: text"
  has "B/zeros.jpg|not-an-image: begins with bytes 00 00 00"
  # None has a picture's figures; what could be read has its hash.
  is "SELECT count(*) FROM image WHERE status <> 'ok' AND (width IS NOT NULL OR dhash IS NOT NULL)" 0
  is "SELECT count(*) FROM image WHERE status <> 'ok' AND sha256 IS NULL" 5
  ingest 0
  has "up to date: 24 images"
  ingest 1 --strict
  has "27 files are quarantined, and --strict allows none"
}

@test "a file that may not be read is quarantined" {
  [ "$(id -u)" -ne 0 ] || skip "root may read everything"
  chmod 000 "$DATA/A/A1.jpg"
  ingest 0
  is "SELECT reason FROM image WHERE shown = 'A/A1.jpg'" "unreadable: Permission denied"
}

@test "a file that could not be read is read again, though its size and time are the same" {
  ingest 0
  # Root may read everything: the row is written as such a file leaves it.
  ask "UPDATE image SET status = 'quarantined', reason = 'unreadable: Permission denied', format = NULL, width = NULL,
       height = NULL, sha256 = NULL, dhash = NULL, brightness = NULL, sharpness = NULL WHERE shown = 'A/A1.jpg'"
  ingest 0
  has "24 files, 24 ok"
  is "SELECT images FROM stage_log ORDER BY id DESC LIMIT 1" 1
  is "SELECT status, reason IS NULL, sha256 IS NULL FROM image WHERE shown = 'A/A1.jpg'" "ok|1|0"
  ingest 0
  has "up to date: 24 images"
}

@test "--strict exits 1, and records all the same, of every folder" {
  : >"$DATA/A/empty.jpg"
  ingest 1 --strict
  is "SELECT count(*), sum(status = 'ok') FROM image" "25|24"
  is "SELECT fingerprint IS NOT NULL FROM dataset" 1
  for name in two three; do "$BUILD/tools/make_dataset" "$BATS_TEST_TMPDIR/$name" --classes 2 --per-class 2 --size 48; done
  : >"$BATS_TEST_TMPDIR/three/B/empty.jpg"
  ingest 1 --strict --set dataset.train+="$BATS_TEST_TMPDIR/two" --set dataset.test="$BATS_TEST_TMPDIR/three"
  has "ingest: $DATA: 1, $BATS_TEST_TMPDIR/three: 1 files are quarantined, and --strict allows none"
  is "SELECT group_concat(n, ', ') FROM (SELECT count(*) AS n FROM image GROUP BY dataset)" "25, 4, 5"
}

@test "names are bytes: odd ones are accepted exactly" {
  cd "$DATA/A"
  long=$(printf 'n%.0s' {1..251}).jpg
  names=('new
line.jpg' "quote's.jpg" 'double".jpg' 'back`tick`.jpg' '$(touch canary).jpg' ' space .jpg' '-leading-dash.jpg' '--help'
    $'invalid\xff\xfe.jpg' $'latin\xe9.jpg' $'e\xcc\x81.jpg' $'\xc3\xa9.jpg' 'semi;colon.jpg' '%s%n.jpg' 'back\slash.jpg'
    'no-extension' 'PHOTO.JPG' 'really.png' $'tab\t.jpg' $'\e[31mred.jpg' '*.jpg' '?.jpg' '日本.jpg' "$long")
  for name in "${names[@]}"; do cp -- A1.jpg "./$name"; done
  cd - >/dev/null
  ingest 0
  has "48 files, 48 ok"
  for name in "${names[@]}"; do
    hex=$(printf 'A/%s' "$name" | od -An -v -tx1 | tr -d ' \n')
    is "SELECT count(*) FROM image WHERE lower(hex(path)) = '$hex' AND status = 'ok'" 1
  done
  is "SELECT count(DISTINCT shown) FROM image" 48
  is "SELECT count(*) FROM image WHERE shown GLOB '*[' || char(1) || '-' || char(31) || ']*'" 0
  is "SELECT shown FROM image WHERE path = CAST(x'412f6e65770a6c696e652e6a7067' AS BLOB)" 'A/new\x0Aline.jpg'
  [ ! -e canary ]
}

@test "Kaggle's nested folders, with a test folder beside, are found" {
  mv "$DATA" "$DATA.inner"
  mkdir -p "$DATA/asl_alphabet_train" "$DATA/asl_alphabet_test/asl_alphabet_test"
  mv "$DATA.inner" "$DATA/asl_alphabet_train/asl_alphabet_train"
  cp "$DATA"/asl_alphabet_train/asl_alphabet_train/A/A1.jpg "$DATA/asl_alphabet_test/asl_alphabet_test/A_test.jpg"
  mkdir "$DATA/asl_alphabet_train/asl_alphabet_train/.ipynb_checkpoints"
  : >"$DATA/asl_alphabet_train/asl_alphabet_train/A/.DS_Store"
  ingest 0
  has "24 files, 24 ok, 0 quarantined"
  has "2 names that begin with a dot are skipped"
  is "SELECT count(*) FROM image WHERE shown LIKE 'asl_alphabet_train/asl_alphabet_train/_/_%.jpg'" 24
}

@test "too many class folders: the folder is named" {
  (cd "$DATA" && seq -f 'c%.0f' 9997 | xargs mkdir)
  ingest 1
  has "ingest: $DATA: more than 10000 class folders"
}

@test "class folders in two places are not guessed about" {
  mkdir "$BATS_TEST_TMPDIR/both"
  cp -r "$DATA" "$BATS_TEST_TMPDIR/both/test"
  mv "$DATA" "$BATS_TEST_TMPDIR/both/train"
  DATA=$BATS_TEST_TMPDIR/both
  ingest 1
  has "class folders in both test and train"
}

@test "a rerun reads what changed, forgets what is gone, and welcomes it back" {
  ingest 0
  fingerprint=$(ask "SELECT fingerprint FROM dataset")
  id=$(ask "SELECT id FROM image WHERE shown = 'B/B2.jpg'")
  mv "$DATA/B/B2.jpg" "$BATS_TEST_TMPDIR/B2.jpg"
  cp "$DATA/C/C1.jpg" "$DATA/A/A1.jpg"
  cp "$DATA/C/C1.jpg" "$DATA/C/C7.jpg"
  ingest 0
  has "runs because 2 files are new or changed, 1 are gone"
  is "SELECT images FROM stage_log ORDER BY id DESC LIMIT 1" 2
  is "SELECT status, reason FROM image WHERE id = $id" "missing|missing: not in the folder any more"
  is "SELECT count(DISTINCT sha256) FROM image WHERE shown IN ('A/A1.jpg', 'C/C1.jpg', 'C/C7.jpg')" 1
  is "SELECT fingerprint = '$fingerprint' FROM dataset" 0
  mv "$BATS_TEST_TMPDIR/B2.jpg" "$DATA/B/B2.jpg"
  rm "$DATA/C/C7.jpg"
  "$BUILD/tools/make_dataset" "$DATA" --classes 4 --per-class 6 --size 48 # A1 as it was
  ingest 0
  is "SELECT status FROM image WHERE id = $id" ok
  is "SELECT fingerprint = '$fingerprint' FROM dataset" 1
}

@test "killed at any moment, the next run finishes the rest" {
  "$BUILD/tools/make_dataset" "$DATA" --classes 29 --per-class 80 --size 64
  killed=0
  for delay in 0.01 0.02 0.05 0.1 0.2 0.3; do
    rm -rf "${MANIFEST%/*}"
    status=0
    timeout -s KILL "$delay" "$BUILD/stages/ingest" --manifest "$MANIFEST" --set dataset.train="$DATA" --quiet || status=$?
    [ "$status" -ne 137 ] || killed=$((killed + 1))
    ingest 0 --quiet
    is "PRAGMA integrity_check" ok
    is "SELECT count(*), sum(status = 'ok') FROM image" "2320|2320"
    fingerprint=${fingerprint:-$(ask "SELECT fingerprint FROM dataset")}
    is "SELECT fingerprint FROM dataset" "$fingerprint"
  done
  [ "$killed" -gt 0 ]
}

@test "Ctrl-C keeps what is read and exits 130" {
  "$BUILD/tools/make_dataset" "$DATA" --classes 29 --per-class 100 --size 128
  "$BUILD/stages/ingest" --manifest "$MANIFEST" --set dataset.train="$DATA" --threads 1 3>&- &
  for _ in {1..1000}; do # until the first batch is written
    [ -f "$MANIFEST" ] && [ "$(ask 'SELECT count(*) FROM image' 2>/dev/null)" -gt 0 ] 2>/dev/null && break
    sleep 0.01
  done
  kill -INT $!
  status=0
  wait $! || status=$?
  [ "$status" -eq 130 ]
  kept=$(ask "SELECT count(*) FROM image WHERE status = 'ok'")
  is "SELECT fingerprint IS NULL FROM dataset" 1
  ingest 0
  is "SELECT images FROM stage_log ORDER BY id DESC LIMIT 1" $((2900 - kept))
  is "SELECT count(*) FROM image WHERE status = 'ok'" 2900
}

@test "mistakes are told in words" {
  run -2 "$BUILD/stages/ingest" --manifest "$MANIFEST"
  has "dataset.train is not set"
  run ! "$BUILD/stages/ingest" --manifest "$MANIFEST" --set dataset.train=/no/such/folder
  has "/no/such/folder"
  DATA=$DATA/A
  ingest 1
  has "no folder of class folders"
  DATA=${DATA%/A}
  mkdir "$DATA/E"
  ingest 1
  has "class folder E has no image that can be used"
  rmdir "$DATA/E"
  ingest 0
  for file in "$DATA"/*/*.jpg; do : >"$file"; done
  ingest 1
  has "none of its 24 files is an image that can be used"
}
