#include "report/page.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "report/text.h"

enum { FOOTER_CHARACTERS = 195, FOOTER_LINES = 4, NAME_LIMIT = 48 };

static const double footer_top = 0.052, footer_step = 0.0135;

void cell_text(FILE *file, const char *text, char end)
{
  text_field(file, text);
  fputc(end, file);
}

void cell_number(FILE *file, double value, char end)
{
  if (isnan(value))
    fprintf(file, "NaN%c", end);
  else
    fprintf(file, "%.9g%c", value, end);
}

static void file_name(char out[NAME_LIMIT], const struct page *page, const char *name)
{
  snprintf(out, NAME_LIMIT, "p%02d-%s.txt", page->number, name);
}

FILE *page_file(struct page *page, const char *name)
{
  char file[NAME_LIMIT];
  FILE *out = NULL;
  if (page->status) return NULL;
  file_name(file, page, name);
  page->status = drawing_file(&out, page->drawing, file, page->error);
  fprintf(page->script, "%s = '%s'\n", name, file);
  return out;
}

void page_file_close(struct page *page, FILE *file)
{
  enum status status = drawing_file_close(file, "of a page", page->status ? NULL : page->error);
  if (!page->status) page->status = status;
}

void page_begin(struct page *page, int number, const char *format, ...)
{
  enum { TITLE_CHARACTERS = 58 };
  char text[1024], title[4 * TITLE_CHARACTERS + 1];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  text_clip(title, sizeof title, text, TITLE_CHARACTERS, 1);
  page->number = number;
  page->footers = 0;
  page->words = page_file(page, "words");
  page_words(page, TITLE, 0.03, 0.95, "%s", title);
}

void page_words(struct page *page, enum words style, double x, double y, const char *format, ...)
{
  if (page->status || !page->words) return;
  char text[2048];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fprintf(page->words, "%d\t%.5f\t%.5f\t", (int)style, x, y);
  cell_text(page->words, text, '\n');
}

// The query with its values in the place of ?1 and ?2, quoted as SQL has it.
static void show_query(char *out, size_t size, const char *sql, const char *first, const char *second)
{
  size_t used = 0;
  for (; *sql && used + 4 < size; sql++) {
    if (*sql != '?') {
      out[used++] = *sql;
      continue;
    }
    out[used++] = '\'';
    for (const char *value = *++sql == '1' ? first : second; *value && used + 4 < size; value++) {
      if (*value == '\'') out[used++] = '\'';
      out[used++] = *value;
    }
    out[used++] = '\'';
  }
  out[used++] = ';';
  out[used] = '\0';
}

static void add_footer(struct page *page, const char *sql, const char *first, const char *second)
{
  char text[2048];
  show_query(text, sizeof text, sql, first, second);
  for (const char *at = text; *at && page->footers < FOOTER_LINES;) {
    size_t length = text_line(at, FOOTER_CHARACTERS);
    page_words(page, FOOTER, 0.03, footer_top - footer_step * page->footers++, "%.*s", (int)length, at);
    at += length;
    while (*at == ' ') at++;
  }
}

struct query *page_query(struct page *page, const char *sql, const char *first, const char *second)
{
  struct query *query = NULL;
  if (page->status) return NULL;
  add_footer(page, sql, first, second);
  page->status = query_open(&query, page->db, sql, page->error);
  if (!page->status)
    page->status = strstr(sql, "?2")   ? query_bind(query, page->error, "tt", first, second)
                   : strstr(sql, "?1") ? query_bind(query, page->error, "t", first)
                                       : query_bind(query, page->error, "");
  if (!page->status) return query;
  query_close(query);
  return NULL;
}

bool page_next(struct page *page, struct query *query)
{
  return query && !page->status && query_next(query, &page->status, page->error);
}

int page_table(struct page *page, const char *name, const char *sql, const char *first, const char *second)
{
  int rows = 0;
  FILE *file = page_file(page, name);
  struct query *query = page_query(page, sql, first, second);
  for (; page_next(page, query); rows++)
    for (int column = 0; column < query_columns(query); column++)
      cell_text(file, query_is_null(query, column) ? "NaN" : query_text(query, column),
                column + 1 < query_columns(query) ? '\t' : '\n');
  query_close(query);
  page_file_close(page, file);
  return rows;
}

void page_number(struct page *page, const char *name, double value)
{
  fprintf(page->script, "%s = %.9g\n", name, isnan(value) ? 0 : value);
}

enum status page_draw(struct page *page, const char *first, const char *second)
{
  page_file_close(page, page->words);
  page->words = NULL;
  fputs("load 'page.gp'\n", page->script);
  if (first) fprintf(page->script, "load '%s'\n", first);
  if (second) fprintf(page->script, "load '%s'\n", second);
  fputs("unset multiplot\n", page->script);
  return page->status;
}

enum status page_say(struct page *page, const char *format, ...)
{
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  page_words(page, SUBTITLE, 0.03, 0.8, "%s", text);
  return page_draw(page, NULL, NULL);
}
