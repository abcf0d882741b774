#define PIXELS_NAME  "avx2"
#define PIXELS_TABLE pixels_avx2
#include "image/pixels.inc"
