#define PIXELS_NAME         "avx512"
#define PIXELS_TABLE        pixels_avx512
#define PIXELS_VECTOR_BYTES 64
#include "image/pixels.inc"
