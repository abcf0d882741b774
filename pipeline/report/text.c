#include "report/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/utf8.h"

enum { SHOWN_LIMIT = 4096 };

// What DejaVu Sans has: Latin, Greek, Cyrillic; punctuation, arrows, mathematics.
static bool is_drawable(uint32_t code)
{
  return (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code < 0x530) || (code >= 0x1e00 && code < 0x2028) ||
         (code >= 0x2030 && code < 0x2300);
}

void text_show(char *out, size_t size, const char *text)
{
  size_t used = 0;
  for (const char *at = text, *end = text + strlen(text); at < end;) {
    char shown[16];
    uint32_t code = 0;
    size_t length = utf8_decode(at, (size_t)(end - at), &code);
    if (length && is_drawable(code))
      snprintf(shown, sizeof shown, "%.*s", (int)length, at);
    else if (length && code >= 0x80)
      snprintf(shown, sizeof shown, "\\u{%X}", (unsigned)code);
    else
      snprintf(shown, sizeof shown, "\\x%02X", (unsigned char)*at);
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
