// Checkpoints come back bit for bit; files that are not this net's are refused and change nothing.
#include <math.h>
#include <unistd.h>

#include "store/tensorfile.h"

#include "tiny_training.h"

struct fixture {
  char folder[64];
  struct tiny tiny;
};

static int set_up(void **state)
{
  struct fixture *fixture = calloc(1, sizeof *fixture);
  tiny_folder(fixture->folder);
  fixture->tiny = tiny_new();
  *state = fixture;
  return 0;
}

static int tear_down(void **state)
{
  struct fixture *fixture = *state;
  unlink(tiny_path(fixture->folder, "c.safetensors"));
  assert_int_equal(rmdir(fixture->folder), 0);
  tiny_free(&fixture->tiny);
  free(fixture);
  return 0;
}

static struct epoch_figures figures[2] = {
    {1, 1.25, 0.5, NAN, 0.1, 1e-3, 12.5, 140},
    {2, 0x1.23456789abcdfp-3, 0.75, 0.2, 0.3, 1e-4, 12, 141},
};

static struct checkpoint_state some_state(void)
{
  struct fit_progress progress = {.epoch = 2,
                                  .step = 12,
                                  .batches = 2,
                                  .loss_sum = 0.1 + 0.2,
                                  .correct = 5,
                                  .seconds = 1.5,
                                  .best_epoch = 1,
                                  .best_val_accuracy = 1.0 / 3,
                                  .best_val_loss = NAN};
  return (struct checkpoint_state){progress, figures};
}

static void save(struct fixture *fixture, const struct checkpoint_subject *subject)
{
  struct checkpoint_state state = some_state();
  must(checkpoint_save(tiny_path(fixture->folder, "c.safetensors"), fixture->tiny.net, fixture->tiny.optimizer, subject,
                       &state, error));
}

static void test_everything_comes_back(void **state)
{
  struct fixture *fixture = *state;
  struct checkpoint_subject subject = tiny_subject();
  struct tiny other = tiny_new();
  for (int s = 0; s < optimizer_slots(fixture->tiny.optimizer); s++)
    for (size_t p = 0; p < net_parameter_count(fixture->tiny.net); p++) {
      net_parameter(fixture->tiny.net, p)->value[0] = (float)p + 0.1f;
      optimizer_slot(fixture->tiny.optimizer, p, s)[0] = (float)p + (float)s / 3;
    }
  save(fixture, &subject);
  struct checkpoint_state back, wanted = some_state();
  must(
      checkpoint_load(tiny_path(fixture->folder, "c.safetensors"), other.net, other.optimizer, &subject, &back, error));
  char a[DIGEST_TEXT], b[DIGEST_TEXT];
  tiny_digest(&fixture->tiny, a);
  tiny_digest(&other, b);
  assert_string_equal(a, b);
  for (int s = 0; s < optimizer_slots(other.optimizer); s++)
    for (size_t p = 0; p < net_parameter_count(other.net); p++)
      assert_memory_equal(optimizer_slot(other.optimizer, p, s), optimizer_slot(fixture->tiny.optimizer, p, s),
                          net_parameter(other.net, p)->count * sizeof(float));
  assert_int_equal(back.progress.epoch, 2);
  assert_int_equal(back.progress.step, 12);
  assert_int_equal(back.progress.batches, 2);
  assert_int_equal(back.progress.correct, 5);
  assert_int_equal(back.progress.best_epoch, 1);
  assert_memory_equal(&back.progress.loss_sum, &wanted.progress.loss_sum, sizeof(double));
  assert_memory_equal(&back.progress.best_val_accuracy, &wanted.progress.best_val_accuracy, sizeof(double));
  assert_true(isnan(back.progress.best_val_loss) && isnan(back.history[0].val_loss));
  assert_memory_equal(&back.history[1], &figures[1], sizeof figures[1]);
  checkpoint_state_release(&back);
  tiny_free(&other);
}

// The file is refused with this text, and the net stays as it was.
static void refused(struct fixture *fixture, const struct checkpoint_subject *subject, const char *text)
{
  struct tiny other = tiny_new();
  struct error why = {0};
  struct checkpoint_state back;
  char before[DIGEST_TEXT], after[DIGEST_TEXT];
  tiny_digest(&other, before);
  enum status status =
      checkpoint_load(tiny_path(fixture->folder, "c.safetensors"), other.net, other.optimizer, subject, &back, &why);
  assert_int_equal(status, BAD_DATA);
  if (!strstr(why.text, text)) fail_msg("\"%s\" does not say \"%s\"", why.text, text);
  assert_non_null(strstr(why.text, "c.safetensors"));
  tiny_digest(&other, after);
  assert_string_equal(before, after);
  tiny_free(&other);
}

static void test_another_subject_is_refused(void **state)
{
  struct fixture *fixture = *state;
  struct checkpoint_subject mine = tiny_subject(), other = mine;
  const char *const names[] = {"A", "B", "C"};
  save(fixture, &mine);
  other.model = "resnet50";
  refused(fixture, &other, "model is \"tiny\", not \"resnet50\"");
  other = mine;
  other.variant = "v1.5";
  refused(fixture, &other, "variant is \"v1\", not \"v1.5\"");
  other = mine;
  other.classes = names;
  refused(fixture, &other, "class 2 is \"space\", not \"C\"");
  other = mine;
  other.class_count = 2;
  refused(fixture, &other, "3 classes, not 2");
  other = mine;
  other.resize_filter = "cubic";
  refused(fixture, &other, "resize_filter");
  other = mine;
  other.run_key = "key-2";
  refused(fixture, &other, "run_key");
  other = mine;
  other.input_size = 100;
  refused(fixture, &other, "input_size");
  struct checkpoint_state back; // any run's
  mine.run_key = NULL;
  must(checkpoint_load(tiny_path(fixture->folder, "c.safetensors"), fixture->tiny.net, NULL, &mine, &back, error));
  checkpoint_state_release(&back);
}

static void test_a_number_that_is_not_finite_is_refused(void **state)
{
  struct fixture *fixture = *state;
  struct checkpoint_subject subject = tiny_subject();
  net_parameter(fixture->tiny.net, 1)->value[2] = NAN;
  save(fixture, &subject);
  refused(fixture, &subject, "not a finite number");
  net_parameter(fixture->tiny.net, 1)->value[2] = 0;
  optimizer_slot(fixture->tiny.optimizer, 0, 0)[3] = INFINITY;
  save(fixture, &subject);
  refused(fixture, &subject, "optimizer/");
}

static void test_a_negative_variance_is_refused(void **state)
{
  struct fixture *fixture = *state;
  const struct checkpoint_subject subject = tiny_subject();
  const struct checkpoint_state none = {0};
  const char *path = tiny_path(fixture->folder, "c.safetensors");
  struct net *net = net_new("normed", (struct shape){1, 1, 4}, DTYPE_F32);
  struct error why = {0};
  assert_non_null(net);
  int x = net_batch_norm(net, "bn1", NET_INPUT, &(struct batch_norm){.epsilon = 1e-3f, .momentum = 0.9f});
  net_dense(net, "predictions", x, &(struct dense){.units = TINY_CLASSES});
  must(net_plan(net, &(struct net_options){.threads = 1, .batch = 1}, error));
  for (int i = 0; i < 4; i++) net_parameter(net, 2)->value[i] = -1; // the mean
  must(checkpoint_save(path, net, NULL, &subject, &none, error));
  must(checkpoint_load(path, net, NULL, &subject, NULL, error));
  net_parameter(net, 3)->value[2] = -1;
  must(checkpoint_save(path, net, NULL, &subject, &none, error));
  assert_int_equal(checkpoint_load(path, net, NULL, &subject, NULL, &why), BAD_DATA);
  assert_non_null(strstr(why.text, "bn1/moving_variance[2] is -1"));
  net_free(net);
}

// A file with the metadata of a good one but for `key`, and with these tensors.
static void forge(struct fixture *fixture, const char *key, const char *value, const struct tensor_info *infos,
                  size_t count)
{
  struct checkpoint_subject subject = tiny_subject();
  save(fixture, &subject);
  char path[256];
  snprintf(path, sizeof path, "%s", tiny_path(fixture->folder, "c.safetensors"));
  struct tensorfile *good = NULL;
  struct tensorfile_writer *writer = NULL;
  must(tensorfile_open(&good, path, error));
  static const char *const keys[] = {"format",        "model",   "classes",  "input_size", "resize_fit",
                                     "resize_filter", "run_key", "progress", "history"};
  struct metadata_pair pairs[sizeof keys / sizeof *keys];
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    pairs[i] =
        (struct metadata_pair){keys[i], key && !strcmp(key, keys[i]) ? value : tensorfile_metadata(good, keys[i])};
  must(tensorfile_create(&writer, path, infos, count, pairs, sizeof keys / sizeof *keys, error));
  static const float zeros[4096] = {0};
  for (size_t i = 0; i < count; i++) {
    size_t size = tensor_dtype_size(infos[i].dtype);
    for (int d = 0; d < infos[i].rank; d++) size *= infos[i].shape[d];
    assert_true(size <= sizeof zeros);
    must(tensorfile_write(writer, i, 0, zeros, size, error));
  }
  uint64_t bytes;
  char sha256[DIGEST_TEXT];
  must(tensorfile_publish(writer, &bytes, sha256, error));
  tensorfile_discard(writer);
  tensorfile_close(good);
}

static void test_forged_files_are_refused(void **state)
{
  struct fixture *fixture = *state;
  struct checkpoint_subject subject = tiny_subject();
  const struct tensor_info one = {"conv1/kernel", TENSOR_F32, 4, {3, 3, 3, 4}};
  const struct tensor_info flat = {"conv1/kernel", TENSOR_F32, 1, {108}};
  const struct tensor_info half = {"conv1/kernel", TENSOR_BF16, 4, {3, 3, 3, 4}};
  const struct tensor_info stranger = {"conv9/kernel", TENSOR_F32, 1, {1}};
  forge(fixture, NULL, NULL, &one, 1);
  refused(fixture, &subject, "conv1/bias");
  forge(fixture, NULL, NULL, &flat, 1);
  refused(fixture, &subject, "conv1/kernel");
  forge(fixture, NULL, NULL, &half, 1);
  refused(fixture, &subject, "conv1/kernel");
  forge(fixture, NULL, NULL, &stranger, 1);
  refused(fixture, &subject, "no parameter conv9/kernel");
  static const char *const bad[][3] = {
      {"format", "other", "format"},
      {"classes", "[1, 2, 3]", "class 0"},
      {"classes", "{", "classes"},
      {"progress", "[]", "progress"},
      {"progress", "{\"epoch\": -1}", "epoch"},
      {"progress", "{\"epoch\": 1e99}", "epoch"},
      {"progress", "", "progress"},
      {"history", "[]", "history"},
      {"history", "[{}, {}]", "epoch 1"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    forge(fixture, bad[i][0], bad[i][1], &one, 1);
    refused(fixture, &subject, bad[i][2]);
  }
}

static void test_a_truncated_file_is_refused(void **state)
{
  struct fixture *fixture = *state;
  struct checkpoint_subject subject = tiny_subject();
  for (long size = 0; size < 4000; size += 97) {
    save(fixture, &subject);
    assert_int_equal(truncate(tiny_path(fixture->folder, "c.safetensors"), size), 0);
    refused(fixture, &subject, "");
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_everything_comes_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_another_subject_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_number_that_is_not_finite_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_negative_variance_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_forged_files_are_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_truncated_file_is_refused, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
