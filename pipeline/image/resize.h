// Resizing: how the picture fits the square (fit) and how pixels are mixed (filter), both explicit, both recorded.
#ifndef IMAGE_RESIZE_H
#define IMAGE_RESIZE_H

#include "core/status.h"
#include "image/image.h"

enum resize_fit {
  FIT_STRETCH,    // both sides to the size, whatever the aspect
  FIT_LETTERBOX,  // the longer side to the size; grey (114) beside
  FIT_CENTER_CROP // the shorter side to the size; the rest is cut away
};
enum resize_filter { FILTER_AREA, FILTER_LINEAR, FILTER_CUBIC, FILTER_LANCZOS, FILTER_NEAREST };
// FILTER_AREA is antialiased downwards and OpenCV's INTER_LINEAR upwards, which is what INTER_AREA itself does there.

enum status resize_image(const struct image *source, int size, enum resize_fit fit, enum resize_filter filter,
                         struct image *out, struct error *error); // out is size x size; its memory is reused

#endif
