// What oneDNN says, and what the engine makes of it. This file brings its own of some of oneDNN's functions, which the
// linker takes instead of the library's.
#include <dnnl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "engine/kernels/kernels.h"
#include "engine/net/net.h"
#include "engine/ops/native.h"

#include <cmocka.h> // last: it has a macro called fail

static dnnl_cpu_isa_t isa = dnnl_cpu_isa_all; // what the CPU is said to have

dnnl_cpu_isa_t dnnl_get_effective_cpu_isa(void)
{
  return isa;
}

// A CPU may have bf16 for oneDNN (Cooper Lake) and lack what our kernels need beside it.
static void bf16_is_supported_where_there_are_kernels_for_it(void **state)
{
  (void)state;
  static const dnnl_cpu_isa_t with_bf16[] = {dnnl_cpu_isa_avx512_core_bf16, dnnl_cpu_isa_avx512_core_amx};
  for (int i = 0; i < 2; i++) {
    isa = with_bf16[i];
    assert_int_equal(net_precision_supported(NET_BF16), kernels_select(DTYPE_BF16, NULL) != NULL);
    assert_int_equal(net_precision_supported(NET_BF16), native_kernels(DTYPE_BF16) != NULL);
  }
  isa = dnnl_cpu_isa_avx512_core;
  assert_false(net_precision_supported(NET_BF16));
  assert_true(net_precision_supported(NET_FP32));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(bf16_is_supported_where_there_are_kernels_for_it)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
