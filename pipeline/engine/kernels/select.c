#include <string.h>

#include "core/cpu.h"
#include "engine/kernels/amx.h"
#include "engine/kernels/kernels.h"

extern const struct kernels kernels_fp32_generic;
#ifdef __x86_64__
extern const struct kernels kernels_fp32_avx2, kernels_fp32_avx512, kernels_bf16_avx512, kernels_bf16_amx;

static bool has_amx(void)
{
  return cpu_avx512_bf16() && amx_usable();
}
#endif

// From the plainest to the best: a later entry is preferred.
static const struct {
  const struct kernels *table;
  bool (*runs_here)(void);
} tables[] = {
    {&kernels_fp32_generic, cpu_any},
#ifdef __x86_64__
    {&kernels_fp32_avx2, cpu_avx2},          {&kernels_fp32_avx512, cpu_avx512},
    {&kernels_bf16_avx512, cpu_avx512_bf16}, {&kernels_bf16_amx, has_amx},
#endif
};

enum { TABLES = sizeof tables / sizeof *tables };

const struct kernels *kernels_select(enum dtype dtype, const char *cap)
{
  const struct kernels *best = NULL;
  for (size_t i = 0; i < TABLES; i++) {
    if (tables[i].table->dtype == dtype && tables[i].runs_here()) best = tables[i].table;
    if (cap && !strcmp(tables[i].table->name, cap)) break;
  }
  return best;
}

size_t kernels_available(const struct kernels *out[], size_t limit)
{
  size_t count = 0;
  for (size_t i = 0; i < TABLES && count < limit; i++)
    if (tables[i].runs_here()) out[count++] = tables[i].table;
  return count;
}
