// A page in the making: its words, the queries in its footer, and the lines of the main script that draw it.
//
// A page's figures come from a query that the footer shows: the same text is run, with its parameters bound, and
// printed, with their values in their place, to be pasted into sqlite3.
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "core/status.h"
#include "report/drawing.h"
#include "store/db.h"

// The numbers are page.gp's.
enum words { TITLE, SUBTITLE, FOOTER, HEAD, BODY, GREY, MONO, NUMBER, GREY_NUMBER, FIGURE, HEAD_NUMBER };

struct page {
  struct drawing *drawing;
  struct db *db;
  FILE *script, *words;
  int number, footers;
  enum status status; // of the first failure; later calls do nothing
  struct error *error;
};

// Pages are numbered from 1. `script` is the main script, to which page_begin, page_number, page_file and page_draw
// append. A title that is too long for the page loses its middle.
void page_begin(struct page *page, int number, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Words whose left (of a ..NUMBER: right) end is at x and whose middle is at y, in shares of the page from its
// lower left corner. The text may hold anything.
void page_words(struct page *page, enum words style, double x, double y, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

// Opens the query and binds ?1 and ?2 where the text has them; shows it in the footer. NULL after a failure. Close the
// query.
struct query *page_query(struct page *page, const char *sql, const char *first, const char *second);
bool page_next(struct page *page, struct query *query);

// Opens a data file of this page, which scripts know by the variable `name`; page_file_close checks it.
FILE *page_file(struct page *page, const char *name);
void page_file_close(struct page *page, FILE *file);

// The rows of a query as a data file, a column for each of the query's; NULL is NaN. Returns the number of rows.
int page_table(struct page *page, const char *name, const char *sql, const char *first, const char *second);

// Sets a variable of the scripts.
void page_number(struct page *page, const char *name, double value);

// Draws the words, then the embedded scripts (NULL: none). Ends the page.
enum status page_draw(struct page *page, const char *first, const char *second);

// Ends a page that says why there is nothing to draw.
enum status page_say(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A cell of a data file, with the tab or newline after it.
void cell_text(FILE *file, const char *text, char end);
void cell_number(FILE *file, double value, char end);

#endif
