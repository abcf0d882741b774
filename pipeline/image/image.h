// An image in memory: RGB, 8 bits a channel, rows without gaps.
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum { IMAGE_CHANNELS = 3 };

struct image {
  int width, height;
  uint8_t *pixels; // [height, width, 3]; owned
  size_t capacity; // bytes at `pixels`; 0 where the pixels are somebody else's (such an image is only ever a
                   // source)
};

// Memory for width x height pixels, zeroed (black). What the image held before is not looked at.
enum status image_init(struct image *image, int width, int height, struct error *error);

// Makes an initialised or zeroed image width x height; its pixels are undefined afterwards. Memory is kept
// where it is large enough, and given back where one enormous image had made it much too large.
enum status image_reshape(struct image *image, int width, int height, struct error *error);

void image_release(struct image *image);

#endif
