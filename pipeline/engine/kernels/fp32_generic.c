// fp32 on any CPU: 16-byte vectors, which gcc and clang turn into SSE2, NEON or plain code.
#define KERNELS_NAME kernels_fp32_generic
#define KERNELS_ISA  "generic"
#define KERNELS_BF16 0
#define VECTOR_BYTES 16
#ifdef __aarch64__ // 32 registers
#define TILE_VECTORS 4
#define TILE_ROWS    6
#else
#define TILE_VECTORS 2
#define TILE_ROWS    5
#endif
#include "engine/kernels/kernels.inc"
