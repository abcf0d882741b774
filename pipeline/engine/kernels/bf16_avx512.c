// bf16 with AVX-512 BF16: VDPBF16PS multiplies pairs and sums in fp32, twice the fp32 rate.
#define KERNELS_NAME kernels_bf16_avx512
#define KERNELS_ISA  "avx512_bf16"
#define KERNELS_BF16 1
#define VECTOR_BYTES 64
#define TILE_VECTORS 4
#define TILE_ROWS    6
#include "engine/kernels/kernels.inc"
