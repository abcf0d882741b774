// Sizes are checked before memory is asked for.
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/mem.h"

static void test_products_that_wrap_are_refused(void **state)
{
  (void)state;
  size_t product = 0;
  assert_true(mem_multiply(1u << 16, 1u << 16, &product));
  assert_int_equal(product, (size_t)1 << 32);
  assert_false(mem_multiply(SIZE_MAX, 2, &product));
  assert_false(mem_multiply((size_t)1 << 32, (size_t)1 << 32, &product));
}

static void test_hostile_sizes_are_out_of_memory(void **state)
{
  (void)state;
  struct error error = {0};
  void *memory = NULL;
  assert_int_equal(mem_zeroed(&memory, SIZE_MAX / 2, 4, "pixels", &error), OUT_OF_MEMORY);
  assert_non_null(strstr(error.text, "pixels"));
  assert_int_equal(mem_aligned(&memory, SIZE_MAX - 8, 1, "pixels", &error), OUT_OF_MEMORY);
  assert_null(memory);
  size_t capacity = 4;
  int *array = calloc(capacity, sizeof *array);
  assert_int_equal(mem_grow((void **)&array, &capacity, SIZE_MAX / 8, sizeof *array, "rows", &error), OUT_OF_MEMORY);
  assert_int_equal(capacity, 4); // and the array is as it was
  free(array);
}

static void test_memory_is_zeroed_and_aligned(void **state)
{
  (void)state;
  void *memory = NULL;
  assert_int_equal(mem_zeroed(&memory, 0, 8, "nothing", NULL), OK);
  assert_non_null(memory);
  free(memory);
  for (size_t size = 1; size < 200; size += 7) {
    assert_int_equal(mem_aligned(&memory, size, 1, "a tensor", NULL), OK);
    assert_int_equal((uintptr_t)memory % MEM_ALIGNMENT, 0);
    for (size_t i = 0; i < size; i++) assert_int_equal(((char *)memory)[i], 0);
    free(memory);
  }
}

static void test_growing_keeps_what_is_there(void **state)
{
  (void)state;
  int *array = NULL;
  size_t capacity = 0;
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(mem_grow((void **)&array, &capacity, (size_t)i + 1, sizeof *array, "numbers", NULL), OK);
    array[i] = i;
  }
  assert_true(capacity >= 1000 && capacity < 4000);
  for (int i = 0; i < 1000; i++) assert_int_equal(array[i], i);
  free(array);
  char *text = NULL;
  assert_int_equal(mem_text(&text, "A17.jpg", NULL), OK);
  assert_string_equal(text, "A17.jpg");
  free(text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products_that_wrap_are_refused),
      cmocka_unit_test(test_hostile_sizes_are_out_of_memory),
      cmocka_unit_test(test_memory_is_zeroed_and_aligned),
      cmocka_unit_test(test_growing_keeps_what_is_there),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
