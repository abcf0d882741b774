// What is before the camera, and the drawing of the hand in it.
//
//   struct synth_scene scene = synth_scene_of_class(hand_class_of_name("K"));
//   scene.camera.distance = 55;
//   synth_draw_hand(&scene, 200, 200, pixels, coverage);
//
// Equal scenes give equal bits, on every thread and every instruction set: only additions, multiplications, divisions
// and square roots are used, each rounded as IEEE 754 asks, in one order.
#ifndef SYNTH_SCENE_H
#define SYNTH_SCENE_H

#include "synth/hand.h"

enum { SYNTH_LIGHTS = 3, SYNTH_SIDE_LIMIT = 2048 };

// A pinhole camera. It looks at the hand's centre: the mean of its joints and fingertips.
struct synth_camera {
  float yaw, pitch, roll; // degrees, added to the pose's TURN_ angles
  float distance;         // cm to the hand's centre; 25..400
  float focal;            // focal length over the picture's shorter side; 0.5..8. A webcam's is about 1.0
  float x, y;             // where the hand's centre goes: shares of the width and height, from the top left
};

struct synth_light {
  float direction[3]; // to the light, in the picture's axes (x right, y up, z to the camera); any length but 0
  float colour[3];    // linear RGB that a white surface facing the light would have
  float softness;     // the light's angular radius in degrees, 0..45: how soft shadows are
};

struct synth_scene {
  struct hand_pose pose; // a thumb that would pass through fingers is moved out of them before drawing
  struct hand_shape shape;
  struct hand_look look;
  struct synth_camera camera;
  int lights; // 0..SYNTH_LIGHTS
  struct synth_light light[SYNTH_LIGHTS];
  float ambient_above[3], ambient_below[3]; // light from everywhere: from above, and from below
};

// The mean pose, shape and look of a class before a plain camera at a usual distance, in daylight.
struct synth_scene synth_scene_of_class(int class);

// Where the hand is in the picture, without the forearm: shares of the width and height, from the top left; may lie
// outside 0..1.
struct synth_box {
  float left, top, right, bottom;
};
struct synth_box synth_hand_box(const struct synth_scene *scene, int width, int height);

// Draws the hand over `pixels`, linear RGB [height, width, 3], in place. `coverage` [height, width], unless NULL,
// becomes the hand's share of each pixel: tests compare outlines by it. Sides up to SYNTH_SIDE_LIMIT. Allocates
// nothing; one thread: call it from several for several pictures.
void synth_draw_hand(const struct synth_scene *scene, int width, int height, float *pixels, float *coverage);

#endif
