// UTF-8 (RFC 3629): names from disk are bytes, and whoever shows or quotes them must know where they stop
// being text.
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The code point at `text` (of which `size` bytes may be read) into *point; returns its length in bytes, or 0
// if there is none: truncated, overlong, a surrogate, or above U+10FFFF.
size_t utf8_decode(const char *text, size_t size, uint32_t *point);

bool utf8_is_valid(const char *text, size_t size);

// The bytes of a name as printable text on one line: control characters, backslashes and bytes that are not
// UTF-8 become \xHH, the rest stays. Different bytes give different text. Cut to `size`, between characters.
void utf8_show(char *out, size_t size, const char *bytes);

#endif
