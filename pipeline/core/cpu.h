// What the CPU that runs this has, by which a table of kernels is chosen: programs are compiled for any CPU of their
// architecture. All but the first are false on another architecture than x86-64.
#ifndef CORE_CPU_H
#define CORE_CPU_H

#include <stdbool.h>

bool cpu_any(void);         // true: what portable code asks for
bool cpu_avx2(void);        // AVX2 and FMA
bool cpu_avx512(void);      // those, and AVX-512 F, BW, VL and DQ
bool cpu_avx512_bf16(void); // those, and AVX-512 BF16 and VBMI2

#endif
