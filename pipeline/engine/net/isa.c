// What this CPU can do, by oneDNN's judgement, which honours ONEDNN_MAX_CPU_ISA; and which oneDNN that is.
#include <dnnl.h>
#include <stddef.h>
#include <stdio.h>

#include "core/cpu.h"
#include "engine/net/net.h"
#include "engine/ops/native.h"

static const struct {
  dnnl_cpu_isa_t isa;
  const char *name;
} isas[] = {
    {dnnl_cpu_isa_sse41, "sse41"},
    {dnnl_cpu_isa_avx, "avx"},
    {dnnl_cpu_isa_avx2, "avx2"},
    {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
    {dnnl_cpu_isa_avx512_core, "avx512_core"},
    {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
    {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
    {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
};

const char *net_isa(void)
{
  dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
  for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
    if (isas[i].isa == isa) return isas[i].name;
  return "generic";
}

// oneDNN's word alone would not do: it knows of bf16 on CPUs that lack what our kernels need beside it.
bool net_precision_supported(enum net_precision precision)
{
  return native_kernels(precision == NET_BF16 ? DTYPE_BF16 : DTYPE_F32) != NULL;
}

enum net_precision net_fastest_precision(void)
{
  const struct kernels *bf16 = native_kernels(DTYPE_BF16);
  return bf16 && (bf16->tiles || cpu_fast_bf16()) ? NET_BF16 : NET_FP32;
}

// A header's version can differ from the library's; what computes is the library.
void net_library_version(char out[32])
{
  const dnnl_version_t *version = dnnl_version();
  (void)snprintf(out, 32, "%d.%d.%d", version->major, version->minor, version->patch);
}
