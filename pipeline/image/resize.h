// Resizing: how the picture fits the square (fit) and how pixels are mixed (filter), both explicit, both
// recorded.
#ifndef IMAGE_RESIZE_H
#define IMAGE_RESIZE_H

#include "core/status.h"
#include "image/image.h"

enum { RESIZE_GREY = 114 }; // of all three channels, beside a letterboxed picture

enum resize_fit {
  FIT_STRETCH,    // both sides to the size, whatever the aspect
  FIT_LETTERBOX,  // the longer side to the size; RESIZE_GREY beside
  FIT_CENTER_CROP // the shorter side to the size; the rest is cut away
};

// What OpenCV calls INTER_AREA, INTER_LINEAR, INTER_CUBIC, INTER_LANCZOS4 and INTER_NEAREST_EXACT; the first two are
// computed here, to within one level of OpenCV's. FILTER_AREA is antialiased downwards; where a side grows it is
// FILTER_LINEAR, since there is no area to average. The others are not antialiased.
enum resize_filter { FILTER_AREA, FILTER_LINEAR, FILTER_CUBIC, FILTER_LANCZOS, FILTER_NEAREST };

// The part of `source` that fits a square of side `size`, as size x size pixels in `out`, which is reshaped.
// BAD_DATA for a size out of 1..4096.
enum status resize_image(const struct image *source, int size, enum resize_fit fit, enum resize_filter filter,
                         struct image *out, struct error *error);

// For decode_reduced: the side below which a picture that is to be resized may not be decoded. A reduced picture's
// pixels are the means of the whole one's, as FILTER_AREA's are; for the others 0, not reduced at all. Where the sides
// are a whole multiple of the size, that is the filter itself (200 to 100: 0.2 levels apart in the mean, from
// rounding); where not, means of means reach a little further (224 to 100: 0.6 to 1.5 levels, largest at fine texture).
int resize_least_side(int size, enum resize_filter filter);

#endif
