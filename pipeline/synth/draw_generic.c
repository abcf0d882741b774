#define DRAW_NAME  "generic"
#define DRAW_TABLE draw_generic
#include "synth/draw.inc"
