#include "image/exif.h"

#include <stdbool.h>

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };

static uint32_t number(const uint8_t *at, int bytes, bool big_endian)
{
  uint32_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint32_t)at[i] << 8 * (big_endian ? bytes - 1 - i : i);
  return value;
}

int exif_orientation(const uint8_t *tiff, size_t size)
{
  if (size < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 1;
  bool big = tiff[0] == 'M';
  if (number(tiff + 2, 2, big) != 42) return 1;
  size_t folder = number(tiff + 4, 4, big);
  if (folder > size - 2) return 1;
  size_t entries = number(tiff + folder, 2, big);
  for (size_t i = 0; i < entries; i++) {
    size_t at = folder + 2 + i * ENTRY_BYTES;
    if (at + ENTRY_BYTES > size) return 1;
    if (number(tiff + at, 2, big) != TAG_ORIENTATION) continue;
    uint32_t value = number(tiff + at + 8, 2, big);
    return number(tiff + at + 2, 2, big) == TYPE_SHORT && value >= 1 && value <= 8 ? (int)value : 1;
  }
  return 1;
}

// Where the upright picture's first pixel lies in the stored one, and the steps, in stored pixels, that one
// pixel to the right and one pixel down take.
struct walk {
  ptrdiff_t start, right, down;
};

static struct walk walk_of(int orientation, ptrdiff_t width, ptrdiff_t height)
{
  ptrdiff_t last_x = width - 1, last_row = (height - 1) * width;
  switch (orientation) {
  case 2:
    return (struct walk){last_x, -1, width}; // mirrored left to right
  case 3:
    return (struct walk){last_row + last_x, -1, -width}; // upside down
  case 4:
    return (struct walk){last_row, 1, -width}; // mirrored top to bottom
  case 5:
    return (struct walk){0, width, 1}; // transposed
  case 6:
    return (struct walk){last_row, -width, 1}; // to be turned clockwise
  case 7:
    return (struct walk){last_row + last_x, -width, -1}; // transposed over the other diagonal
  case 8:
    return (struct walk){last_x, width, -1}; // to be turned counter-clockwise
  default:
    return (struct walk){0, 1, width};
  }
}

enum status exif_turn(const struct image *stored, int orientation, struct image *out, struct error *error)
{
  bool swapped = orientation >= 5;
  enum status status =
      image_reshape(out, swapped ? stored->height : stored->width, swapped ? stored->width : stored->height, error);
  if (status) return status;
  struct walk walk = walk_of(orientation, stored->width, stored->height);
  uint8_t *to = out->pixels;
  for (int y = 0; y < out->height; y++) {
    const uint8_t *from = stored->pixels + (walk.start + y * walk.down) * IMAGE_CHANNELS;
    for (int x = 0; x < out->width; x++, to += IMAGE_CHANNELS, from += walk.right * IMAGE_CHANNELS) {
      to[0] = from[0];
      to[1] = from[1];
      to[2] = from[2];
    }
  }
  return OK;
}
