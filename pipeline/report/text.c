#include "report/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SHOWN_LIMIT = 4096 };

// The length of the UTF-8 sequence at `at` and its code point; 0 if it is invalid (overlong, a surrogate, cut off).
static size_t sequence(const unsigned char *at, uint32_t *code)
{
  if (at[0] < 0x80) return *code = at[0], 1;
  size_t length = at[0] >= 0xf0 && at[0] <= 0xf4 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc2 ? 2 : 0;
  if (!length || at[0] > 0xf4) return 0;
  uint32_t value = at[0] & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0;
    value = value << 6 | (at[i] & 0x3fu);
  }
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 0;
  return *code = value, length;
}

// What DejaVu Sans has: Latin, Greek, Cyrillic; punctuation, arrows, mathematics.
static bool is_drawable(uint32_t code)
{
  return (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code < 0x530) || (code >= 0x1e00 && code < 0x2028) ||
         (code >= 0x2030 && code < 0x2300);
}

void text_show(char *out, size_t size, const char *text)
{
  size_t used = 0;
  for (const unsigned char *at = (const unsigned char *)text; *at;) {
    char shown[16];
    uint32_t code = *at;
    size_t length = sequence(at, &code);
    bool drawable = length && is_drawable(code);
    if (drawable)
      snprintf(shown, sizeof shown, "%.*s", (int)length, (const char *)at);
    else
      snprintf(shown, sizeof shown, "<%02X>", (unsigned)code);
    size_t added = strlen(shown);
    if (used + added >= size) break;
    memcpy(out + used, shown, added);
    used += added;
    at += length ? length : 1;
  }
  out[used] = '\0';
}

void text_field(FILE *out, const char *text)
{
  char shown[SHOWN_LIMIT];
  text_show(shown, sizeof shown, text);
  for (const char *at = shown; *at; at++)
    if (*at == '\\')
      fputs("\\\\\\\\", out); // gnuplot resolves escapes twice on the way to a label
    else if (*at == '"')
      fputs("\\042", out); // a plain one would end the field
    else
      fputc(*at, out);
}

static bool starts_character(char byte)
{
  return ((unsigned char)byte & 0xc0) != 0x80;
}

size_t text_characters(const char *text)
{
  size_t count = 0;
  for (; *text; text++) count += starts_character(*text);
  return count;
}

// The byte at which character `index` starts.
static const char *character(const char *text, size_t index)
{
  for (; *text; text++)
    if (starts_character(*text) && index-- == 0) return text;
  return text;
}

void text_clip(char *out, size_t size, const char *text, size_t limit, int middle)
{
  char shown[SHOWN_LIMIT];
  text_show(shown, sizeof shown, text);
  size_t count = text_characters(shown);
  if (count <= limit || limit < 4) {
    snprintf(out, size, "%s", shown);
    return;
  }
  size_t tail = middle ? (limit - 1) / 2 : 0;
  size_t head = limit - 1 - tail;
  snprintf(out, size, "%.*s…%s", (int)(character(shown, head) - shown), shown, character(shown, count - tail));
}

size_t text_line(const char *text, size_t limit)
{
  const char *end = character(text, limit);
  if (!*end) return (size_t)(end - text);
  const char *space = end;
  while (space > text && *space != ' ') space--;
  return (size_t)((space > text ? space : end) - text);
}
