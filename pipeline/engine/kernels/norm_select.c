#include <string.h>

#include "engine/kernels/norm.h"

extern const struct norm_loops norm_loops_generic_float, norm_loops_generic_uint16_t;
#ifdef __x86_64__
extern const struct norm_loops norm_loops_avx2_float, norm_loops_avx2_uint16_t;
extern const struct norm_loops norm_loops_avx512_float, norm_loops_avx512_uint16_t;
#endif

static const struct {
  const char *kernels;
  const struct norm_loops *floats, *bf16;
} tables[] = {
#ifdef __x86_64__
    {"avx512_bf16", &norm_loops_avx512_float, &norm_loops_avx512_uint16_t},
    {"avx512", &norm_loops_avx512_float, &norm_loops_avx512_uint16_t},
    {"avx2", &norm_loops_avx2_float, &norm_loops_avx2_uint16_t},
#endif
    {"generic", &norm_loops_generic_float, &norm_loops_generic_uint16_t},
};

const struct norm_loops *norm_loops_of(const struct kernels *kernels)
{
  size_t i = 0, last = sizeof tables / sizeof *tables - 1;
  while (i < last && strcmp(kernels->name, tables[i].kernels) != 0) i++;
  return kernels->dtype == DTYPE_BF16 ? tables[i].bf16 : tables[i].floats;
}
