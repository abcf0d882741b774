// The one field of EXIF that changes pixels: orientation (tag 0x0112, CIPA DC-008). A camera held upright
// stores the picture lying on its side and says so here.
#ifndef IMAGE_EXIF_H
#define IMAGE_EXIF_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "image/image.h"

// The orientation, 1 to 8, in a block that begins with its TIFF header; 1 (as stored) where there is none or
// it makes no sense.
int exif_orientation(const uint8_t *tiff, size_t size);

// Turns `stored` the way it is to be looked at: orientations 2 to 8 mirror and rotate; 1 copies. `out` is
// reshaped.
enum status exif_turn(const struct image *stored, int orientation, struct image *out, struct error *error);

#endif
