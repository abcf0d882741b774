// An image of the rendered dataset, from its number to its bytes:
//
//   struct frame frame;
//   frame_make(&frame, &(struct frame_series){.seed = 0, .video = 100, .variety = 1}, class, index);   // every
//   parameter frame_draw(renderer, &frame, &image, error);                                          // its pixels
//   frame_encode(&frame, &image, &bytes, &size, error);                                   // as JPEG
//   frame_describe(&frame, text, sizeof text);                                            // as JSON
//
// Equal series, class, index and side give equal bytes on this machine, on any number of threads.
#ifndef SYNTH_FRAME_H
#define SYNTH_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "image/image.h"
#include "synth/background.h"
#include "synth/post.h"
#include "synth/scene.h"
#include "synth/walk.h"

// Raised when the same number becomes another picture.
enum { SYNTH_CODE = 4 };

enum { FRAME_SIDE_MIN = 32, FRAME_SIDE_MAX = 1024, FRAME_TEXT = 4096 };

struct frame_series {
  uint64_t seed;
  uint32_t video; // frames of a class in a session; 1: one of each class
  float variety;  // 0..1: how far poses, place in the frame, distance, roll, light, noise and clutter leave the usual
};

struct frame {
  int class;
  struct walk walk;
  bool hand; // not of `nothing`
  float variety;
  float tone;
  float shade, sun; // factors of all light on the hand, and of the lamps' alone: 1 as in the room behind it
  struct synth_scene scene;
  struct background background;
  struct gaze gaze;
  struct camera_settings camera;
  int quality; // JPEG's
};

// `index` is from 0, the image's number from 1.
void frame_make(struct frame *frame, const struct frame_series *series, int class, uint64_t index);

struct renderer; // one thread's memory for images of one side

enum status renderer_new(struct renderer **out, int side, struct error *error);
void renderer_free(struct renderer *renderer);

// `image` is reshaped to side x side.
enum status frame_draw(struct renderer *renderer, const struct frame *frame, struct image *image, struct error *error);

// *bytes is to be freed.
enum status frame_encode(const struct frame *frame, const struct image *image, uint8_t **bytes, size_t *size,
                         struct error *error);

// The parameters as one JSON object.
void frame_describe(const struct frame *frame, char *out, size_t size);

#endif
