// What derived work depends on: each key follows what it should, and nothing else.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/net.h"
#include "keys/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // after our headers: it makes a macro of fail

struct fixture {
  char folder[64], data[128], manifest[128];
  struct db *db;
  struct error error;
};

static int set_up(void **state)
{
  struct fixture *fixture = calloc(1, sizeof *fixture);
  char root[PATH_LIMIT];
  memcpy(fixture->folder, "/tmp/test_keys.XXXXXX", sizeof "/tmp/test_keys.XXXXXX");
  if (!mkdtemp(fixture->folder)) return -1;
  snprintf(fixture->data, sizeof fixture->data, "%s/a b", fixture->folder);
  snprintf(fixture->manifest, sizeof fixture->manifest, "%s/manifest.db", fixture->folder);
  if (mkdir(fixture->data, 0777) || !realpath(fixture->data, root)) return -1;
  if (db_open(&fixture->db, fixture->manifest, DB_CREATE, &fixture->error)) return -1;
  *state = fixture;
  return db_run(fixture->db, &fixture->error,
                "INSERT INTO dataset (name, root, fingerprint, images) VALUES ('a b', ?, 'one', 5)", "b", root,
                strlen(root));
}

static int tear_down(void **state)
{
  struct fixture *fixture = *state;
  db_close(fixture->db);
  unlink(fixture->manifest);
  rmdir(fixture->data);
  rmdir(fixture->folder);
  free(fixture);
  return 0;
}

static struct config *configure(struct fixture *fixture, const char *set, const char *second)
{
  struct config *config = NULL;
  char data[160];
  snprintf(data, sizeof data, "dataset.train=%s", fixture->data);
  char *sets[] = {data, (char *)set, (char *)second};
  if (config_load(&config, NULL, sets, set ? second ? 3 : 2 : 1, &fixture->error)) fail_msg("%s", fixture->error.text);
  return config;
}

typedef enum status maker(struct stage_key **out, struct db *db, const struct config *config, struct error *error);

static void digest(struct fixture *fixture, maker *make, const char *set, const char *second, char out[DIGEST_TEXT])
{
  struct config *config = configure(fixture, set, second);
  struct stage_key *key = NULL;
  if (make(&key, fixture->db, config, &fixture->error)) fail_msg("%s", fixture->error.text);
  memcpy(out, stage_key_digest(key), DIGEST_TEXT);
  stage_key_free(key);
  config_free(config);
}

// Whether the key changes when `set` is added to `base` (may be NULL).
static bool follows(struct fixture *fixture, maker *make, const char *base, const char *set)
{
  char before[DIGEST_TEXT], after[DIGEST_TEXT];
  digest(fixture, make, base, NULL, before);
  digest(fixture, make, base ? base : set, base ? set : NULL, after);
  return strcmp(before, after) != 0;
}

static void test_split_key(void **state)
{
  struct fixture *fixture = *state;
  assert_false(follows(fixture, split_key, NULL, NULL));
  assert_true(follows(fixture, split_key, NULL, "split.val=0.3"));
  assert_true(follows(fixture, split_key, NULL, "split.test=0.1"));
  assert_true(follows(fixture, split_key, NULL, "seed=1"));
  assert_false(follows(fixture, split_key, NULL, "split.val=0.20"));
  assert_false(follows(fixture, split_key, NULL, "resize.size=224"));
  assert_false(follows(fixture, split_key, NULL, "name=other"));
}

static void test_image_keys(void **state)
{
  struct fixture *fixture = *state;
  assert_true(follows(fixture, resized_key, NULL, "resize.size=224"));
  assert_true(follows(fixture, resized_key, NULL, "resize.fit=letterbox"));
  assert_false(follows(fixture, resized_key, NULL, "seed=1"));
  assert_false(follows(fixture, resized_key, NULL, "split.val=0.3"));
  assert_true(follows(fixture, augmented_key, NULL, "resize.size=224"));
  assert_true(follows(fixture, augmented_key, NULL, "split.val=0.3"));
  assert_true(follows(fixture, augmented_key, NULL, "augment.rotate=5"));
  assert_true(follows(fixture, augmented_key, NULL, "augment.copies=2"));
  assert_false(follows(fixture, augmented_key, NULL, "augment.mode=copies"));
  assert_false(follows(fixture, augmented_key, NULL, "train.epochs=3"));
}

static void test_run_key(void **state)
{
  struct fixture *fixture = *state;
  assert_true(follows(fixture, run_key, NULL, "train.epochs=12"));
  assert_true(follows(fixture, run_key, NULL, "model.dropout=0.5"));
  assert_true(follows(fixture, run_key, NULL, "split.val=0.3"));
  assert_true(follows(fixture, run_key, NULL, "resize.filter=linear"));
  assert_true(follows(fixture, run_key, NULL, "seed=1"));
  assert_false(follows(fixture, run_key, NULL, "train.checkpoint_seconds=1"));
  assert_false(follows(fixture, run_key, NULL, "report.samples=1"));
  assert_false(follows(fixture, run_key, NULL, "evaluate.parts=val"));
  assert_false(follows(fixture, run_key, NULL, "name=other"));
  // Augmentation counts when it is used.
  assert_false(follows(fixture, run_key, NULL, "augment.rotate=5"));
  assert_true(follows(fixture, run_key, NULL, "augment.mode=online"));
  assert_true(follows(fixture, run_key, "augment.mode=online", "augment.rotate=5"));
  assert_false(follows(fixture, run_key, "augment.mode=online", "augment.copies=5"));
  assert_true(follows(fixture, run_key, "augment.mode=copies", "augment.copies=5"));
  // auto is what it resolves to.
  bool bf16 = net_precision_supported(NET_BF16);
  assert_false(follows(fixture, run_key, NULL, bf16 ? "train.precision=bf16" : "train.precision=fp32"));
  if (bf16) assert_true(follows(fixture, run_key, NULL, "train.precision=fp32"));
}

static void test_dataset_content(void **state)
{
  struct fixture *fixture = *state;
  static maker *const makers[] = {split_key, resized_key, augmented_key, run_key};
  char before[4][DIGEST_TEXT], after[DIGEST_TEXT];
  for (int i = 0; i < 4; i++) digest(fixture, makers[i], NULL, NULL, before[i]);
  assert_int_equal(db_run(fixture->db, &fixture->error, "UPDATE dataset SET fingerprint = 'two'", ""), OK);
  for (int i = 0; i < 4; i++) {
    digest(fixture, makers[i], NULL, NULL, after);
    assert_string_not_equal(before[i], after);
  }
}

static void assert_find_fails(struct fixture *fixture, const char *set, enum status expected, const char *part)
{
  struct dataset_found dataset = {0};
  struct config *config = NULL;
  char *sets[] = {(char *)set};
  assert_int_equal(config_load(&config, NULL, sets, set ? 1 : 0, &fixture->error), OK);
  assert_int_equal(dataset_find(&dataset, fixture->db, config, &fixture->error), expected);
  if (!strstr(fixture->error.text, part)) fail_msg("\"%s\" does not hold \"%s\"", fixture->error.text, part);
  config_free(config);
}

static void test_dataset(void **state)
{
  struct fixture *fixture = *state;
  struct dataset_found dataset = {0};
  struct config *config = NULL;
  char link[128], set[192], root[PATH_LIMIT];
  // The manifest's only dataset needs no name; a link leads to the same.
  assert_int_equal(config_load(&config, NULL, NULL, 0, &fixture->error), OK);
  assert_int_equal(dataset_find(&dataset, fixture->db, config, &fixture->error), OK);
  assert_string_equal(dataset.name, "a b");
  assert_string_equal(dataset.fingerprint, "one");
  assert_int_equal(dataset.images, 5);
  assert_int_equal(dataset_root(config, root, &fixture->error), BAD_USAGE);
  config_free(config);
  snprintf(link, sizeof link, "%s/link", fixture->folder);
  assert_int_equal(symlink("a b", link), 0);
  snprintf(set, sizeof set, "dataset.train=%s/", link);
  char *sets[] = {set};
  assert_int_equal(config_load(&config, NULL, sets, 1, &fixture->error), OK);
  assert_int_equal(dataset_find(&dataset, fixture->db, config, &fixture->error), OK);
  unlink(link);
  assert_int_equal(dataset_find(&dataset, fixture->db, config, &fixture->error), BAD_DATA); // an absolute path, unknown
  config_free(config);

  assert_find_fails(fixture, "dataset.train=no/such", BAD_USAGE, "no folder at no/such");
  assert_find_fails(fixture, "dataset.train=/", BAD_DATA,
                    "does not know the dataset / yet: run build/stages/ingest first");
  assert_int_equal(
      db_run(fixture->db, &fixture->error, "INSERT INTO dataset (name, root) VALUES ('x', ?)", "b", "/x", (size_t)2),
      OK);
  assert_find_fails(fixture, NULL, BAD_USAGE, "holds 2 datasets");
  assert_find_fails(fixture, "dataset.train=/x", BAD_DATA, "did not finish");
  assert_int_equal(db_run(fixture->db, &fixture->error, "DELETE FROM dataset", ""), OK);
  assert_find_fails(fixture, NULL, BAD_DATA, "run build/stages/ingest first");
}

static void test_wanted_says_what_to_run(void **state)
{
  struct fixture *fixture = *state;
  struct config *config = configure(fixture, NULL, NULL);
  struct split_found split;
  struct tensor_set set;
  struct run_found run;
  assert_int_equal(split_wanted(&split, fixture->db, config, &fixture->error), BAD_DATA);
  assert_non_null(strstr(fixture->error.text, "run build/stages/split first"));
  assert_int_equal(resized_wanted(&set, fixture->db, config, &fixture->error), BAD_DATA);
  assert_non_null(strstr(fixture->error.text, "run build/stages/resize first"));
  assert_int_equal(augmented_wanted(&set, fixture->db, config, &fixture->error), BAD_DATA);
  assert_non_null(strstr(fixture->error.text, "run build/stages/augment first"));
  assert_int_equal(run_wanted(&run, fixture->db, config, NULL, &fixture->error), BAD_DATA);
  assert_non_null(strstr(fixture->error.text, "run build/stages/train first"));
  assert_int_equal(run_wanted(&run, fixture->db, config, "cnn", &fixture->error), BAD_DATA);
  assert_non_null(strstr(fixture->error.text, "has no run called cnn"));
  config_free(config);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_split_key, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_image_keys, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_run_key, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_dataset_content, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_dataset, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_wanted_says_what_to_run, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
