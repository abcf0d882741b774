// The bridge to OpenCV: the one place that knows it. C linkage, plain arrays, no exception leaves it.
// OpenCV's own threads are off: we work on many images at a time, one per thread.
#ifndef IMAGE_OPENCV_H
#define IMAGE_OPENCV_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "image/resize.h"

// A view of 8-bit pixels with three interleaved channels; `stride` is the bytes from a row to the next.
struct opencv_pixels {
  uint8_t *pixels;
  int width, height;
  size_t stride;
};

#ifdef __cplusplus
extern "C" {
#endif

// Fills `out` (allocated, of its own size, apart from `source`) with `source` resized by cv::resize.
enum status opencv_resize(const struct opencv_pixels *source, const struct opencv_pixels *out,
                          enum resize_filter filter, struct error *error);

#ifdef __cplusplus
}
#endif

#endif
