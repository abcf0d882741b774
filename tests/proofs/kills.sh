#!/bin/bash
# Kills stages with SIGKILL and looks at what they leave: once at every system call that changes a file, and KILLS times at a
# random moment; after each, the manifest is whole, and running the stage again ends in the state of a run that nobody
# disturbed, with nothing left over. Takes an hour or so; `make test` has a few such kills of the longest stages.
#
#   make proof-kills [KILLS=200] [EVERY=1] [ONLY="resize train"] [SEED=1]
#
#   KILLS   at random moments, for each stage; 0: none
#   EVERY   kill at every so many'th of the system calls; 0: at none
#
#   ONLY    these stages; the others run undisturbed
#
# A line for each stage; at the first difference it stops with status 1 and says where both states lie. Needs strace, sqlite3.
set -u
set -o pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${BUILD:-build} kills=${KILLS:-200} every=${EVERY:-1}
RANDOM=${SEED:-1}
calls=write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,ftruncate,fallocate,unlink,unlinkat,linkat,mkdirat
trained='synth ingest split resize augment train evaluate report'
frozen='weights features'
only=${ONLY:-$trained $frozen}
base=$(mktemp -d) || exit 2
# Each trial uses the same folder, so that no path differs.
work=$base/work
trap 'rm -rf "$base"' EXIT

# A network that is trained, from folders and renders to its report; and what goes before training where a trunk is frozen, on
# bytes, so that what was calibrated is kept as well.
cat >"$base/trained.yaml" <<EOF
dataset: {train: ["$base/data"]}
synth: {per_class: 1, size: 32, beside: true}
split: {method: random, val: 0.25}
augment: {mode: copies, copies: 1, rotate: 5}
train: {epochs: 2, batch: 16, lr: 0.001}
EOF
cat >"$base/frozen.yaml" <<EOF
dataset: {train: ["$base/few"]}
split: {method: random, val: 0.25}
resize: {size: 224}
model: {name: resnet50, trainable: head, weights: ["$base/weights.h5"]}
features: {precision: int8, calibrate: 4, least_cosine: 0.5}
EOF

stage() { # NAME [COMMAND BEFORE IT...]
  "${@:2}" "$build/stages/$1" "${options[@]}"
}

ask() { sqlite3 -cmd ".timeout 10000" "$work/manifest.db" "$1"; }

# All that a run that nobody disturbs would leave as well: the rows of all tables but the log, without times and measurements,
# and the files, those without times in them by content.
state() {
  local table columns
  for table in $(ask "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'
                        AND name NOT IN ('stage_log', 'benchmark') ORDER BY name"); do
    columns=$(ask "SELECT group_concat('quote(' || name || ')', ', ') FROM pragma_table_info('$table')
                   WHERE name NOT GLOB '*_at' AND name NOT GLOB '*seconds' AND name NOT GLOB '*per_second'
                     AND name NOT IN ('peak_memory', 'host')")
    echo "table $table"
    ask "SELECT $columns FROM $table" | sort
  done
  (cd "$work" && find . -type f ! -name 'manifest.db*' ! -name '.lock-*' | sort)
  (cd "$work" && find tensors synth weights -type f -print0 2>/dev/null | sort -z | xargs -0 -r sha256sum)
}

is_whole() {
  [ -e "$work/manifest.db" ] || return 0
  [ "$(ask "PRAGMA integrity_check; SELECT count(*) FROM pragma_foreign_key_check")" = $'ok\n0' ]
}

stop() { # WHAT
  trap - EXIT
  echo "$1; the state is in $work, the wanted one in $base/wanted, messages in $base/messages"
  exit 1
}

# What a kill left, made good by running the stage again.
judge() { # STAGE WHERE
  is_whole || stop "$1 killed $2: the manifest is damaged"
  stage "$1" >"$base/messages" 2>&1 || stop "$1 killed $2: it does not go on"
  state >"$base/found"
  cmp -s "$base/wanted" "$base/found" || stop "$1 killed $2: another state ($base/found)"
}

before() { rm -rf "$work" && cp -a "$base/before" "$work"; }

at_every_call() { # STAGE
  local count n
  before
  stage "$1" strace -f -qq -o "$base/trace" -e trace="$calls" >/dev/null 2>&1 || stop "$1: cannot be traced"
  count=$(grep -c . "$base/trace")
  for ((n = 1; n <= count; n += every)); do
    before
    stage "$1" strace -f -qq -o /dev/null -e trace="$calls" -e inject="$calls:signal=KILL:when=$n" >/dev/null 2>&1
    judge "$1" "at its call $n of $count"
    at_calls=$((at_calls + 1))
  done
}

at_random() { # STAGE
  local i begun length
  before
  begun=${EPOCHREALTIME/./}
  stage "$1" >/dev/null 2>&1
  length=$((${EPOCHREALTIME/./} - begun))
  for ((i = 1; i <= kills; i++)); do
    before
    "$build/stages/$1" "${options[@]}" >/dev/null 2>&1 & # no function: its process is to be killed, not a shell's
    local moment=$((RANDOM * 32768 + RANDOM))
    moment=$((moment % length))
    sleep "$(printf '%d.%06d' $((moment / 1000000)) $((moment % 1000000)))"
    kill -KILL $! 2>/dev/null && at_moments=$((at_moments + 1))
    wait $! 2>/dev/null
    judge "$1" "after $moment us"
  done
}

# Runs stages in their order, and kills those that are wanted, each beginning in the state that the one before it left.
chain() { # CONFIG STAGE...
  local name
  options=(--manifest "$work/manifest.db" --config "$base/$1.yaml" --threads 1 --quiet)
  rm -rf "$base/before" && mkdir "$base/before"
  for name in "${@:2}"; do
    at_calls=0 at_moments=0
    before
    stage "$name" >"$base/messages" 2>&1 || stop "$name fails undisturbed"
    mv "$base/wanted" "$base/earlier" 2>/dev/null || : >"$base/earlier"
    state >"$base/wanted"
    ! cmp -s "$base/earlier" "$base/wanted" || stop "$name does nothing here"
    rm -rf "$base/after" && cp -a "$work" "$base/after"
    case " $only " in
    *" $name "*)
      [ "$every" -eq 0 ] || at_every_call "$name"
      [ "$kills" -eq 0 ] || at_random "$name"
      echo "$name: killed at $at_calls system calls and $at_moments moments; always the same state afterwards"
      ;;
    esac
    rm -rf "$base/before" && mv "$base/after" "$base/before"
  done
}

"$build/tools/make_dataset" "$base/data" --per-class 4 --size 32 &&
  "$build/tools/make_dataset" "$base/few" --classes 2 --per-class 8 --size 48 &&
  "$build/tools/make_weights" "$base/weights.h5" || exit 2
chain trained $trained
only=" $only "
for name in $trained; do only=${only/ $name / }; done # killed above: in the other chain they only prepare
chain frozen ingest split resize $frozen
