// Text on its way to a page: what may be in a class name, and what gnuplot gets of it.
#include "report/text.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

#define BACKSLASH "\\\\\\\\" // four of them: gnuplot makes one of it

static void expect_field(const char *text, const char *expected)
{
  char *written = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&written, &size);
  assert_non_null(out);
  text_field(out, text);
  fclose(out);
  assert_string_equal(written, expected);
  free(written);
}

static void test_field_keeps_what_is_harmless_in_a_data_file(void **state)
{
  (void)state;
  expect_field("A", "A");
  expect_field("`touch canary` $(x) 'q' %s #c A_b^2 {x}", "`touch canary` $(x) 'q' %s #c A_b^2 {x}");
  expect_field("é → Ж", "é → Ж");
}

static void test_field_escapes_what_gnuplot_would_act_on(void **state)
{
  (void)state;
  expect_field("a\"b", "a\\042b");
  expect_field("a\\n", "a" BACKSLASH "n");
}

static void test_field_shows_what_a_line_or_the_font_cannot_hold(void **state)
{
  (void)state;
  expect_field("tab\there\nnext", "tab" BACKSLASH "x09here" BACKSLASH "x0Anext");
  expect_field("\xf0\x9f\x99\x82", BACKSLASH "u{1F642}");
  expect_field("\xff\xfeok", BACKSLASH "xFF" BACKSLASH "xFEok");
  expect_field("\xc0\xaf", BACKSLASH "xC0" BACKSLASH "xAF");                     // overlong
  expect_field("\xed\xa0\x80", BACKSLASH "xED" BACKSLASH "xA0" BACKSLASH "x80"); // a surrogate
  expect_field("\xe2\x86", BACKSLASH "xE2" BACKSLASH "x86");                     // cut off
}

static void expect_clip(const char *text, size_t limit, int middle, const char *expected)
{
  char out[64];
  text_clip(out, sizeof out, text, limit, middle);
  assert_string_equal(out, expected);
}

static void test_clip_counts_characters_as_they_are_shown(void **state)
{
  (void)state;
  expect_clip("nothing", 7, 0, "nothing");
  expect_clip("nothing", 6, 0, "nothi…");
  expect_clip("ééééééé", 5, 0, "éééé…");
  expect_clip("folder/name17.jpg", 11, 1, "folde…7.jpg");
  expect_clip("\n\n\n", 8, 0, "\\x0A\\x0…");
}

static void test_clip_and_show_stay_in_their_memory(void **state)
{
  (void)state;
  char out[6];
  text_show(out, sizeof out, "éééé");
  assert_string_equal(out, "éé");
  text_clip(out, sizeof out, "abcdefghij", 20, 0);
  assert_true(strlen(out) < sizeof out);
}

static void test_line_breaks_at_a_space_where_there_is_one(void **state)
{
  (void)state;
  assert_int_equal(text_line("one two three", 9), 7);
  assert_int_equal(text_line("one", 9), 3);
  assert_int_equal(text_line("abcdefghijkl", 9), 9);
  assert_int_equal(text_line("", 9), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_field_keeps_what_is_harmless_in_a_data_file),
      cmocka_unit_test(test_field_escapes_what_gnuplot_would_act_on),
      cmocka_unit_test(test_field_shows_what_a_line_or_the_font_cannot_hold),
      cmocka_unit_test(test_clip_counts_characters_as_they_are_shown),
      cmocka_unit_test(test_clip_and_show_stay_in_their_memory),
      cmocka_unit_test(test_line_breaks_at_a_space_where_there_is_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
