// fp32 with AVX2 and FMA: 16 registers of 8 floats, 12 of them sums.
#define KERNELS_NAME kernels_fp32_avx2
#define KERNELS_ISA  "avx2"
#define KERNELS_BF16 0
#define VECTOR_BYTES 32
#define TILE_VECTORS 2
#define TILE_ROWS    6
#include "engine/kernels/kernels.inc"
