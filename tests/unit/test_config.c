#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "config/keys_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // after our headers: it makes a macro of fail

struct fixture {
  char folder[64], path[128];
  struct config *config;
  struct error error;
};

static int set_up(void **state)
{
  struct fixture *fixture = calloc(1, sizeof *fixture);
  if (!fixture) return -1;
  memcpy(fixture->folder, "/tmp/test_config.XXXXXX", sizeof "/tmp/test_config.XXXXXX");
  if (!mkdtemp(fixture->folder)) return -1;
  snprintf(fixture->path, sizeof fixture->path, "%s/cnn.yaml", fixture->folder);
  *state = fixture;
  return 0;
}

static int tear_down(void **state)
{
  struct fixture *fixture = *state;
  config_free(fixture->config);
  unlink(fixture->path);
  rmdir(fixture->folder);
  free(fixture);
  return 0;
}

static void write_file(const struct fixture *fixture, const char *text, size_t size)
{
  FILE *file = fopen(fixture->path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

static enum status load(struct fixture *fixture, const char *text, const char *set)
{
  config_free(fixture->config);
  fixture->config = NULL;
  fixture->error = (struct error){0};
  if (text) write_file(fixture, text, strlen(text));
  char *sets[] = {(char *)set};
  return config_load(&fixture->config, text ? fixture->path : NULL, sets, set ? 1 : 0, &fixture->error);
}

static void assert_loads(struct fixture *fixture, const char *text, const char *set)
{
  enum status status = load(fixture, text, set);
  if (status) fail_msg("refused: %s", fixture->error.text);
}

// Loading fails as the person's mistake, and the message holds `part`.
static void assert_refused(struct fixture *fixture, const char *text, const char *set, const char *part)
{
  enum status status = load(fixture, text, set);
  if (status != BAD_USAGE) fail_msg("status %d, not BAD_USAGE, for %s %s", status, text ? text : "", set ? set : "");
  if (!strstr(fixture->error.text, part)) fail_msg("\"%s\" does not hold \"%s\"", fixture->error.text, part);
  assert_null(fixture->config);
}

static void test_defaults(void **state)
{
  struct fixture *fixture = *state;
  assert_loads(fixture, NULL, NULL);
  const struct config *config = fixture->config;
  assert_int_equal(config_integer(config, "train.epochs"), 10);
  assert_true(config_real(config, "train.lr") == 0.001);
  assert_string_equal(config_text(config, "train.optimizer"), "adam");
  assert_int_equal(config_choice(config, "train.optimizer"), 0);
  assert_int_equal(config_list_length(config, "dataset.train"), 0);
  assert_int_equal(config_list_length(config, "evaluate.parts"), 2);
  assert_string_equal(config_list_item(config, "evaluate.parts", 1), "test");
  assert_string_equal(config_name(config), "default");
  assert_false(config_has_file(config));
  assert_string_equal(config_text(config, "name"), "default");
  for (size_t i = 0; i < config_key_count; i++) assert_false(config_is_set(config, config_keys[i].name));
}

static void test_file_and_set(void **state)
{
  struct fixture *fixture = *state;
  assert_loads(fixture,
               "# comment\ntrain:\n  epochs: 12\n  lr: 3e-4\n  # nothing more\nresize:\nsplit.val: 0.3\n"
               "augment: {mode: off, rotate: 10}\ndataset:\n  train:\n    - a, b/c d\n",
               "train.epochs=13");
  const struct config *config = fixture->config;
  assert_int_equal(config_integer(config, "train.epochs"), 13);
  assert_true(config_real(config, "train.lr") == 3e-4);
  assert_true(config_real(config, "split.val") == 0.3);
  assert_string_equal(config_text(config, "augment.mode"), "off");
  assert_string_equal(config_list_item(config, "dataset.train", 0), "a, b/c d");
  assert_string_equal(config_name(config), "cnn");
  assert_true(config_has_file(config));
  assert_string_equal(config_text(config, "name"), "cnn");
  assert_true(config_is_set(config, "train.lr"));
  assert_false(config_is_set(config, "train.batch"));
}

static void test_places_and_suggestions(void **state)
{
  struct fixture *fixture = *state;
  assert_refused(fixture, "train:\n  epochs: ten\n", NULL,
                 "cnn.yaml:2:11: train.epochs: \"ten\" is not a whole number; allowed: 1 to 100000");
  assert_refused(fixture, "train:\n  epoch: 10\n", NULL,
                 "cnn.yaml:2:3: unknown key train.epoch; did you mean train.epochs?");
  assert_refused(fixture, "epochs: 10\n", NULL, "cnn.yaml:1:1: unknown key epochs; did you mean train.epochs?");
  assert_refused(fixture, "zygote: 10\n", NULL, "unknown key zygote; --help-config");
  assert_refused(fixture, "train: 5\n", NULL, "cnn.yaml:1:1: train is a section, not a value; its keys: epochs,");
  assert_refused(fixture, "name: {a: b}\n", NULL, "cnn.yaml:1:7: name: a section");
  assert_refused(fixture, "train:\n  epochs:\n", NULL, "train.epochs has no value");
  assert_refused(fixture, "train:\n  epochs: [1]\n", NULL, "train.epochs: a list");
  assert_refused(fixture, "train:\n  lr: 0\n", NULL, "\"0\" is out of range; allowed: above 0, at most 10");
  assert_refused(fixture, "train:\n  optimizer: adm\n", NULL, "allowed: adam, adamw, sgd or muon");
  assert_refused(fixture, "resize:\n  size: 101\n", NULL, "allowed: 100 or 224");
  assert_refused(fixture, "evaluate:\n  parts: [val, tests]\n", NULL, "cnn.yaml:2:16: evaluate.parts: \"tests\"");
  assert_refused(fixture, "split:\n  val: 0.5\n  test: 0.5\n", NULL, "cnn.yaml:3:9: split.val 0.5 and split.test 0.5");
  assert_refused(fixture, "name: ../../etc\n", NULL, "cannot name a folder");
}

static void test_sets(void **state)
{
  struct fixture *fixture = *state;
  assert_refused(fixture, NULL, "train.epochs=ten",
                 "--set train.epochs=ten: \"ten\" is not a whole number; allowed: 1 to 100000");
  assert_refused(fixture, NULL, "train.epochs=1e3", "is not a whole number");
  assert_refused(fixture, NULL, "train.epochs=99999999999999999999", "is out of range");
  assert_refused(fixture, NULL, "train.epochs=", "is not a whole number");
  assert_refused(fixture, NULL, "train.epochs", "not of the form key=value");
  assert_refused(fixture, NULL, "=5", "not of the form key=value");
  assert_refused(fixture, NULL, "train.epocs=5", "did you mean train.epochs?");
  assert_refused(fixture, NULL, "train.epochs+=5", "is not a list");
  assert_refused(fixture, NULL, "dataset.train=", "an empty item");
  assert_refused(fixture, NULL, "dataset.train=\xff", "not valid UTF-8");
  for (const char **text = (const char *[]){"nan", "inf", "0x1", "1e999", "", "1..2", "-", "0.1 ", NULL}; *text;
       text++) {
    char set[64];
    snprintf(set, sizeof set, "train.lr=%s", *text);
    assert_refused(fixture, NULL, set, "allowed: above 0, at most 10");
  }
  assert_loads(fixture, NULL, "dataset.train=/data/a, b=c/it's");
  assert_int_equal(config_list_length(fixture->config, "dataset.train"), 1);
  assert_string_equal(config_list_item(fixture->config, "dataset.train", 0), "/data/a, b=c/it's");
  assert_loads(fixture, NULL, "evaluate.parts=train,val");
  assert_int_equal(config_list_length(fixture->config, "evaluate.parts"), 2);
}

static void test_later_sets_win_and_append(void **state)
{
  struct fixture *fixture = *state;
  char *sets[] = {"evaluate.parts=train", "evaluate.parts+=test", "seed=1", "seed=2"};
  assert_int_equal(config_load(&fixture->config, NULL, sets, 4, &fixture->error), OK);
  assert_int_equal(config_integer(fixture->config, "seed"), 2);
  assert_int_equal(config_list_length(fixture->config, "evaluate.parts"), 2);
  assert_string_equal(config_list_item(fixture->config, "evaluate.parts", 1), "test");
}

static void test_hostile_files(void **state)
{
  struct fixture *fixture = *state;
  assert_refused(fixture, "train:\n  epochs: 1\n  epochs: 2\n", NULL, "cnn.yaml:3:11: train.epochs is set twice");
  assert_refused(fixture, "train: {epochs: 1}\ntrain.epochs: 2\n", NULL, "set twice");
  assert_refused(fixture, "name: &a x\n", NULL, "an anchor");
  assert_refused(fixture, "name: *a\n", NULL, "an alias");
  assert_refused(fixture, "a: &a [x]\n", NULL, "unknown key a");
  assert_refused(fixture, "train: &t\n  epochs: 1\n", NULL, "an anchor");
  assert_refused(fixture, "seed: !!int 1\n", NULL, "a tag");
  assert_refused(fixture, "seed: 1\n---\nseed: 2\n", NULL, "a second document");
  assert_refused(fixture, "train:\n  lr: .nan\n", NULL, "is not a number");
  assert_refused(fixture, "- a\n", NULL, "not a configuration");
  assert_refused(fixture, "train\n", NULL, "not a configuration");
  assert_refused(fixture, "name: \"a\\0b\"\n", NULL, "a zero byte");
  assert_refused(fixture, "name: [\n", NULL, "cnn.yaml:");
  assert_refused(fixture, "name: \xff\n", NULL, "cnn.yaml");
  assert_refused(fixture, "? [a]\n: b\n", NULL, "a key must be a text");
  assert_loads(fixture, "", NULL);
  assert_loads(fixture, "# only words\n", NULL);
  assert_loads(fixture, "---\nseed: 1\n...\n", NULL);
}

static void test_large_and_deep_files(void **state)
{
  struct fixture *fixture = *state;
  char *text = malloc(70000);
  memset(text, '[', 70000);
  memcpy(text, "name: ", 6);
  clock_t started = clock();
  write_file(fixture, text, 60000);
  assert_int_equal(config_load(&fixture->config, fixture->path, NULL, 0, &fixture->error), BAD_USAGE);
  memset(text, '#', 70000);
  write_file(fixture, text, 70000);
  assert_int_equal(config_load(&fixture->config, fixture->path, NULL, 0, &fixture->error), BAD_USAGE);
  assert_non_null(strstr(fixture->error.text, "64 KiB"));
  assert_true((double)(clock() - started) / CLOCKS_PER_SEC < 0.1);
  free(text);
}

static void test_missing_file_names_its_neighbours(void **state)
{
  struct fixture *fixture = *state;
  char path[160];
  write_file(fixture, "", 0);
  snprintf(path, sizeof path, "%s/cn.yaml", fixture->folder);
  assert_int_equal(config_load(&fixture->config, path, NULL, 0, &fixture->error), BAD_USAGE);
  assert_non_null(strstr(fixture->error.text, "No such file"));
  assert_non_null(strstr(fixture->error.text, " has cnn.yaml"));
  assert_int_equal(config_load(&fixture->config, fixture->folder, NULL, 0, &fixture->error), BAD_USAGE);
  assert_non_null(strstr(fixture->error.text, "directory"));
}

// What config_write writes loads back to equal values, whatever the texts hold.
static void test_write_loads_back(void **state)
{
  struct fixture *fixture = *state;
  static const char *const texts[] = {"plain",
                                      "/data/a b",
                                      "a: b # c",
                                      "- x",
                                      "it's \"quoted\" \\ back",
                                      "tab\there",
                                      "line\nbreak",
                                      "\x01\x7f",
                                      "yes",
                                      "null",
                                      "123",
                                      "~",
                                      " lead and trail ",
                                      "*alias",
                                      "&anchor",
                                      "!tag",
                                      "%TAG",
                                      "@at",
                                      "`tick`",
                                      "{a: b}",
                                      "[x]",
                                      "caf\xc3\xa9 \xe6\x89\x8b \xf0\x9f\xa4\x9f",
                                      "\xc2\x85 next line",
                                      "\xe2\x80\xa8 separator",
                                      "\xef\xbb\xbf bom",
                                      "\xef\xbf\xbf last",
                                      "---",
                                      "...",
                                      "a,b",
                                      "?",
                                      "|",
                                      ">"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char set[128], before[512], after[512];
    snprintf(set, sizeof set, "dataset.train=%s", texts[i]);
    assert_loads(fixture, "train:\n  lr: 0.1\n  epsilon: 1e-7\naugment: {mode: off}\n", set);
    FILE *file = fopen(fixture->path, "w");
    assert_int_equal(config_write(fixture->config, file, &fixture->error), OK);
    assert_int_equal(fclose(file), 0);
    struct config *again = NULL;
    enum status status = config_load(&again, fixture->path, NULL, 0, &fixture->error);
    if (status) fail_msg("\"%s\": %s", texts[i], fixture->error.text);
    assert_string_equal(config_list_item(again, "dataset.train", 0), texts[i]);
    for (size_t k = 0; k < config_key_count; k++) {
      config_value_text(fixture->config, config_keys[k].name, before, sizeof before);
      config_value_text(again, config_keys[k].name, after, sizeof after);
      assert_string_equal(before, after);
    }
    config_free(again);
  }
}

static void test_value_text(void **state)
{
  struct fixture *fixture = *state;
  char text[64];
  assert_loads(fixture, NULL, "train.lr=1.0E-03");
  config_value_text(fixture->config, "train.lr", text, sizeof text);
  assert_string_equal(text, "0.001");
  static const char *const reals[][2] = {{"10", "10"},        {"3e1", "30"},           {"0", "0"},
                                         {"-0", "0"},         {"2.50", "2.5"},         {"1e-3", "0.001"},
                                         {"1e-7", "1.0e-07"}, {"12.5e-7", "1.25e-06"}, {"0.1", "0.1"}};
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
    char set[64];
    snprintf(set, sizeof set, "augment.rotate=%s", reals[i][0]);
    assert_loads(fixture, NULL, set);
    config_value_text(fixture->config, "augment.rotate", text, sizeof text);
    assert_string_equal(text, reals[i][1]);
  }
  config_value_text(fixture->config, "augment.mode", text, sizeof text);
  assert_string_equal(text, "off");
  config_value_text(fixture->config, "evaluate.parts", text, sizeof text);
  assert_string_equal(text, "[val, test]");
  config_value_text(fixture->config, "evaluate.parts", text, 5);
  assert_string_equal(text, "[val");
}

static void test_table_is_sound(void **state)
{
  (void)state;
  for (size_t i = 0; i < config_key_count; i++) {
    assert_int_equal(config_key_find(config_keys[i].name), i);
    assert_true(config_keys[i].help[0] != '\0');
    assert_string_equal(config_key_suggestion(config_keys[i].name), config_keys[i].name);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_file_and_set, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_places_and_suggestions, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sets, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_later_sets_win_and_append, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_hostile_files, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_large_and_deep_files, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_missing_file_names_its_neighbours, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_write_loads_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_value_text, set_up, tear_down),
      cmocka_unit_test(test_table_is_sound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
