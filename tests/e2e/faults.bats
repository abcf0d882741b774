# What the kernel may refuse: the unit tests again, on a system whose calls fail.

setup() {
  cd "$BATS_TEST_DIRNAME/../.."
  build=${BUILD:-build}
  # A sanitized program does not run under a tracer.
  ! grep -q fsanitize "$build/flags" || skip "sanitized build"
  strace -o /dev/null true 2>/dev/null || skip "no right to trace"
}

@test "without openat2, paths are still opened beneath their folder only" {
  run strace -f -o /dev/null -e trace=openat2 -e inject=openat2:error=ENOSYS "$build/tests/test_files"
  [ "$status" -eq 0 ]
}

@test "a failing fsync fails the publication, and is not tried again" {
  run strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=fsync -e inject=fsync:error=EIO:when=1 \
    env CMOCKA_MESSAGE_OUTPUT=TAP "$build/tests/test_tensorfile"
  [ "$status" -ne 0 ]
  [[ $output == *'not ok 1 - test_round_trip'* ]]
  [[ $output == *$'\nok 2 - '* ]]
  [ "$(grep -c 'fsync.*INJECTED' "$BATS_TEST_TMPDIR/trace")" -eq 1 ]
}
