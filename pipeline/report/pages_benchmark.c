// The pages about speed: what `make bench` has measured last, if it was ever run on this manifest.
#include "report/pages.h"

#include <math.h>
#include <string.h>

enum { RATIO_LIMIT = 20 }; // of the longest bar

static const double line = 0.0235;

enum status benchmark_rows(struct db *db, bool *any, struct error *error)
{
  int64_t one;
  return db_integer(db, &one, any, error, "SELECT 1 FROM benchmark LIMIT 1", "");
}

// --- ratios and scaling ----------------------------------------------------------------------------------------------

// A bar for each comparison with a framework. Returns where the next words go.
static double ratio_bars(struct page *page, double y)
{
  FILE *file = page_file(page, "bars");
  struct query *query = page_query(page,
                                   "SELECT task, precision, value, peer, peer_value, ratio, host FROM benchmarks WHERE "
                                   "ratio > 0 AND unit = 'images/s'",
                                   NULL, NULL);
  int rows = 0;
  for (; page_next(page, query) && rows < 8; rows++) {
    if (!rows) page_words(page, SUBTITLE, 0.03, 0.905, "%s", query_text(query, 6));
    y -= line;
    double ratio = query_real(query, 5);
    page_words(page, BODY, 0.03, y, "%s %s", query_text(query, 0), query_text(query, 1));
    page_words(page, NUMBER, 0.25, y, "%.1f", query_real(query, 2));
    page_words(page, NUMBER, 0.33, y, "%.1f", query_real(query, 4));
    page_words(page, GREY, 0.34, y, "%s", query_text(query, 3));
    page_words(page, HEAD_NUMBER, 0.57, y, "%.1f x", ratio);
    fprintf(file, "0.58\t%.5f\t%.5f\t0.007\n", y, (ratio < RATIO_LIMIT ? ratio / RATIO_LIMIT : 1) * 0.38);
  }
  query_close(query);
  page_file_close(page, file);
  if (!rows) page_words(page, GREY, 0.03, y - line, "No peer was there to compare with: make deps-bench");
  return y - line;
}

static double memory_words(struct page *page, double y)
{
  struct query *query = page_query(
      page, "SELECT precision, value, peer, peer_value, ratio FROM benchmarks WHERE unit = 'MiB' AND ratio > 0", NULL,
      NULL);
  for (; page_next(page, query); y -= line)
    page_words(page, BODY, 0.03, y, "Peak memory of training, %s: %.0f MiB, %s %.0f MiB, ratio %.2f",
               query_text(query, 0), query_real(query, 1), query_text(query, 2), query_real(query, 3),
               query_real(query, 4));
  query_close(query);
  return y;
}

// An operation of augmentation, in two columns on the right; `i` counts them.
static void augment_words(struct page *page, double top, int i, const char *operation, double rate)
{
  enum { ROWS = 9, LIMIT = 2 * ROWS };
  if (i >= LIMIT) return;
  if (!i) page_words(page, GREY, 0.58, top, "images augmented a second, 100x100, by");
  double y = top - line * (1 + i % ROWS);
  page_words(page, GREY, i < ROWS ? 0.58 : 0.83, y, "%s", operation);
  page_words(page, NUMBER, i < ROWS ? 0.79 : 0.97, y, "%.0f", rate);
}

// What is before training, and the machine, below each other on the left.
static void stage_words(struct page *page, double left, double right)
{
  static const char augment[] = "augment 100x100, ";
  enum { ROWS = 10 };
  struct query *query = page_query(page,
                                   "SELECT replace(task, 'stage ', ''), value, unit, threads, precision FROM benchmarks "
                                   "WHERE task LIKE 'stage %' OR task LIKE 'machine %'",
                                   NULL, NULL);
  for (int row = 0, operation = 0; page_next(page, query);) {
    const char *task = query_text(query, 0);
    if (!strncmp(task, augment, sizeof augment - 1)) {
      augment_words(page, right, operation++, task + sizeof augment - 1, query_real(query, 1));
      continue;
    }
    if (row == ROWS) continue;
    double y = left - line * row++;
    bool arithmetic = strstr(task, "multiply-add") != NULL;
    page_words(page, GREY, 0.03, y, "%s%s%s", task, arithmetic ? ", " : "", arithmetic ? query_text(query, 4) : "");
    page_words(page, NUMBER, 0.33, y, "%.0f", query_real(query, 1));
    page_words(page, GREY, 0.34, y, "%s, %s threads", query_text(query, 2), query_text(query, 3));
  }
  query_close(query);
}

enum status benchmark_page(struct page *page, int number)
{
  page_begin(page, number, "Speed");
  page_words(page, GREY_NUMBER, 0.25, 0.865, "images/s");
  page_words(page, GREY_NUMBER, 0.33, 0.865, "peer");
  page_words(page, GREY_NUMBER, 0.57, 0.865, "ratio");
  double y = ratio_bars(page, 0.865) - line;
  stage_words(page, memory_words(page, y) - line / 2, y);
  int points = page_table(page, "scaling",
                          "SELECT task || ' ' || precision, threads, batch, value, threads = max(threads) OVER () FROM "
                          "benchmarks WHERE task LIKE 'scaling %' ORDER BY 1, batch <> 64, threads, batch",
                          NULL, NULL);
  page_number(page, "points", points);
  fputs("bar_colour = tint(blue, 0.7)\n", page->script);
  return page_draw(page, "bars.gp", points ? "scaling.gp" : NULL);
}

// --- layers ----------------------------------------------------------------------------------------------------------

static const struct {
  const char *head;
  double x; // right end
} columns[] = {{"fp32 us", 0.32}, {"GFLOP/s", 0.39}, {"of the roof", 0.47},
               {"bf16 us", 0.64}, {"GFLOP/s", 0.71}, {"of the roof", 0.79}};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void layer_cells(struct page *page, struct query *query, FILE *file, double y)
{
  for (int c = 0; c < COLUMNS; c++) {
    if (query_is_null(query, c + 1)) continue;
    double value = query_real(query, c + 1);
    if (c % 3 != 2) {
      page_words(page, NUMBER, columns[c].x, y, "%.0f", value);
      continue;
    }
    page_words(page, NUMBER, columns[c].x, y, "%.0f %%", 100 * value);
    fprintf(file, "%.3f\t%.5f\t%.5f\t0.006\n", columns[c].x + 0.01, y, (value < 1 ? value : 1) * 0.1);
  }
}

enum status benchmark_layers_page(struct page *page, int number)
{
  page_begin(page, number, "Speed of the layers");
  page_words(
      page, SUBTITLE, 0.03, 0.905,
      "Microseconds an image on one thread, and the share of what the machine's multiply-adds or its caches allow");
  for (int c = 0; c < COLUMNS; c++) page_words(page, GREY_NUMBER, columns[c].x, 0.865, "%s", columns[c].head);
  FILE *file = page_file(page, "bars");
  struct query *query = page_query(page, "SELECT * FROM benchmark_layers LIMIT 30", NULL, NULL);
  double y = 0.865;
  for (; page_next(page, query); layer_cells(page, query, file, y)) {
    y -= line;
    const char *task = query_text(query, 0);
    page_words(page, BODY, 0.03, y, "%s", strncmp(task, "layer ", 6) == 0 ? task + 6 : task);
  }
  query_close(query);
  page_file_close(page, file);
  if (y > 0.86) return page_say(page, "Layers are measured by `make bench` without QUICK.");
  fputs("bar_colour = tint(green, 0.6)\n", page->script);
  return page_draw(page, "bars.gp", NULL);
}
