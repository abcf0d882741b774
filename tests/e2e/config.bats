#!/usr/bin/env bats
# What a person meets at the command line: help, mistakes in the configuration and in options, exit statuses.
# Run from the repository's root after `make`: bats tests/e2e/config.bats

bats_require_minimum_version 1.5.0

setup() {
  BUILD=${BUILD:-build}
  WORK=$BATS_TEST_TMPDIR/work
  CONFIG=$BATS_TEST_TMPDIR/exp.yaml
  stages=(stages/*.c)
  stages=("${stages[@]/%.c/}")
  stages=("${stages[@]/#/$BUILD/}")
}

# ingest starts a manifest; where a test only needs one to be there, any stage's own error is later than the mistake tested.
split() {
  run -"$1" "$BUILD/stages/split" --manifest "$WORK/manifest.db" "${@:2}"
}

has() {
  [[ $output == *"$1"* ]] || { printf 'missing: %s\nin: %s\n' "$1" "$output"; return 1; }
}

@test "every stage has a help with usage, example and exit statuses" {
  count=0
  for stage in "${stages[@]}"; do
    run -0 "$stage" --help
    has "Usage: build/stages/${stage##*/}"
    has "Example:"
    has "  build/stages/${stage##*/} "
    has "Exit status:"
    run -0 "$stage" --version
    run -0 "$stage" --help-config
    has "train.epochs: 10"
    count=$((count + 1))
  done
  [ "$count" -ge 1 ]
}

@test "every stage refuses an unknown option with status 2 and says how to get help" {
  for stage in "${stages[@]}"; do
    run -2 "$stage" --nonsense
    has "unknown option --nonsense"
    has "try build/stages/${stage##*/} --help"
  done
}

@test "every stage but ingest and synth says what to run first where there is no manifest, and makes nothing" {
  for stage in "${stages[@]}"; do
    [[ $stage == */ingest || $stage == */synth ]] && continue
    run -1 "$stage" --manifest "$WORK/manifest.db"
    has "run build/stages/ingest first"
    [ ! -e "$WORK" ]
  done
}

@test "a bad value is told with file, line, column, value and what is allowed" {
  printf 'seed: 1\n# a comment\ntrain:\n  epochs: ten\n' > "$CONFIG"
  split 2 --config "$CONFIG"
  has "exp.yaml:4:11: train.epochs: \"ten\" is not a whole number; allowed: 1 to 100000"
  split 2 --set train.epochs=ten
  has "--set train.epochs=ten: \"ten\" is not a whole number; allowed: 1 to 100000"
}

@test "an unknown key is told with the one that was probably meant" {
  printf 'train:\n  epcohs: 10\n' > "$CONFIG"
  split 2 --config "$CONFIG"
  has "exp.yaml:2:3: unknown key train.epcohs; did you mean train.epochs?"
  split 2 --set epochs=10
  has "did you mean train.epochs?"
}

@test "a configuration that is not there is told with those that are" {
  printf 'seed: 1\n' > "$CONFIG"
  split 2 --config "$BATS_TEST_TMPDIR/exq.yaml"
  has "exq.yaml: No such file or directory"
  has "exp.yaml"
}

@test "a hostile configuration is refused at once" {
  { printf 'name: '; head -c 60000 /dev/zero | tr '\0' '['; } > "$CONFIG"
  start=$EPOCHREALTIME
  split 2 --config "$CONFIG"
  (( (${EPOCHREALTIME/./} - ${start/./}) < 1000000 ))
  printf 'a: &a [x,x]\nb: &b [*a,*a]\n' > "$CONFIG"
  split 2 --config "$CONFIG"
  head -c 100000 /dev/zero | tr '\0' '#' > "$CONFIG"
  split 2 --config "$CONFIG"
  has "64 KiB"
  run -2 "$BUILD/stages/split" --config "$BATS_TEST_TMPDIR"
  has "directory"
}

@test "--json and --quiet: nothing on stdout but data, nothing on stderr but errors" {
  run -2 --separate-stderr "$BUILD/stages/split" --manifest "$WORK/manifest.db" --json --quiet --set seed=x
  [ -z "$output" ]
  [[ $stderr == *"seed=x"* ]]
}

@test "the configurations that come with the project are good" {
  for config in configs/*.yaml; do
    run -1 "$BUILD/stages/split" --manifest "$WORK/manifest.db" --config "$config"
    has "run build/stages/ingest first" # past the configuration
  done
}

@test "a folder that is missing, none at all, or no folder is told, with status 2" {
  ingest=("$BUILD/stages/ingest" --manifest "$WORK/manifest.db")
  run -2 "${ingest[@]}"
  has "dataset.train is not set"
  has "make pipeline DATA=DIR"
  run -2 "${ingest[@]}" --set "dataset.train=$BATS_TEST_TMPDIR/no such"
  has "no folder at $BATS_TEST_TMPDIR/no such"
  run -2 "${ingest[@]}" --set dataset.train=Makefile
  has "Makefile is not a folder"
  run -2 "${ingest[@]}" --set dataset.train=tests --set dataset.train+=tests/unit
  has "lies within"
}

# --- pipeline.sh, with stages that only show their arguments ---------------------------------------------------------

stand_in() {
  mkdir -p "$BATS_TEST_TMPDIR/stand-in/stages"
  for stage in one two three; do
    cat > "$BATS_TEST_TMPDIR/stand-in/stages/$stage" << 'END'
#!/bin/sh
printf '%s' "${0##*/}"
printf ' <%s>' "$@"
printf '\n'
[ "${0##*/}" != "${FAIL:-}" ] || exit 3
END
    chmod +x "$BATS_TEST_TMPDIR/stand-in/stages/$stage"
  done
  export BUILD=$BATS_TEST_TMPDIR/stand-in
}

@test "pipeline.sh gives every stage the same arguments, whatever is in them" {
  stand_in
  export DATA="a b/\$(touch canary) \`touch canary\`; 'q' \"*" WORK="w x" THREADS=3 SET="seed=1  train.lr=* name=b"
  CONFIG=cnn.yaml run -0 stages/pipeline.sh one two
  arguments="<--manifest> <w x/manifest.db> <--config> <configs/cnn.yaml> <--set> <dataset.train=$DATA> <--threads> <3>"
  arguments+=" <--set> <seed=1> <--set> <train.lr=*> <--set> <name=b>"
  [ "${lines[0]}" = "one $arguments" ]
  [ "${lines[1]}" = "two $arguments" ]
  [ ! -e canary ]
}

@test "pipeline.sh looks up a bare name and takes a path as it is" {
  stand_in
  unset DATA THREADS SET
  CONFIG=cnn WORK=work run -0 stages/pipeline.sh one
  [ "$output" = "one <--manifest> <work/manifest.db> <--config> <configs/cnn.yaml>" ]
  CONFIG=./cnn.yaml WORK=work run -0 stages/pipeline.sh one
  [ "$output" = "one <--manifest> <work/manifest.db> <--config> <./cnn.yaml>" ]
}

@test "pipeline.sh stops at the first stage that fails and has its status" {
  stand_in
  FAIL=two run -3 stages/pipeline.sh one two three
  [ "${#lines[@]}" -eq 2 ]
}

@test "make pipeline hands on values as they were typed, and stops at the first failure" {
  data='/no such/$(shell touch '$BATS_TEST_TMPDIR'/canary)`touch '$BATS_TEST_TMPDIR'/canary`$HOME'
  run -2 make -s pipeline PIPELINE='split split' DATA="$data" WORK="$data"
  has "$data"
  [ "$(grep -c '^split: ' <<< "$output")" -eq 1 ]
  [ ! -e "$BATS_TEST_TMPDIR/canary" ]
}
