// What is behind the hand: a place of some kind (a wall, a floor, a desk, a window, shelves, a garden, ...), furnished
// by chance, and a camera in it.
//
//   struct rng rng = ...;                        // the same numbers, the same place
//   background_make(&background, &rng, 1, skin);
//   background_draw(&background, &gaze, 200, pixels);
#ifndef SYNTH_BACKGROUND_H
#define SYNTH_BACKGROUND_H

#include "core/rng.h"
#include "synth/room.h"

enum place {
  PLACE_WALL,
  PLACE_CORNER, // of walls and ceiling, seen from below
  PLACE_FLOOR,  // seen from above
  PLACE_DESK,
  PLACE_WINDOW,
  PLACE_SHELVES,
  PLACE_ROOM,
  PLACE_GARDEN,
  PLACE_KINDS
};

struct background {
  enum place place;
  struct room room;
  float stand[3], yaw, pitch, spread; // the camera before anybody moves it
  bool person;                        // somebody sits behind the hand
  float clutter;                      // 0..1
};

// How the camera was moved: metres along x, y, z; radians.
struct gaze {
  float shift[3], yaw, pitch, roll;
};

const char *place_name(enum place place); // "wall", ...

// `variety` of 0: plain walls and corners alone; of 1: all places. `skin` is the reflectance of the person who may sit
// there.
void background_make(struct background *background, struct rng *rng, float variety, const float skin[3]);

// Linear light into pixels [size, size, 3].
void background_draw(const struct background *background, const struct gaze *gaze, int size, float *pixels);

#endif
