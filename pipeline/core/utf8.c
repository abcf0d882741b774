#include "core/utf8.h"

size_t utf8_decode(const char *text, size_t size, uint32_t *point)
{
  if (size == 0) return 0;
  unsigned char first = (unsigned char)text[0];
  if (first < 0x80) {
    *point = first;
    return 1;
  }
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || size < length) return 0;
  uint32_t value = first & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if (((unsigned char)text[i] & 0xc0) != 0x80) return 0;
    value = value << 6 | ((unsigned char)text[i] & 0x3f);
  }
  static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < lowest[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return 0;
  *point = value;
  return length;
}

bool utf8_is_valid(const char *text, size_t size)
{
  for (size_t at = 0, length; at < size; at += length) {
    uint32_t point;
    length = utf8_decode(text + at, size - at, &point);
    if (!length) return false;
  }
  return true;
}
