// fp32 with AVX-512: 32 registers of 16 floats, 24 of them sums.
#define KERNELS_NAME kernels_fp32_avx512
#define KERNELS_ISA  "avx512"
#define KERNELS_BF16 0
#define VECTOR_BYTES 64
#define TILE_VECTORS 4
#define TILE_ROWS    6
#include "engine/kernels/kernels.inc"
