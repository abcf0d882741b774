// oneDNN's word on this CPU, which the engine asks for (net/isa.c, ops/native_kernels.c), in programs whose kernels run
// on a model of AVX-512. Without bf16: oneDNN itself would have to compute in it where a shape is not covered, and
// cannot.
#include <dnnl.h>

#include "engine/kernels/amx.h"

dnnl_cpu_isa_t dnnl_get_effective_cpu_isa(void)
{
  return dnnl_cpu_isa_avx512_core;
}

bool amx_usable(void)
{
  return true;
}
