// What a picture's tiles are drawn from, and the loops that draw them, compiled for several instruction sets and chosen
// when the program runs. All of them compute the same operations on floats in the same order: every table gives the
// same bits.
#ifndef SYNTH_DRAW_H
#define SYNTH_DRAW_H

#include <stddef.h>

#include "synth/body.h"
#include "synth/scene.h"

enum { TILE = 8 }; // pixels a side

// Space here has the picture's axes (x right, y up, z to the camera); its origin is the hand's centre.
struct view {
  int width, height;
  float scale; // pixels between two rays whose slopes differ by 1
  struct vector eye;
  struct axes hand;
  struct body body;
  struct hand_look look;
  float nail_length;
  int lights;
  struct view_light {
    struct vector to; // a unit vector
    float colour[3];
    float spread; // the tangent of its angular radius
  } light[SYNTH_LIGHTS];
  float above[3], below[3];
};

void view_of(struct view *view, const struct synth_scene *scene, int width, int height);

struct draw_kernels {
  const char *name;
  // The pixels from (x, y) on, TILE each way, as far as the picture goes.
  void (*tile)(const struct view *view, int x, int y, float *pixels, float *coverage);
};

// The best table for this CPU.
const struct draw_kernels *draw_kernels(void);

// All tables that run here, the plainest first; at most `limit`.
size_t draw_kernels_available(const struct draw_kernels *out[], size_t limit);

// synth_draw_hand with a table that the caller chose.
void draw_by(const struct draw_kernels *kernels, const struct synth_scene *scene, int width, int height, float *pixels,
             float *coverage);

#endif
