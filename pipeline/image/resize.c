#include "image/resize.h"

#include <string.h>

#include "image/opencv.h"

enum { SIZE_LIMIT = 4096 };

// A rectangle in pixels.
struct box {
  int x, y, width, height;
};

static int rounded_ratio(int64_t value, int64_t times, int64_t by) // value * times / by, at least 1
{
  int64_t result = (2 * value * times + by) / (2 * by);
  return result > 0 ? (int)result : 1;
}

static struct box centered(int outer_width, int outer_height, int width, int height)
{
  return (struct box){(outer_width - width) / 2, (outer_height - height) / 2, width, height};
}

static struct opencv_pixels view_of(const struct image *image, struct box box)
{
  size_t stride = (size_t)image->width * IMAGE_CHANNELS;
  return (struct opencv_pixels){image->pixels + (size_t)box.y * stride + (size_t)box.x * IMAGE_CHANNELS, box.width,
                                box.height, stride};
}

enum status resize_image(const struct image *source, int size, enum resize_fit fit, enum resize_filter filter,
                         struct image *out, struct error *error)
{
  if (size < 1 || size > SIZE_LIMIT)
    return fail(error, BAD_DATA, "cannot resize to %d pixels: 1 to %d are allowed", size, SIZE_LIMIT);
  enum status status = image_reshape(out, size, size, error);
  if (status) return status;
  int width = source->width, height = source->height;
  struct box from = {0, 0, width, height}, to = {0, 0, size, size};
  if (fit == FIT_CENTER_CROP) {
    int shorter = width < height ? width : height;
    from = centered(width, height, shorter, shorter);
  } else if (fit == FIT_LETTERBOX && width != height) {
    int longer = width > height ? width : height;
    to = centered(size, size, rounded_ratio(width, size, longer), rounded_ratio(height, size, longer));
    memset(out->pixels, RESIZE_GREY, (size_t)size * (size_t)size * IMAGE_CHANNELS);
  }
  if (filter == FILTER_AREA && (to.width > from.width || to.height > from.height)) filter = FILTER_LINEAR;
  struct opencv_pixels source_view = view_of(source, from), out_view = view_of(out, to);
  return opencv_resize(&source_view, &out_view, filter, error);
}
