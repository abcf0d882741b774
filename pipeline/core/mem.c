#include "core/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// Arrays as large as that lie on huge pages, where the system gives them: streams over several of them at once miss the
// TLB at every small page, and lose a third of the memory's bandwidth.
enum { HUGE_PAGE = 2 << 20, LARGE = 2 * HUGE_PAGE };

bool mem_multiply(size_t a, size_t b, size_t *product)
{
  return !__builtin_mul_overflow(a, b, product);
}

static enum status checked_size(size_t count, size_t size, size_t *bytes, const char *what, struct error *error)
{
  if (mem_multiply(count, size, bytes) && *bytes < SIZE_MAX / 2) return OK;
  return fail(error, OUT_OF_MEMORY, "out of memory: %s needs %zu elements of %zu bytes", what, count, size);
}

enum status mem_zeroed(void **out, size_t count, size_t size, const char *what, struct error *error)
{
  size_t bytes = 0;
  enum status status = checked_size(count, size, &bytes, what, error);
  if (status) return status;
  *out = calloc(1, bytes ? bytes : 1);
  return *out ? OK : fail_memory(error, what, bytes);
}

enum status mem_aligned(void **out, size_t count, size_t size, const char *what, struct error *error)
{
  size_t bytes = 0;
  enum status status = checked_size(count, size, &bytes, what, error);
  if (status) return status;
  const size_t alignment = bytes < LARGE ? MEM_ALIGNMENT : HUGE_PAGE;
  bytes = (bytes + alignment) & ~(alignment - 1);
  *out = aligned_alloc(alignment, bytes);
  if (!*out) return fail_memory(error, what, bytes);
#ifdef MADV_HUGEPAGE
  if (alignment == HUGE_PAGE) (void)madvise(*out, bytes, MADV_HUGEPAGE); // where refused, it works as it is
#endif
  memset(*out, 0, bytes);
  return OK;
}

enum status mem_grow(void **array, size_t *capacity, size_t needed, size_t size, const char *what, struct error *error)
{
  if (needed <= *capacity) return OK;
  size_t grown = *capacity ? *capacity : 16;
  while (grown < needed) grown *= 2;
  size_t bytes = 0;
  enum status status = checked_size(grown, size, &bytes, what, error);
  if (status) return status;
  void *moved = realloc(*array, bytes);
  if (!moved) return fail_memory(error, what, bytes);
  *array = moved;
  *capacity = grown;
  return OK;
}

enum status mem_text(char **out, const char *text, struct error *error)
{
  *out = strdup(text);
  return *out ? OK : fail_memory(error, "a string", strlen(text) + 1);
}
