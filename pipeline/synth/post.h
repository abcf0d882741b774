// What a camera does to light: focus, motion, vignetting, exposure, white balance, noise, its curve to sRGB.
#ifndef SYNTH_POST_H
#define SYNTH_POST_H

#include <stdint.h>

#include "core/rng.h"
#include "core/status.h"
#include "image/image.h"

struct camera_settings {
  float background_blur; // standard deviation of the defocus behind the hand, in pixels of a picture of 200
  float blur;            // and of the whole picture
  float motion, heading; // length of the motion blur in the same pixels, 0: none; its direction in radians
  float vignette;        // share of light lost in the corners
  float stops;           // exposure, beside what the camera chose
  float metering;        // 0: the camera does not adapt; 1: it brings every picture to the same mean
  float white[3];        // gains
  float saturation, contrast;
  float read_noise, shot_noise; // standard deviations at black, and at white, as shares of white
};

struct post; // one thread's memory for pictures of one size

enum status post_new(struct post **out, int size, struct error *error);
void post_free(struct post *post);

// Linear RGB [size, size, 3] in, blurred in place. `sigma` in pixels of this picture.
void post_blur(struct post *post, float *pixels, float sigma);

// Everything but background_blur, into `out`, which is size x size. Changes `pixels`.
void post_expose(struct post *post, const struct camera_settings *settings, struct rng noise, float *pixels,
                 struct image *out);

#endif
