#define NORM_NAME(type) norm_loops_avx2_##type
#include "engine/kernels/norm.inc"
