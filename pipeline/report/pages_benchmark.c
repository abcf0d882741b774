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

enum status benchmark_resnet50_rows(struct db *db, bool *any, struct error *error)
{
  int64_t one;
  return db_integer(db, &one, any, error, "SELECT 1 FROM benchmark WHERE task LIKE 'resnet50 %' LIMIT 1", "");
}

// --- ratios and scaling ----------------------------------------------------------------------------------------------

// Columns: where their right end is, for the peer's name and the bars the left one.
static const double ours_x = 0.34, peer_x = 0.41, name_x = 0.42, ratio_x = 0.62, bar_x = 0.63, bar_length = 0.34;

// The first four columns of a query: task, precision, batch, threads.
static void task_words(struct page *page, struct query *query, double y)
{
  page_words(page, BODY, 0.03, y, "%s %s, batch %s, %s threads", query_text(query, 0), query_text(query, 1),
             query_text(query, 2), query_text(query, 3));
}

static void ratio_words(struct page *page, struct query *query, FILE *file, double y)
{
  task_words(page, query, y);
  page_words(page, NUMBER, ours_x, y, "%.1f", query_real(query, 4));
  if (query_is_null(query, 7)) {
    page_words(page, GREY, name_x, y, "no peer was there: make deps-bench");
    return;
  }
  double ratio = query_real(query, 7);
  page_words(page, NUMBER, peer_x, y, "%.1f", query_real(query, 6));
  page_words(page, GREY, name_x, y, "%s", query_text(query, 5));
  page_words(page, HEAD_NUMBER, ratio_x, y, "%.*f x", ratio < 10 ? 2 : 1, ratio);
  fprintf(file, "%.3f\t%.5f\t%.5f\t0.007\n", bar_x, y, (ratio < RATIO_LIMIT ? ratio / RATIO_LIMIT : 1) * bar_length);
}

// A bar for each of at most `most` comparisons with a framework, of the tasks that are LIKE `tasks`. Returns where the
// next words go.
static double ratio_bars(struct page *page, const char *tasks, int most)
{
  double y = 0.865;
  page_words(page, GREY_NUMBER, ours_x, y, "images/s");
  page_words(page, GREY_NUMBER, peer_x, y, "peer");
  page_words(page, GREY_NUMBER, ratio_x, y, "ratio");
  FILE *file = page_file(page, "bars");
  struct query *query = page_query(page,
                                   "SELECT task, precision, batch, threads, value, peer, peer_value, ratio, host FROM "
                                   "benchmarks WHERE task LIKE ?1 AND unit = 'images/s'",
                                   tasks, NULL);
  int rows = 0;
  for (; rows < most && page_next(page, query); rows++) {
    if (!rows) page_words(page, SUBTITLE, 0.03, 0.905, "%s", query_text(query, 8));
    y -= line;
    ratio_words(page, query, file, y);
  }
  query_close(query);
  page_file_close(page, file);
  if (!rows) page_words(page, GREY, 0.03, y -= line, "Measured by `make bench`.");
  fputs("bar_colour = tint(blue, 0.7)\n", page->script);
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
  struct query *query =
      page_query(page,
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
  double y = ratio_bars(page, "seed-cnn %", 8) - line;
  stage_words(page, memory_words(page, y) - line / 2, y);
  int points = page_table(page, "scaling",
                          "SELECT task || ' ' || precision, threads, batch, value, threads = max(threads) OVER () FROM "
                          "benchmarks WHERE task LIKE 'scaling %' ORDER BY 1, batch <> 64, threads, batch",
                          NULL, NULL);
  page_number(page, "points", points);
  return page_draw(page, "bars.gp", points ? "scaling.gp" : NULL);
}

// --- ResNet50 --------------------------------------------------------------------------------------------------------

// What peers reached that are nobody's peer above, in the same columns. Returns where the next words go.
static double peer_words(struct page *page, double y)
{
  enum { ROWS = 6 };
  struct query *query = page_query(page,
                                   "SELECT substr(task, instr(task, ' resnet50 ') + 1), precision, batch, threads, "
                                   "value, substr(task, 1, instr(task, ' resnet50 ')) FROM benchmarks WHERE task LIKE "
                                   "'% resnet50 %'",
                                   NULL, NULL);
  for (int row = 0; row < ROWS && page_next(page, query); row++, y -= line) {
    task_words(page, query, y);
    page_words(page, NUMBER, peer_x, y, "%.1f", query_real(query, 4));
    page_words(page, GREY, name_x, y, "%s", query_text(query, 5));
  }
  query_close(query);
  return y;
}

enum status benchmark_resnet50_page(struct page *page, int number)
{
  static const char *const meanings[] = {
      "features: images through the frozen part; on bytes (int8) beside the peer's fastest floats",
      "head: training the last convolution and the dense layers from features",
      "everything: training all layers from images"};
  page_begin(page, number, "Speed of ResNet50");
  double y = peer_words(page, ratio_bars(page, "resnet50 %", 20) - line / 2) - line / 2;
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++, y -= line)
    page_words(page, GREY, 0.03, y, "%s", meanings[i]);
  return page_draw(page, "bars.gp", NULL);
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
