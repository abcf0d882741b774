#include "synth/draw.h"

#include <stdbool.h>

#include "core/cpu.h"

extern const struct draw_kernels draw_generic;
#ifdef __x86_64__
extern const struct draw_kernels draw_avx2, draw_avx512;
#endif

// From the plainest to the best.
static const struct {
  const struct draw_kernels *table;
  bool (*runs_here)(void);
} tables[] = {
    {&draw_generic, cpu_any},
#ifdef __x86_64__
    {&draw_avx2, cpu_avx2},
    {&draw_avx512, cpu_avx512},
#endif
};

enum { TABLES = sizeof tables / sizeof *tables };

const struct draw_kernels *draw_kernels(void)
{
  for (size_t i = TABLES - 1; i > 0; i--)
    if (tables[i].runs_here()) return tables[i].table;
  return tables[0].table;
}

size_t draw_kernels_available(const struct draw_kernels *out[], size_t limit)
{
  size_t count = 0;
  for (size_t i = 0; i < TABLES && count < limit; i++)
    if (tables[i].runs_here()) out[count++] = tables[i].table;
  return count;
}
