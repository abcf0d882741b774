// The page that sets the run beside others: who is right on the same images, and what it costs.
#include "report/pages.h"

#include <math.h>
#include <string.h>

#include "report/text.h"

enum { COMPARED_ROWS = 14, COST_ROWS = 11 };

static const double line = 0.026;

enum status comparison_rows(struct db *db, const char *run, bool *any, struct error *error)
{
  int64_t one;
  return db_integer(db, &one, any, error, "SELECT 1 FROM run_comparison WHERE run = ? LIMIT 1", "t", run);
}

struct column {
  const char *head;
  double x; // left end of words, right end of numbers
  bool number;
};

static void heads(struct page *page, const struct column *columns, int count, double y)
{
  for (int c = 0; c < count; c++)
    page_words(page, columns[c].number ? GREY_NUMBER : GREY, columns[c].x, y, "%s", columns[c].head);
}

static void name_words(struct page *page, double x, double y, const char *text, size_t limit)
{
  char clipped[160];
  text_clip(clipped, sizeof clipped, text, limit, 1);
  page_words(page, BODY, x, y, "%s", clipped);
}

// --- the same images -------------------------------------------------------------------------------------------------

static const struct column compared[] = {
    {"other run", 0.03, false}, {"model", 0.19, false},    {"part", 0.27, false},           {"images", 0.47, true},
    {"this run", 0.54, true},   {"the other", 0.61, true}, {"only this right", 0.71, true}, {"only other", 0.79, true},
    {"p", 0.86, true},          {"", 0.88, false},
};
enum { COMPARED = sizeof compared / sizeof *compared };

static void p_words(struct page *page, double y, double p, double difference)
{
  if (p < 0.0001)
    page_words(page, NUMBER, compared[8].x, y, "%.0e", p);
  else
    page_words(page, NUMBER, compared[8].x, y, "%.4f", p);
  page_words(page, p < 0.05 ? BODY : GREY, compared[9].x, y, "%s",
             p >= 0.05        ? "may be chance"
             : difference > 0 ? "this run is better"
                              : "the other is better");
}

// Returns where the next words go.
static double compared_words(struct page *page, const struct report *report, double y)
{
  struct query *query = page_query(page,
                                   "SELECT other, other_model, part, images, accuracy, other_accuracy, only_run, "
                                   "only_other, p, difference FROM run_comparison WHERE run = ?1",
                                   report->run.name, NULL);
  heads(page, compared, COMPARED, y);
  for (int row = 0; page_next(page, query); row++) {
    y -= line;
    if (row == COMPARED_ROWS) {
      page_words(page, GREY, compared[0].x, y, "and more: the query is below");
      break;
    }
    name_words(page, compared[0].x, y, query_text(query, 0), 22);
    name_words(page, compared[1].x, y, query_text(query, 1), 12);
    name_words(page, compared[2].x, y, query_text(query, 2), 20);
    page_words(page, NUMBER, compared[3].x, y, "%lld", (long long)query_integer(query, 3));
    for (int c = 4; c < 6; c++) page_words(page, NUMBER, compared[c].x, y, "%.2f %%", 100 * query_real(query, c));
    for (int c = 6; c < 8; c++) page_words(page, NUMBER, compared[c].x, y, "%lld", (long long)query_integer(query, c));
    p_words(page, y, query_real(query, 8), query_real(query, 9));
  }
  query_close(query);
  return y - line;
}

// --- cost ------------------------------------------------------------------------------------------------------------

static const struct column costs[] = {
    {"run", 0.03, false},     {"model", 0.19, false},     {"validation", 0.34, true}, {"train s", 0.42, true},
    {"images/s", 0.49, true}, {"parameters", 0.60, true}, {"trained", 0.70, true},    {"MiB as fp32", 0.79, true},
    {"peak MiB", 0.87, true}, {"threads", 0.94, true},
};
enum { COSTS = sizeof costs / sizeof *costs };

static void cost_row(struct page *page, struct query *query, FILE *file, double y)
{
  static const char *const formats[COSTS] = {[2] = "%.2f %%", [3] = "%.0f", [4] = "%.0f", [5] = "%.0f",
                                             [6] = "%.0f",    [7] = "%.1f", [8] = "%.0f", [9] = "%.0f"};
  name_words(page, costs[0].x, y, query_text(query, 0), 22);
  name_words(page, costs[1].x, y, query_text(query, 1), 12);
  for (int c = 2; c < COSTS; c++) {
    char text[48];
    if (query_is_null(query, c)) continue;
    snprintf(text, sizeof text, formats[c], query_real(query, c) * (c == 2 ? 100 : 1));
    page_words(page, NUMBER, costs[c].x, y, "%s", text);
  }
  if (!query_is_null(query, 2)) fprintf(file, "0.345\t%.5f\t%.5f\t0.006\n", y, 0.03 * query_real(query, 2));
}

// The run itself stands first, however many are better.
static void cost_words(struct page *page, const struct report *report, double y)
{
  static const char sql[] =
      "SELECT run, model, val_accuracy, seconds, images_per_second, parameters, trained, model_mib, peak_memory_mib, "
      "threads FROM leaderboard WHERE run = ?1 OR run IN (SELECT other FROM run_comparison WHERE run = ?1) "
      "ORDER BY run <> ?1, val_accuracy DESC, run";
  FILE *file = page_file(page, "bars");
  struct query *query = page_query(page, sql, report->run.name, NULL);
  heads(page, costs, COSTS, y);
  for (int row = 0; page_next(page, query); row++) {
    y -= line;
    if (row == COST_ROWS) {
      page_words(page, GREY, costs[0].x, y, "and more: the query is below");
      break;
    }
    cost_row(page, query, file, y);
  }
  query_close(query);
  page_file_close(page, file);
}

enum status comparison_page(struct page *page, int number, const struct report *report)
{
  page_begin(page, number, "Beside other runs");
  page_words(page, SUBTITLE, 0.03, 0.905,
             "On the images that both judged: p is McNemar's exact test of the images that one run alone has right");
  double y = compared_words(page, report, 0.865) - line;
  page_words(page, HEAD, 0.03, y, "What it costs");
  page_words(
      page, GREY, 0.19, y,
      "Seconds are of training; what a frozen trunk's one run over the images takes is on the page on throughput.");
  cost_words(page, report, y - 1.4 * line);
  fputs("bar_colour = tint(blue, 0.6)\n", page->script);
  return page_draw(page, "bars.gp", NULL);
}
