// bf16 with AVX-512 BF16 and, for products, AMX: a tile instruction does the work of sixteen VDPBF16PS. On these CPUs
// one of those takes as long as four multiplications and additions of floats, which give twice as many sums.
#define KERNELS_NAME kernels_bf16_amx
#define KERNELS_ISA  "avx512_amx"
#define KERNELS_BF16 1
#define KERNELS_AMX
#define WIDENED_DEPTHWISE
#define VECTOR_BYTES 64
#define TILE_VECTORS 4
#define TILE_ROWS    6
#include "engine/kernels/kernels.inc"
