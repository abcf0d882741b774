// What the CPU that runs this has, by which a table of kernels is chosen: programs are compiled for any CPU of their
// architecture. All but the first are false on another architecture than x86-64.
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include <stdbool.h>

bool cpu_any(void);         // true: what portable code asks for
bool cpu_avx2(void);        // AVX2 and FMA
bool cpu_avx512(void);      // those, and AVX-512 F, BW, VL and DQ
bool cpu_avx512_bf16(void); // those, and AVX-512 BF16 and VBMI2

// Whether vectors of bf16 are multiplied faster than floats: AMD's take as many instructions a cycle; Intel's VDPBF16PS
// begins every second cycle (2.2 measured on Emerald Rapids), where two multiply-adds of floats begin in each.
bool cpu_fast_bf16(void);

#endif
