#define NORM_NAME(type) norm_loops_avx512_##type
#include "engine/kernels/norm.inc"
