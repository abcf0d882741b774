// A map with zeros around it, as convolutions above 1x1 read it.
#include <string.h>

#include "engine/ops/native.h"

void native_pad(size_t element, const void *map, struct shape from, void *out, struct shape to, int top, int left)
{
  const size_t pixel = (size_t)from.c * element, row_bytes = (size_t)to.w * pixel, before = (size_t)left * pixel;
  const size_t copied = (size_t)(to.w - left < from.w ? to.w - left : from.w) * pixel;
  unsigned char *row = out;
  for (int i = -top; i < to.h - top; i++, row += row_bytes) {
    const bool inside = i >= 0 && i < from.h;
    memset(row, 0, inside ? before : row_bytes);
    if (!inside) continue;
    memcpy(row + before, (const unsigned char *)map + (size_t)i * (size_t)from.w * pixel, copied);
    memset(row + before + copied, 0, row_bytes - before - copied);
  }
  memset(row, 0, element);
}
