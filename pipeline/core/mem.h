// Memory whose size was computed with care: every product is checked, so that a size that came from a file cannot wrap.
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

// The alignment of every tensor: one cache line, one AVX-512 register.
enum { MEM_ALIGNMENT = 64 };

// `bytes` rounded up to MEM_ALIGNMENT; for sizes that are known to be far from SIZE_MAX.
static inline size_t mem_whole(size_t bytes)
{
  return (bytes + MEM_ALIGNMENT - 1) & ~(size_t)(MEM_ALIGNMENT - 1);
}

static inline size_t mem_larger(size_t a, size_t b)
{
  return a > b ? a : b;
}

// *product = a * b; false if it does not fit.
bool mem_multiply(size_t a, size_t b, size_t *product);

// Zeroed memory for `count` elements of `size` bytes; `what` is named in the message. Free with free(). Never NULL on
// OK.
enum status mem_zeroed(void **out, size_t count, size_t size, const char *what, struct error *error);

// The same, aligned to MEM_ALIGNMENT and rounded up to it, so that a vector load at the end stays inside.
enum status mem_aligned(void **out, size_t count, size_t size, const char *what, struct error *error);

// Grows an array that holds `*capacity` elements to at least `needed`, by doubling; the old elements stay.
enum status mem_grow(void **array, size_t *capacity, size_t needed, size_t size, const char *what, struct error *error);

// A copy of a string; free with free().
enum status mem_text(char **out, const char *text, struct error *error);

#endif
