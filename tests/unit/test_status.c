// Errors as values: what a message holds, and what happens to one that is too long.
#include <errno.h>
#include <string.h>

#include "check.h"
#include "core/status.h"

static void test_fail_sets_status_and_text(void **state)
{
  (void)state;
  struct error error = {0};
  assert_int_equal(fail(&error, BAD_DATA, "%s: %d rows, at most %d are allowed", "x.st", 7, 5), BAD_DATA);
  assert_int_equal(error.status, BAD_DATA);
  assert_string_equal(error.text, "x.st: 7 rows, at most 5 are allowed");
}

static void test_null_error_still_returns_the_status(void **state)
{
  (void)state;
  errno = ENOENT;
  assert_int_equal(fail(NULL, BAD_USAGE, "x"), BAD_USAGE);
  assert_int_equal(fail_errno(NULL, "x"), FAILED);
  assert_int_equal(fail_memory(NULL, "x", 1), OUT_OF_MEMORY);
  assert_true(fail_within(NULL, "x") != OK);
}

static void test_errno_is_named(void **state)
{
  (void)state;
  struct error error = {0};
  errno = ENOENT;
  assert_int_equal(fail_errno(&error, "cannot open %s", "x.st"), FAILED);
  assert_string_equal(error.text, "cannot open x.st: No such file or directory");
  errno = ENOMEM;
  assert_int_equal(fail_errno(&error, "cannot map %s", "x.st"), OUT_OF_MEMORY);
}

static void test_within_keeps_the_status(void **state)
{
  (void)state;
  struct error error = {0};
  fail(&error, BAD_DATA, "no header");
  assert_int_equal(fail_within(&error, "run %s", "cnn"), BAD_DATA);
  assert_string_equal(error.text, "run cnn: no header");
}

static void test_long_messages_end_in_dots(void **state)
{
  (void)state;
  struct error error = {0};
  char name[3000];
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  fail(&error, FAILED, "%s", name);
  assert_int_equal(strlen(error.text), sizeof error.text - 1);
  assert_string_equal(error.text + sizeof error.text - 4, "...");
  errno = EIO;
  fail_errno(&error, "%s", name);
  assert_int_equal(strlen(error.text), sizeof error.text - 1);
  fail_within(&error, "%s", name);
  assert_string_equal(error.text + sizeof error.text - 4, "...");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fail_sets_status_and_text),
      cmocka_unit_test(test_null_error_still_returns_the_status),
      cmocka_unit_test(test_errno_is_named),
      cmocka_unit_test(test_within_keeps_the_status),
      cmocka_unit_test(test_long_messages_end_in_dots),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
