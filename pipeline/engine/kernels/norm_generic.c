#define NORM_NAME(type) norm_loops_generic_##type
#include "engine/kernels/norm.inc"
