// An image in memory: RGB, 8 bits a channel, rows without gaps.
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdint.h>

#include "core/status.h"

enum { IMAGE_CHANNELS = 3 };

struct image {
  int width, height;
  uint8_t *pixels; // [height, width, 3]; owned
};

// Memory for width x height pixels, zeroed (black). Reuses what the image holds where it is large enough is not promised:
// release or reuse with image_reshape.
enum status image_init(struct image *image, int width, int height, struct error *error);
void image_release(struct image *image);

#endif
