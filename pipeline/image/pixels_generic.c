#define PIXELS_NAME         "generic"
#define PIXELS_TABLE        pixels_generic
#define PIXELS_VECTOR_BYTES 16
#include "image/pixels.inc"
