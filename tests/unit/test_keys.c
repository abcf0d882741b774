// What derived work depends on: each key follows what it should, and nothing else.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/net/net.h"
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

// The resized set of the first dataset.
static enum status first_resized_key(struct stage_key **out, struct db *db, const struct config *config,
                                     struct error *error)
{
  struct datasets datasets;
  enum status status = datasets_find(&datasets, db, config, error);
  return status ? status : resized_key(out, &datasets.list[0], config, error);
}

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
  assert_true(follows(fixture, first_resized_key, NULL, "resize.size=224"));
  assert_true(follows(fixture, first_resized_key, NULL, "resize.fit=letterbox"));
  assert_false(follows(fixture, first_resized_key, NULL, "seed=1"));
  assert_false(follows(fixture, first_resized_key, NULL, "split.val=0.3"));
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
  assert_true(follows(fixture, run_key, NULL, "train.optimizer=muon"));
  assert_true(follows(fixture, run_key, "train.optimizer=muon", "train.muon_lr=0.03"));
  assert_false(follows(fixture, run_key, NULL, "train.muon_lr=0.03"));
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
  bool bf16 = net_fastest_precision() == NET_BF16;
  assert_false(follows(fixture, run_key, NULL, bf16 ? "train.precision=bf16" : "train.precision=fp32"));
  if (bf16) assert_true(follows(fixture, run_key, NULL, "train.precision=fp32"));
}

static void test_dataset_content(void **state)
{
  struct fixture *fixture = *state;
  static maker *const makers[] = {split_key, first_resized_key, augmented_key, run_key};
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
  struct datasets datasets;
  struct config *config = NULL;
  char *sets[] = {(char *)set};
  assert_int_equal(config_load(&config, NULL, sets, set ? 1 : 0, &fixture->error), OK);
  assert_int_equal(datasets_find(&datasets, fixture->db, config, &fixture->error), expected);
  if (!strstr(fixture->error.text, part)) fail_msg("\"%s\" does not hold \"%s\"", fixture->error.text, part);
  config_free(config);
}

static void test_dataset(void **state)
{
  struct fixture *fixture = *state;
  struct datasets datasets;
  struct config *config = NULL;
  char link[128], set[192];
  // The manifest's only dataset needs no name; a link leads to the same.
  assert_int_equal(config_load(&config, NULL, NULL, 0, &fixture->error), OK);
  assert_int_equal(datasets_find(&datasets, fixture->db, config, &fixture->error), OK);
  assert_int_equal(datasets.count, 1);
  assert_string_equal(datasets.list[0].name, "a b");
  assert_string_equal(datasets.list[0].fingerprint, "one");
  assert_int_equal(datasets.list[0].images, 5);
  assert_int_equal(datasets_check(config, &fixture->error), BAD_USAGE);
  config_free(config);
  snprintf(link, sizeof link, "%s/link", fixture->folder);
  assert_int_equal(symlink("a b", link), 0);
  snprintf(set, sizeof set, "dataset.train=%s/", link);
  char *sets[] = {set};
  assert_int_equal(config_load(&config, NULL, sets, 1, &fixture->error), OK);
  assert_int_equal(datasets_find(&datasets, fixture->db, config, &fixture->error), OK);
  unlink(link);
  assert_int_equal(datasets_find(&datasets, fixture->db, config, &fixture->error),
                   BAD_DATA); // an absolute path, unknown
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

// Adds a dataset of the folder `name` below the fixture's.
static void add_dataset(struct fixture *fixture, const char *name, const char *fingerprint)
{
  char folder[160], root[PATH_LIMIT];
  snprintf(folder, sizeof folder, "%s/%s", fixture->folder, name);
  assert_int_equal(mkdir(folder, 0777), 0);
  assert_non_null(realpath(folder, root));
  assert_int_equal(db_run(fixture->db, &fixture->error,
                          "INSERT INTO dataset (name, root, fingerprint, images) VALUES (?, ?, ?, 3)", "tbt", name,
                          root, strlen(root), fingerprint),
                   OK);
}

static void remove_dataset(struct fixture *fixture, const char *name)
{
  char folder[160];
  snprintf(folder, sizeof folder, "%s/%s", fixture->folder, name);
  rmdir(folder);
}

static void test_several_datasets(void **state)
{
  struct fixture *fixture = *state;
  char more[160], name[64], one[DIGEST_TEXT], both[DIGEST_TEXT], turned[DIGEST_TEXT], again[DIGEST_TEXT];
  add_dataset(fixture, "c", "two");
  snprintf(more, sizeof more, "dataset.train+=%s/c", fixture->folder);
  struct datasets datasets;
  struct config *config = configure(fixture, more, NULL);
  assert_int_equal(datasets_find(&datasets, fixture->db, config, &fixture->error), OK);
  assert_int_equal(datasets.count, 2);
  assert_string_equal(datasets.list[1].name, "c");
  datasets_name(&datasets, name, sizeof name);
  assert_string_equal(name, "a b + c");
  config_free(config);
  // Splits and runs depend on all datasets and their order; the resized images of one on none of the others.
  assert_true(follows(fixture, split_key, NULL, more));
  assert_true(follows(fixture, run_key, NULL, more));
  assert_true(follows(fixture, augmented_key, NULL, more));
  assert_false(follows(fixture, first_resized_key, NULL, more));
  char first[160], second[160];
  snprintf(first, sizeof first, "dataset.train=%s/c", fixture->folder);
  snprintf(second, sizeof second, "dataset.train+=%s", fixture->data);
  digest(fixture, split_key, NULL, NULL, one);
  digest(fixture, split_key, more, NULL, both);
  digest(fixture, split_key, first, second, turned);
  assert_string_not_equal(one, both);
  assert_string_not_equal(both, turned);
  assert_int_equal(
      db_run(fixture->db, &fixture->error, "UPDATE dataset SET fingerprint = 'three' WHERE name = 'c'", ""), OK);
  digest(fixture, split_key, more, NULL, again);
  assert_string_not_equal(both, again);
  digest(fixture, split_key, NULL, NULL, again);
  assert_string_equal(one, again);
  remove_dataset(fixture, "c");
}

static void assert_refused(struct fixture *fixture, const char *set, const char *text)
{
  struct config *config = configure(fixture, set, NULL);
  assert_int_equal(datasets_check(config, &fixture->error), BAD_USAGE);
  if (!strstr(fixture->error.text, text)) fail_msg("\"%s\" does not hold \"%s\"", fixture->error.text, text);
  config_free(config);
}

static void test_folders_that_overlap(void **state)
{
  struct fixture *fixture = *state;
  char set[200], deeper[160];
  snprintf(deeper, sizeof deeper, "%s/deeper", fixture->data);
  assert_int_equal(mkdir(deeper, 0777), 0);
  snprintf(set, sizeof set, "dataset.train+=%s/deeper/..", fixture->data);
  assert_refused(fixture, set, "twice");
  snprintf(set, sizeof set, "dataset.train+=%s", deeper);
  assert_refused(fixture, set, "lies within");
  snprintf(set, sizeof set, "dataset.train+=%s", fixture->folder);
  assert_refused(fixture, set, "lies within");
  assert_int_equal(rmdir(deeper), 0);
  // A name that begins alike is another folder.
  snprintf(deeper, sizeof deeper, "%s c", fixture->data);
  assert_int_equal(mkdir(deeper, 0777), 0);
  snprintf(set, sizeof set, "dataset.train+=%s", deeper);
  struct config *config = configure(fixture, set, NULL);
  assert_int_equal(datasets_check(config, &fixture->error), OK);
  config_free(config);
  assert_int_equal(rmdir(deeper), 0);
  // Other folders with the same bytes.
  add_dataset(fixture, "copy", "one");
  snprintf(set, sizeof set, "dataset.train+=%s/copy", fixture->folder);
  config = configure(fixture, set, NULL);
  struct datasets datasets;
  assert_int_equal(datasets_find(&datasets, fixture->db, config, &fixture->error), BAD_DATA);
  assert_non_null(strstr(fixture->error.text, "hold the same images"));
  config_free(config);
  remove_dataset(fixture, "copy");
}

static void test_wanted_says_what_to_run(void **state)
{
  struct fixture *fixture = *state;
  struct config *config = configure(fixture, NULL, NULL);
  struct split_found split;
  struct tensor_sets set;
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
      cmocka_unit_test_setup_teardown(test_several_datasets, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_folders_that_overlap, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_wanted_says_what_to_run, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
