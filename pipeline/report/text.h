// Text on its way to a page. Class names and paths are anybody's bytes; gnuplot gets them in data files only, never in
// a script (it runs backquotes as shell commands), as one tab-separated field each.
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include <stddef.h>
#include <stdio.h>

// Copies `text` as it can be shown: control characters, invalid UTF-8, and characters outside the ranges that the
// page's font has (an absent one is drawn as a box of any size) become \x0A or \u{1F642}. Cut to what fits, at a whole
// character.
void text_show(char *out, size_t size, const char *text);

// Writes `text`, as text_show has it, as a field: what gnuplot draws is the text itself, backslashes and double quotes
// included.
void text_field(FILE *out, const char *text);

// At most `limit` characters (not bytes) of what text_show makes of `text`; a longer one ends in "…", or has it in its
// middle where `middle` is true, so that a path keeps its end.
void text_clip(char *out, size_t size, const char *text, size_t limit, int middle);

// The length of the longest beginning of `text` that has at most `limit` characters, broken at a space where there is
// one.
size_t text_line(const char *text, size_t limit);

size_t text_characters(const char *text);

#endif
