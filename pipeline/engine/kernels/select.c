#include <string.h>

#include "engine/kernels/amx.h"
#include "engine/kernels/kernels.h"

extern const struct kernels kernels_fp32_generic;
#ifdef __x86_64__
extern const struct kernels kernels_fp32_avx2, kernels_fp32_avx512, kernels_bf16_avx512, kernels_bf16_amx;

static bool has_avx2(void)
{
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool has_avx512_bf16(void)
{
  return has_avx512() && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vbmi2");
}

static bool has_amx(void)
{
  return has_avx512_bf16() && amx_usable();
}
#endif

static bool always(void)
{
  return true;
}

// From the plainest to the best: a later entry is preferred.
static const struct {
  const struct kernels *table;
  bool (*runs_here)(void);
} tables[] = {
    {&kernels_fp32_generic, always},
#ifdef __x86_64__
    {&kernels_fp32_avx2, has_avx2},          {&kernels_fp32_avx512, has_avx512},
    {&kernels_bf16_avx512, has_avx512_bf16}, {&kernels_bf16_amx, has_amx},
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
