// SHA-256 against FIPS 180-4's examples, and of files.
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "core/digest.h"
#include "folder.h"

static const char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void test_known_answers(void **state)
{
  (void)state;
  char text[DIGEST_TEXT];
  assert_int_equal(digest_of(text, "abc", 3, NULL), OK);
  assert_string_equal(text, of_abc);
  assert_int_equal(digest_of(text, NULL, 0, NULL), OK);
  assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_pieces_give_the_whole(void **state)
{
  (void)state;
  static char million[1000000];
  memset(million, 'a', sizeof million);
  struct digest *digest = NULL;
  char text[DIGEST_TEXT];
  assert_int_equal(digest_new(&digest, NULL), OK);
  for (size_t i = 0; i < sizeof million; i += 1000) digest_add(digest, million + i, 1000);
  digest_finish(digest, text);
  digest_free(digest);
  assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  uint64_t size = 0;
  assert_int_equal(digest_of_file(text, &size, write_file("million", million, sizeof million), NULL), OK);
  assert_int_equal(size, sizeof million);
  assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_files_that_are_none(void **state)
{
  (void)state;
  char text[DIGEST_TEXT];
  uint64_t size = 0;
  struct error error = {0};
  assert_int_equal(digest_of_file(text, &size, in_folder("missing"), &error), FAILED);
  assert_non_null(strstr(error.text, "missing"));
  assert_int_equal(digest_of_file(text, &size, folder, &error), BAD_DATA);
  assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
  assert_int_equal(digest_of_file(text, &size, in_folder("fifo"), &error), BAD_DATA); // and does not wait for a writer
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_answers),
      cmocka_unit_test(test_pieces_give_the_whole),
      cmocka_unit_test(test_files_that_are_none),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
