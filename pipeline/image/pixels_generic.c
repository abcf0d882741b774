#define PIXELS_NAME  "generic"
#define PIXELS_TABLE pixels_generic
#include "image/pixels.inc"
