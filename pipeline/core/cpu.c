#include "core/cpu.h"

#ifdef __x86_64__
bool cpu_avx2(void)
{
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool cpu_avx512(void)
{
  return cpu_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool cpu_avx512_bf16(void)
{
  return cpu_avx512() && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vbmi2");
}

bool cpu_fast_bf16(void)
{
  return cpu_avx512_bf16() && !__builtin_cpu_is("intel");
}
#else
bool cpu_avx2(void)
{
  return false;
}

bool cpu_avx512(void)
{
  return false;
}

bool cpu_avx512_bf16(void)
{
  return false;
}

bool cpu_fast_bf16(void)
{
  return false;
}
#endif

bool cpu_any(void)
{
  return true;
}
