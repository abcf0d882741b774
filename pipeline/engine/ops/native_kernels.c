// Which kernels ops run on: what the CPU has (kernels/select.c), under a limit that a person may set for oneDNN.
#include <dnnl.h>

#include "engine/ops/native.h"

const struct kernels *native_kernels(enum dtype dtype)
{
  unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
  if (dtype == DTYPE_BF16) {
    if (isa == (unsigned)dnnl_cpu_isa_avx512_core_amx) return kernels_select(dtype, NULL);
    return isa == (unsigned)dnnl_cpu_isa_avx512_core_bf16 ? kernels_select(dtype, "avx512_bf16") : NULL;
  }
  const char *cap = NULL;
#ifdef __x86_64__ // the values are sets of bits: a capability includes those below it
  if ((isa & dnnl_cpu_isa_avx512_core) != dnnl_cpu_isa_avx512_core) cap = "avx2";
  if ((isa & dnnl_cpu_isa_avx2) != dnnl_cpu_isa_avx2) cap = "generic";
#else
  (void)isa;
#endif
  return kernels_select(dtype, cap);
}
