#define DRAW_NAME  "avx2"
#define DRAW_TABLE draw_avx2
#include "synth/draw.inc"
