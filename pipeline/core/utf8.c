#include "core/utf8.h"

#include <stdio.h>
#include <string.h>

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

// C0 and C1 controls, DEL; line and paragraph separators; marks that turn the direction of what follows.
static bool is_printable(uint32_t point)
{
  return point >= 0x20 && point != '\\' && !(point >= 0x7F && point < 0xA0) && !(point >= 0x2028 && point <= 0x202E) &&
         !(point >= 0x2066 && point <= 0x2069);
}

void utf8_show(char *out, size_t size, const char *bytes)
{
  size_t length = strlen(bytes), used = 0;
  for (size_t at = 0; at < length;) {
    uint32_t point = 0;
    size_t taken = utf8_decode(bytes + at, length - at, &point);
    bool plain = taken && is_printable(point);
    if (!taken) taken = 1;
    if (used + (plain ? taken : 4 * taken) >= size) break;
    if (plain) memcpy(out + used, bytes + at, taken), used += taken;
    for (size_t i = 0; !plain && i < taken; i++)
      used += (size_t)snprintf(out + used, size - used, "\\x%02X", (unsigned)(unsigned char)bytes[at + i]);
    at += taken;
  }
  if (size) out[used] = '\0';
}
