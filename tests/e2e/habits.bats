# The tools that watch over the code are watched here: each must find a mistake that is planted for it.

setup() {
  cd "$BATS_TEST_DIRNAME/../.."
  root=$PWD
  tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree"
}

planted() { # FILE LINE: a copy of the sources with that line at the end of that file
  cp -r pipeline stages "$tree"
  printf '%s\n' "$2" >>"$tree/$1"
}

@test "check-layers accepts the house as it stands" {
  run tests/tools/check-layers
  [ "$status" -eq 0 ]
  [ -z "$output" ]
}

@test "check-layers finds each kind of violation" {
  local stage other
  stage=$(ls stages/*.c | head -n 1)
  other=$(ls stages/*.c | tail -n 1)
  while IFS='|' read -r file line; do
    rm -rf "${tree:?}"/*
    planted "$file" "$line"
    run sh -c 'cd "$1" && "$2"/tests/tools/check-layers' - "$tree" "$root"
    [ "$status" -ne 0 ] || { echo "not found: $line in $file"; false; }
    [[ $output == *"$file:"* ]] || { echo "not named: $file in $output"; false; }
  done <<PLANTED
pipeline/core/status.c|#include "store/db.h"
pipeline/engine/net/net.c|#include "image/image.h"
pipeline/engine/net/net.c|#include "store/db.h"
pipeline/store/tensorfile.c|#include "models/models.h"
pipeline/image/resize.c|#include "config/config.h"
pipeline/models/models.c|#include "data/loader.h"
pipeline/config/config.c|#include "stage/stage.h"
pipeline/store/tensorfile.c|#include <sqlite3.h>
pipeline/stage/stage.c|#include <dnnl.h>
pipeline/image/resize.c|#include <opencv2/core.hpp>
pipeline/stage/stage.c|#include "../stages/x.h"
$stage|#include "$(basename "$other")"
pipeline/core/mem.c|void f(void) { exit(1); }
pipeline/store/db.c|void f(void) { printf("x"); }
PLANTED
}

@test "check-layers does not accept a room without a rule" {
  planted pipeline/core/status.c ''
  mkdir "$tree/pipeline/cellar"
  echo 'int x;' >"$tree/pipeline/cellar/x.c"
  run sh -c 'cd "$1" && "$2"/tests/tools/check-layers' - "$tree" "$root"
  [ "$status" -ne 0 ]
  [[ $output == *cellar* ]]
}

@test "an unsafe library call does not compile" {
  for call in 'sprintf(b, "x")' 'strcpy(b, "x")' 'strcat(b, "x")' 'atoi("1")' 'rand()' 'system("x")' 'popen("x", "r")' \
    'strtok(b, "x")' 'localtime(0)' 'tmpnam(b)'; do
    printf '#include <stdio.h>\nvoid f(char *b);\nvoid f(char *b) { (void)b; (void)%s; }\n' "$call" >"$tree/x.c"
    run gcc -std=c17 -D_GNU_SOURCE -Ipipeline -include core/banned.h -fsyntax-only "$tree/x.c"
    [ "$status" -ne 0 ] && [[ $output == *is_banned_see_core_banned_h* ]] || { echo "compiles: $call"; false; }
  done
  printf '#include <stdio.h>\nint main(void) { return puts("x"); }\n' >"$tree/x.c"
  gcc -std=c17 -D_GNU_SOURCE -Ipipeline -include core/banned.h -fsyntax-only "$tree/x.c"
}

@test "lint waits for every header that is generated" {
  generated=" $(make -s --eval 'show: ; @echo $(notdir $(GENERATED))' show) "
  for header in $(grep -rhoE '^#include "\w+_(sql|gp)\.h"' pipeline | grep -oE '\w+\.h'); do
    [[ $generated == *" $header "* ]] || { echo "not waited for: $header"; false; }
  done
}

# --- the test runner ------------------------------------------------------------------------------------------------------

program() { # NAME: an executable that plays a test program, from stdin
  { echo '#!/bin/sh'; cat; } >"$tree/$1"
  chmod +x "$tree/$1"
}

@test "run-tests counts passes, failures and skips, and ends in one line" {
  program good <<<'echo 1..3; echo ok 1 - a; echo "not ok 2 # SKIP b"; echo ok 3 - c'
  program bad <<<'echo 1..2; echo ok 1 - a; echo not ok 2 - b; echo "# because"; exit 1'
  run tests/tools/run-tests "$tree/logs" "$tree/good" "$tree/bad"
  [ "$status" -eq 1 ]
  [[ $output == *'# because'* ]]
  [[ $output == *'skipped: good 2 b'* ]]
  [ "${lines[-1]}" = "3 passed, 1 failed" ]
}

@test "run-tests takes a crash, silence, a bad exit and a missing program for failures" {
  program crash <<<'echo 1..3; echo ok 1 - a; kill -SEGV $$'
  program silent <<<'exit 0'
  program leaky <<<'echo 1..1; echo ok 1 - a; exit 23'
  program slow <<<'echo 1..1; sleep 30; echo ok 1 - a'
  for name in crash silent leaky absent slow; do
    TEST_SECONDS=1 run tests/tools/run-tests "$tree/logs" "$tree/$name"
    [ "$status" -eq 1 ] && [[ ${lines[-1]} == *' passed, 1 failed' ]] || { echo "$name: $output"; false; }
  done
}

@test "run-tests is content with tests that pass, and not with none" {
  program good <<<'echo 1..1; echo ok 1 - a'
  run tests/tools/run-tests "$tree/logs" "$tree/good"
  [ "$status" -eq 0 ]
  [ "${lines[-1]}" = "1 passed, 0 failed" ]
  program none <<<'echo 1..0'
  run tests/tools/run-tests "$tree/logs" "$tree/none"
  [ "$status" -eq 1 ]
}

# --- make deps ------------------------------------------------------------------------------------------------------------

command_that() { # NAME: a stand-in for a system command, from stdin, in $tree/bin
  mkdir -p "$tree/bin"
  { echo '#!/bin/sh'; cat; } >"$tree/bin/$1"
  chmod +x "$tree/bin/$1"
}

@test "deps does nothing but say so when all is there" {
  command_that dpkg-query <<<'echo "install ok installed"'
  command_that apt-get <<<"touch $tree/called"
  PATH=$tree/bin:$PATH run .ci/deps build run test lint
  [ "$status" -eq 0 ]
  [[ $output == *'all packages are there'* ]]
  [ ! -e "$tree/called" ]
}

@test "deps names what is missing and why, and installs only that" {
  command_that dpkg-query <<<'case $3 in libspng-dev | bats) exit 1 ;; esac; echo "install ok installed"'
  command_that id <<<'echo 0'
  command_that apt-get <<<"echo \"\$@\" >>$tree/called"
  PATH=$tree/bin:$PATH run .ci/deps build
  [ "$status" -eq 0 ]
  [[ $output == *libspng-dev*PNG* ]]
  [[ $(tail -n 1 "$tree/called") == install*--no-install-recommends\ libspng-dev ]]
}

@test "deps without root tells the command; without apt, the packages" {
  command_that dpkg-query <<<'exit 1'
  command_that id <<<'echo 1000'
  command_that apt-get <<<"touch $tree/called"
  PATH=$tree/bin:$PATH run .ci/deps build
  [ "$status" -eq 1 ]
  [[ $output == *'sudo apt-get install --no-install-recommends gcc '* ]]
  [ ! -e "$tree/called" ]
  rm "$tree/bin/dpkg-query" "$tree/bin/apt-get"
  for name in dirname awk sh; do ln -s "$(command -v $name)" "$tree/bin/$name"; done
  PATH=$tree/bin run .ci/deps build
  [ "$status" -eq 1 ]
  [[ $output == *'no apt-get'* ]]
  [[ $output == *libdnnl-dev* ]]
}

@test "make deps comes before all else, with -j too" {
  run make -n -j8 deps test BUILD="$tree/build"
  [ "$status" -eq 0 ]
  local first
  first=$(printf '%s\n' "$output" | grep -nE '\.ci/deps|-c .* -o|/flags' | head -n 1)
  [[ $first == *'.ci/deps build run test'* ]]
}
