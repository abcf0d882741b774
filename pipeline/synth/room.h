// A room with things in it, and what a camera in it sees: one ray a pixel, painted surfaces, lamps without hard
// shadows. Meant for backgrounds, which a camera that looks at a hand leaves out of focus.
//
// Axes: x and y along the walls, z upwards, in metres; the room is [0, size]. Light is linear.
#ifndef SYNTH_ROOM_H
#define SYNTH_ROOM_H

#include <stdbool.h>

#include "core/rng.h"
#include "core/status.h"
#include "synth/texture.h"

enum { ROOM_THINGS = 29, ROOM_LAMPS = 3, ROOM_WALLS = 6 };

// A box or the ellipsoid inside it, turned about the vertical.
struct thing {
  float middle[3], half[3]; // half the sides
  float cosine, sine;       // of the turn
  bool round;
  struct surface surface;
};

struct lamp {
  float place[3], light[3];
};

struct room {
  float size[3];
  struct surface walls[ROOM_WALLS]; // x = 0, x = size, y = 0, y = size, floor, ceiling
  struct thing things[ROOM_THINGS];
  int thing_count;
  struct lamp lamps[ROOM_LAMPS];
  int lamp_count;
  float ambient[3];
};

// Where the camera stands and looks. `axes` are unit vectors: right, down, forward.
struct eye {
  float place[3], axes[3][3];
  float spread; // tangent of half the angle of view
};

// Draws size x size pixels of RGB, linear light, row by row from the upper left corner.
void room_draw(const struct room *room, const struct eye *eye, int size, float *pixels);

// The axes of an eye that looks along yaw (from the x axis towards y) and pitch (upwards), rolled clockwise; radians.
void eye_turn(struct eye *eye, float yaw, float pitch, float roll);

#endif
