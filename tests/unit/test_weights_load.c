// Imported weights into a net: by name, whole or not at all.
#include <math.h>
#include <unistd.h>

#include "models/weights.h"
#include "store/tensorfile.h"

#include "tiny_training.h"

static char place[64]; // a folder of this test's own

static const struct tensor_info kernel = {"conv1/kernel", TENSOR_F32, 4, {3, 3, 3, 4}};

// A file with the first convolution's kernel, all `value` but for the last number, and a tensor that no net has.
static const char *write_weights(const struct tensor_info *info, float value, float last)
{
  const char *path = tiny_path(place, "weights.safetensors");
  const struct tensor_info infos[] = {*info, {"elsewhere/bias", TENSOR_F32, 1, {1}}};
  struct tensorfile_writer *writer = NULL;
  uint64_t bytes, count = 1;
  char sha256[DIGEST_TEXT];
  for (int d = 0; d < info->rank; d++) count *= info->shape[d];
  unlink(path);
  must(tensorfile_create(&writer, path, infos, 2, NULL, 0, error));
  for (uint64_t i = 0; i < count; i++)
    must(tensorfile_write(writer, 0, i * sizeof(float), i + 1 < count ? &value : &last, sizeof(float), error));
  must(tensorfile_write(writer, 1, 0, &value, sizeof(float), error));
  must(tensorfile_publish(writer, &bytes, sha256, error));
  tensorfile_discard(writer);
  return path;
}

static void test_by_name(void **state)
{
  (void)state;
  struct tiny tiny = tiny_new();
  struct parameter *dense = net_parameter(tiny.net, net_parameter_count(tiny.net) - 2);
  float before = dense->value[0];
  size_t loaded = 0;
  must(weights_load(write_weights(&kernel, 0.5f, 0.25f), tiny.net, &loaded, error));
  assert_int_equal(loaded, 1);
  const struct parameter *conv = net_parameter(tiny.net, 0);
  assert_string_equal(conv->name, "conv1/kernel");
  assert_true(conv->value[0] == 0.5f && conv->value[conv->count - 1] == 0.25f);
  assert_true(dense->value[0] == before);
  const struct tensor_info other = {"conv9/kernel", TENSOR_F32, 1, {4}};
  must(weights_load(write_weights(&other, 0, 0), tiny.net, &loaded, error)); // the caller may know that there are none
  assert_int_equal(loaded, 0);
  assert_true(conv->value[0] == 0.5f);
  tiny_free(&tiny);
}

static void test_refused(void **state)
{
  (void)state;
  static const struct tensor_info narrow = {"conv1/kernel", TENSOR_F32, 4, {3, 3, 3, 2}};
  const struct {
    const struct tensor_info *info;
    float last;
    const char *message;
  } cases[] = {
      {&narrow, 1, "tensor conv1/kernel is F32 [3, 3, 3, 2], needed is F32 [3, 3, 3, 4]"},
      {&kernel, NAN, "conv1/kernel has values that are not finite"},
  };
  struct tiny tiny = tiny_new();
  char before[DIGEST_TEXT], after[DIGEST_TEXT];
  must(checkpoint_weights_sha256(tiny.net, before, error));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct error why = {0};
    size_t loaded = 0;
    const char *path = write_weights(cases[i].info, 1, cases[i].last);
    assert_int_equal(weights_load(path, tiny.net, &loaded, &why), BAD_DATA);
    assert_non_null(strstr(why.text, path));
    if (!strstr(why.text, cases[i].message)) fail_msg("%s", why.text);
  }
  must(checkpoint_weights_sha256(tiny.net, after, error));
  assert_string_equal(before, after);
  tiny_free(&tiny);
}

static int setup(void **state)
{
  (void)state;
  tiny_folder(place);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  unlink(tiny_path(place, "weights.safetensors"));
  return rmdir(place);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_name), cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
