#define PIXELS_NAME  "avx512"
#define PIXELS_TABLE pixels_avx512
#include "image/pixels.inc"
