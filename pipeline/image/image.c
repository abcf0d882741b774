#include "image/image.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

// A buffer that is at most this large is always kept for the next image.
enum { KEPT_BYTES = 16 << 20 };

static enum status pixel_bytes(int width, int height, size_t *bytes, struct error *error)
{
  if (width > 0 && height > 0 && mem_multiply((size_t)width, (size_t)height, bytes) &&
      mem_multiply(*bytes, IMAGE_CHANNELS, bytes))
    return OK;
  return fail(error, BAD_DATA, "an image of %d x %d pixels is not possible", width, height);
}

enum status image_init(struct image *image, int width, int height, struct error *error)
{
  *image = (struct image){0};
  enum status status = image_reshape(image, width, height, error);
  if (!status) memset(image->pixels, 0, image->capacity);
  return status;
}

enum status image_reshape(struct image *image, int width, int height, struct error *error)
{
  size_t bytes = 0;
  enum status status = pixel_bytes(width, height, &bytes, error);
  if (status) return status;
  bool wasteful = image->capacity > KEPT_BYTES && image->capacity / 4 > bytes;
  if (image->capacity < bytes || wasteful) {
    image_release(image);
    void *pixels = NULL;
    if ((status = mem_aligned(&pixels, bytes, 1, "an image", error))) return status;
    image->pixels = pixels;
    image->capacity = bytes;
  }
  image->width = width;
  image->height = height;
  return OK;
}

void image_release(struct image *image)
{
  if (image->capacity) free(image->pixels);
  *image = (struct image){0};
}
