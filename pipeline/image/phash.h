// Perceptual measures of an image: a 64-bit difference hash (dHash: 9x8 grey, each pixel against its right neighbour; frames
// that look alike differ in few bits), mean brightness, and sharpness (variance of the Laplacian of the grey image).
#ifndef IMAGE_PHASH_H
#define IMAGE_PHASH_H

#include <stdint.h>

#include "image/image.h"

struct image_measures {
  uint64_t dhash;
  float brightness; // 0..255
  float sharpness;
};

enum status image_measure(const struct image *image, struct image_measures *out, struct error *error);

#endif
