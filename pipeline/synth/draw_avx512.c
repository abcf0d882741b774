#define DRAW_NAME  "avx512"
#define DRAW_TABLE draw_avx512
#include "synth/draw.inc"
