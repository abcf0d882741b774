// ResNet50's tensors with drawn values, for tests of import and export: a net whose first convolution has WIDTH
// filters.
#ifndef TESTS_WEIGHTS_FIXTURE_H
#define TESTS_WEIGHTS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "weights/export.h"
#include "weights/layout.h"

enum { WIDTH = 2 };

struct fixture {
  struct layout_tensor *layout;
  struct export_tensor tensors[LAYOUT_TENSORS];
  char names[LAYOUT_TENSORS][2 * LAYOUT_NAME];
};

static inline struct fixture *fixture_new(void)
{
  struct fixture *fixture = calloc(1, sizeof *fixture);
  if (!fixture || layout_new(&fixture->layout, WIDTH, NULL)) abort();
  struct rng rng = rng_at(7, RNG_TEST, 0, 0);
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) {
    const struct layout_tensor *tensor = &fixture->layout[i];
    uint64_t count = layout_count(tensor);
    float *values = malloc(count * sizeof *values);
    if (!values) abort();
    for (uint64_t v = 0; v < count; v++)
      values[v] = rng_uniform(&rng, tensor->weight == MOVING_VARIANCE ? 0.1f : -1, 1);
    snprintf(fixture->names[i], sizeof fixture->names[i], "%s", tensor->name);
    fixture->tensors[i] = (struct export_tensor){.name = fixture->names[i], .rank = tensor->rank, .values = values};
    memcpy(fixture->tensors[i].shape, tensor->shape, sizeof tensor->shape);
  }
  return fixture;
}

static inline void fixture_free(struct fixture *fixture)
{
  for (size_t i = 0; i < LAYOUT_TENSORS; i++) free((float *)fixture->tensors[i].values);
  free(fixture->layout);
  free(fixture);
}

#endif
