#define PIXELS_NAME         "avx2"
#define PIXELS_TABLE        pixels_avx2
#define PIXELS_VECTOR_BYTES 32
#include "image/pixels.inc"
