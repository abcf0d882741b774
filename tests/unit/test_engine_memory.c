// Every allocation of building, planning and optimizing refused once, in turn: the caller is told and nothing is lost
// (the sanitizer's run proves that) or touched. This file brings its own core/mem, which the linker takes instead of
// the library's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/fit/optimizer.h"
#include "models/seed_cnn.h"

#include <cmocka.h> // last: it has a macro called fail

static long allowed; // allocations before one is refused

static bool refused(void)
{
  return allowed-- == 0;
}

bool mem_multiply(size_t a, size_t b, size_t *product)
{
  return !__builtin_mul_overflow(a, b, product);
}

static enum status give(void **out, size_t bytes, const char *what, struct error *error)
{
  size_t rounded = (bytes + MEM_ALIGNMENT) & ~(size_t)(MEM_ALIGNMENT - 1);
  void *memory = refused() ? NULL : aligned_alloc(MEM_ALIGNMENT, rounded);
  if (!memory) return fail_memory(error, what, bytes);
  *out = memset(memory, 0, rounded);
  return OK;
}

enum status mem_zeroed(void **out, size_t count, size_t size, const char *what, struct error *error)
{
  return give(out, count * size, what, error);
}

enum status mem_aligned(void **out, size_t count, size_t size, const char *what, struct error *error)
{
  return give(out, count * size, what, error);
}

enum status mem_grow(void **array, size_t *capacity, size_t needed, size_t size, const char *what, struct error *error)
{
  if (needed <= *capacity) return OK;
  void *moved = refused() ? NULL : realloc(*array, 2 * needed * size);
  if (!moved) return fail_memory(error, what, 2 * needed * size);
  *array = moved;
  *capacity = 2 * needed;
  return OK;
}

enum status mem_text(char **out, const char *text, struct error *error)
{
  *out = refused() ? NULL : strdup(text);
  return *out ? OK : fail_memory(error, "a string", strlen(text) + 1);
}

static void fetch(void *self, size_t index, void *pixels)
{
  (void)self;
  memset(pixels, (int)index, 8 * 8 * 3);
}

// Builds and runs one step; what happened first.
static enum status attempt(const struct net_options *options)
{
  struct error error = {0};
  struct optimizer *optimizer = NULL;
  struct net *net = seed_cnn((struct shape){8, 8, 3}, 3, 0.3f);
  if (!net) return OUT_OF_MEMORY;
  enum status status = net_plan(net, options, &error);
  struct optimizer_options sgd = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  if (!status) status = optimizer_new(&optimizer, net, &sgd, &error);
  if (!status) {
    long before = allowed;
    double loss;
    net_initialise(net, 1);
    status = net_train(net, &(struct net_input){NULL, fetch}, &(struct net_target){.labels = (int32_t[]){0, 2}}, 2, 1,
                       &loss, NULL, &error);
    if (!status) status = optimizer_step(optimizer, 1, 0.1f, 1, &error);
    assert_int_equal(allowed, before); // a step allocates nothing
  }
  if (status) assert_non_null(strstr(error.text, "memory"));
  optimizer_free(optimizer);
  net_free(net);
  return status;
}

static void every_refusal_is_told(void **state)
{
  (void)state;
  const enum net_kernels tables[] = {KERNELS_NATIVE, KERNELS_ONEDNN, KERNELS_REFERENCE};
  for (int table = 0; table < 3; table++) {
    const struct net_options options = {.kernels = tables[table], .threads = 2, .batch = 2, .training = true};
    long refusals = 0;
    for (;; refusals++) {
      allowed = refusals;
      enum status status = attempt(&options);
      if (status == OK) break;
      assert_int_equal(status, OUT_OF_MEMORY);
      assert_true(refusals < 2000);
    }
    assert_true(refusals > 50);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_refusal_is_told)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
