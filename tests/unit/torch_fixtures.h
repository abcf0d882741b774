// Numbers that another framework computed, by name, from a safetensors file of tests/fixtures; and how near ours are.
#ifndef TESTS_TORCH_FIXTURES_H
#define TESTS_TORCH_FIXTURES_H

#include <math.h>
#include <string.h>

#include "store/tensorfile.h"

#include "check.h"

// 0, or -1 after saying why: what a cmocka group's setup returns. The caller closes it.
static inline int fixtures_open(struct tensorfile **fixtures, const char *path)
{
  struct error error = {0};
  if (!tensorfile_open(fixtures, path, &error)) return 0;
  print_error("%s\n", error.text);
  return -1;
}

// [count] of fp32, or the test fails.
static inline const float *fixtures_find(const struct tensorfile *fixtures, const char *name, size_t count)
{
  for (size_t i = 0; i < tensorfile_count(fixtures); i++) {
    const struct tensor_info *info = tensorfile_info(fixtures, i);
    if (strcmp(info->name, name) != 0) continue;
    size_t elements = 1;
    for (int k = 0; k < info->rank; k++) elements *= info->shape[k];
    assert_int_equal(info->dtype, TENSOR_F32);
    assert_int_equal(elements, count);
    return tensorfile_data(fixtures, i);
  }
  fail_msg("the fixtures have no %s", name);
  return NULL;
}

// |a - b| <= tolerance * |b|, Euclidean.
static inline void assert_close(const char *name, const float *a, const float *b, size_t count, double tolerance)
{
  double difference = 0, size = 0;
  for (size_t i = 0; i < count; i++) {
    double d = (double)a[i] - (double)b[i];
    difference += d * d, size += (double)b[i] * (double)b[i];
  }
  if (!(sqrt(difference) <= tolerance * sqrt(size)))
    fail_msg("%s differs by %.3g of %.3g", name, sqrt(difference), sqrt(size));
}

#endif
