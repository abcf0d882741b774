// The pages about the run itself: summary, curves, throughput.
#include "report/pages.h"

#include <math.h>
#include <string.h>

#include "config/config.h"
#include "config/keys_table.h"
#include "report/text.h"

static const double line = 0.026;

// --- summary ---------------------------------------------------------------------------------------------------------

static double summary_items(struct page *page, const struct report *report, double y)
{
  struct query *query =
      page_query(page, "SELECT item, value FROM run_summary WHERE run = ?1 ORDER BY place", report->run.name, NULL);
  while (page_next(page, query)) {
    const char *value = query_text(query, 1);
    bool is_digest = strlen(value) == DIGEST_TEXT - 1 && !strchr(value, ' ');
    page_words(page, GREY, 0.03, y, "%s", query_text(query, 0));
    for (bool first = true; first || *value; first = false, y -= line) {
      size_t length = text_line(value, 78);
      page_words(page, is_digest ? MONO : BODY, 0.13, y, "%.*s", (int)length, value);
      value += length;
      while (*value == ' ') value++;
    }
  }
  query_close(query);
  return y;
}

// The metrics of up to two parts beside each other: a row for each name, a column for each part.
enum { METRICS_LIMIT = 24, METRIC_PARTS = 2 };

struct metrics {
  char parts[METRIC_PARTS][32], names[METRICS_LIMIT][48];
  int part_count, name_count;
};

// The index of `text` among `count` texts of `size` bytes, added if there is room; -1 if there is none.
static int place_of(char *texts, size_t size, int *count, int limit, const char *text)
{
  for (int i = 0; i < *count; i++)
    if (!strcmp(texts + (size_t)i * size, text)) return i;
  if (*count == limit) return -1;
  snprintf(texts + (size_t)*count * size, size, "%s", text);
  return (*count)++;
}

// "macro_f1" as a person writes it.
static void metric_words(char *out, size_t size, const char *name)
{
  static const struct {
    const char *name, *words;
  } known[] = {{"ece", "calibration error (ECE)"}, {"macro_f1", "macro F1"}, {"weighted_f1", "weighted F1"}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(known[i].name, name)) name = known[i].words;
  snprintf(out, size, "%s", name);
  for (char *at = out; *at; at++)
    if (*at == '_') *at = ' ';
}

static void summary_metrics(struct page *page, const struct report *report, double top)
{
  struct metrics seen = {.part_count = 0};
  struct query *query = page_query(page,
                                   "SELECT part, name, value, low, high, images FROM run_metrics WHERE run = ?1 "
                                   "ORDER BY part = 'val' DESC, part, name",
                                   report->run.name, NULL);
  while (page_next(page, query)) {
    int parts = seen.part_count, names = seen.name_count;
    int part = place_of(*seen.parts, sizeof *seen.parts, &seen.part_count, METRIC_PARTS, query_text(query, 0));
    int name = place_of(*seen.names, sizeof *seen.names, &seen.name_count, METRICS_LIMIT, query_text(query, 1));
    if (part < 0 || name < 0) continue;
    double x = 0.80 + 0.12 * part, y = top - line * (name + 2);
    if (seen.part_count > parts) {
      page_words(page, HEAD_NUMBER, x, top, "%s", query_text(query, 0));
      page_words(page, GREY_NUMBER, x, top - line, "%lld images", (long long)query_integer(query, 5));
    }
    if (seen.name_count > names) {
      char words[48];
      metric_words(words, sizeof words, query_text(query, 1));
      page_words(page, GREY, 0.62, y, "%s", words);
    }
    page_words(page, NUMBER, x, y, "%.4f", query_real(query, 2));
  }
  query_close(query);
  if (!seen.name_count) page_words(page, GREY, 0.62, top, "Not evaluated yet.");
}

// A row for each part, where there are outside tests to be seen beside the run's own parts; false where there are none.
static bool summary_parts(struct page *page, const struct report *report, double top)
{
  enum { ROWS = 12 };
  static const struct {
    const char *head;
    double x;
  } heads[] = {{"images", 0.772}, {"accuracy", 0.832}, {"interval", 0.905}, {"top-3", 0.948}, {"F1", 0.988}};
  int64_t tests = 0;
  if (page->status) return false;
  page->status = db_integer(page->db, &tests, NULL, page->error, "SELECT count(*) FROM outside_test WHERE run = ?", "i",
                            report->run.id);
  if (!tests) return false;
  struct query *query =
      page_query(page, "SELECT part, images, accuracy, low, high, top3, macro_f1 FROM part_metrics WHERE run = ?1",
                 report->run.name, NULL);
  page_words(page, HEAD, 0.62, top, "Parts and outside tests, with 95 %% intervals");
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
    page_words(page, GREY_NUMBER, heads[i].x, top - line, "%s", heads[i].head);
  for (int row = 0; page_next(page, query); row++) {
    double y = top - line * (row + 2);
    char part[128];
    if (row >= ROWS) {
      page_words(page, GREY, 0.62, y, "and more: the query is below");
      break;
    }
    text_clip(part, sizeof part, query_text(query, 0), 19, 1);
    page_words(page, BODY, 0.62, y, "%s", part);
    page_words(page, NUMBER, heads[0].x, y, "%lld", (long long)query_integer(query, 1));
    page_words(page, NUMBER, heads[1].x, y, "%.1f %%", 100 * query_real(query, 2));
    page_words(page, GREY_NUMBER, heads[2].x, y, "%.1f – %.1f", 100 * query_real(query, 3), 100 * query_real(query, 4));
    page_words(page, NUMBER, heads[3].x, y, "%.3f", query_real(query, 5));
    page_words(page, NUMBER, heads[4].x, y, "%.3f", query_real(query, 6));
  }
  query_close(query);
  return true;
}

// Accuracies in large figures, side by side.
static void summary_figures(struct page *page, const struct report *report, double y)
{
  struct query *query = page_query(
      page,
      "SELECT val_accuracy, val_low, val_high, test_accuracy, test_low, test_high FROM leaderboard WHERE run = ?1",
      report->run.name, NULL);
  if (page_next(page, query)) {
    double x = 0.62;
    for (int i = 0; i < 2; i++) {
      if (query_is_null(query, 3 * i)) continue;
      page_words(page, FIGURE, x, y, "%.1f %%", 100 * query_real(query, 3 * i));
      page_words(page, GREY, x, y - 0.05, i ? "test accuracy" : "validation accuracy");
      if (!query_is_null(query, 3 * i + 1))
        page_words(page, GREY, x, y - 0.05 - line, "95 %% interval %.1f – %.1f %%", 100 * query_real(query, 3 * i + 1),
                   100 * query_real(query, 3 * i + 2));
      x += 0.18;
    }
  }
  query_close(query);
}

// The accuracies of other ways to share out the same images, where there are such runs.
static void summary_comparison(struct page *page, const struct report *report, double y)
{
  enum { LIMIT = 2 };
  struct query *query = page_query(page,
                                   "SELECT method, accuracy, low, high, share, other, (SELECT count(*) FROM "
                                   "split_comparison WHERE run = ?1) FROM split_comparison WHERE run = ?1",
                                   report->run.name, NULL);
  double x = 0.62;
  for (int i = 0; i < LIMIT && page_next(page, query) && query_integer(query, 6) > 1; i++, x += 0.18) {
    char name[64];
    if (!i) page_words(page, HEAD, x, y, "Validation accuracy by split");
    text_clip(name, sizeof name, query_text(query, 5), 18, 1);
    page_words(page, FIGURE, x, y - 0.05, "%.1f %%", 100 * query_real(query, 1));
    page_words(page, BODY, x, y - 0.095, "%s", query_text(query, 0));
    page_words(page, GREY, x, y - 0.095 - line, "95 %% interval %.1f – %.1f %%", 100 * query_real(query, 2),
               100 * query_real(query, 3));
    page_words(page, GREY, x, y - 0.095 - 2 * line, "leakage %.1f %%", 100 * query_real(query, 4));
    page_words(page, GREY, x, y - 0.095 - 3 * line, "run %s", name);
  }
  query_close(query);
}

// A section's settings that differ, beside its name, in lines from `y` down. Returns the next line's y.
static double settings_section(struct page *page, const char *name, const char *text, double y)
{
  enum { CHARACTERS = 84 };
  static const double lowest = 0.1; // the queries are below
  if (!*text || y < lowest) return y;
  page_words(page, GREY, 0.03, y, "%s", name);
  for (; *text && y - line >= lowest; y -= line) {
    size_t length = text_line(text, CHARACTERS);
    page_words(page, BODY, 0.1, y, "%.*s", (int)length, text);
    text += length;
    while (*text == ' ') text++;
  }
  if (!*text) return y;
  page_words(page, GREY, 0.1, y, "and more: view run_settings");
  return y - line;
}

static void summary_settings(struct page *page, const struct config *config, double y)
{
  enum { VALUE_CHARACTERS = 36 };
  struct config *defaults = NULL;
  char section[32] = "", text[4096] = "";
  size_t used = 0;
  page_words(page, HEAD, 0.03, y, "Settings other than the defaults");
  y -= line;
  if (!config || config_load(&defaults, NULL, NULL, 0, NULL) != OK) {
    page_words(page, GREY, 0.03, y, "The run's configuration is of another version of this program.");
    return;
  }
  for (size_t i = 0; i < config_key_count; i++) {
    const char *key = config_keys[i].name, *dot = strchr(key, '.');
    char ours[512], fallback[512], clipped[160];
    int length = (int)(dot ? (size_t)(dot - key) : strlen(key));
    config_value_text(config, key, ours, sizeof ours);
    config_value_text(defaults, key, fallback, sizeof fallback);
    if (strcmp(ours, fallback) == 0 || strcmp(key, "name") == 0) continue;
    if (strncmp(section, key, (size_t)length) != 0 || section[length]) {
      y = settings_section(page, section, text, y);
      snprintf(section, sizeof section, "%.*s", length, key);
      used = 0;
    }
    text_clip(clipped, sizeof clipped, ours, VALUE_CHARACTERS, 1);
    int more = snprintf(text + used, sizeof text - used, "%s%s%s%s", used ? ",  " : "", dot ? dot + 1 : "",
                        dot ? " " : "", clipped);
    used += (size_t)more < sizeof text - used ? (size_t)more : 0; // what does not fit is left out whole
    text[used] = '\0';
  }
  settings_section(page, section, text, y);
  if (!*section) page_words(page, GREY, 0.03, y, "None.");
  config_free(defaults);
}

enum status summary_page(struct page *page, int number, const struct report *report, const struct config *config)
{
  page_begin(page, number, "Run %s", report->run.name);
  double y = summary_items(page, report, 0.88);
  summary_figures(page, report, 0.87);
  if (!summary_parts(page, report, 0.74)) summary_metrics(page, report, 0.74);
  summary_comparison(page, report, 0.33);
  summary_settings(page, config, y - line);
  return page_draw(page, NULL, NULL);
}

// --- curves ----------------------------------------------------------------------------------------------------------

struct curve {
  int epochs, best;
  double first_lr, best_loss, best_accuracy;
  bool constant_lr, validated;
};

static void curve_add(struct curve *curve, struct query *query)
{
  double lr = query_real(query, 5);
  if (!curve->epochs++) curve->first_lr = lr;
  if (lr != curve->first_lr) curve->constant_lr = false;
  if (!query_is_null(query, 3)) curve->validated = true;
  if (!query_integer(query, 6)) return;
  curve->best = (int)query_integer(query, 0);
  curve->best_loss = query_real_or_nan(query, 3);
  curve->best_accuracy = query_real_or_nan(query, 4);
}

enum status curves_page(struct page *page, int number, const struct report *report)
{
  struct curve curve = {.constant_lr = true};
  page_begin(page, number, "Learning curves");
  FILE *file = page_file(page, "curve");
  struct query *query = page_query(
      page,
      "SELECT epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr, best FROM learning_curve WHERE run = ?1",
      report->run.name, NULL);
  while (page_next(page, query)) {
    for (int column = 0; column < 7; column++)
      cell_number(file, query_real_or_nan(query, column), column < 6 ? '\t' : '\n');
    curve_add(&curve, query);
  }
  query_close(query);
  page_file_close(page, file);
  if (!curve.epochs) return page_say(page, "No epoch of run %s is finished yet.", report->run.name);
  if (curve.best && curve.validated)
    page_words(page, SUBTITLE, 0.03, 0.905, "Best epoch %d of %d: validation accuracy %.4f, loss %.4f", curve.best,
               curve.epochs, curve.best_accuracy, curve.best_loss);
  page_number(page, "best", curve.best);
  page_number(page, "epochs", curve.epochs);
  page_number(page, "constant_lr", curve.constant_lr);
  page_number(page, "validated", curve.validated);
  return page_draw(page, "curves.gp", NULL);
}

// --- throughput ------------------------------------------------------------------------------------------------------

// Right ends of the columns of numbers; left ends of those of words.
static const struct {
  const char *head;
  bool number;
  double x;
} columns[] = {{"stage", false, 0.03},  {"subject", false, 0.11},      {"images", true, 0.33},
               {"seconds", true, 0.41}, {"images/s", true, 0.50},      {"MiB", true, 0.72},
               {"threads", true, 0.79}, {"started (UTC)", false, 0.82}};
enum { COLUMNS = sizeof columns / sizeof *columns };

// The subject of the stages that come before training.
static void datasets_names(struct page *page, const struct report *report, char *out, size_t size)
{
  struct query *query = NULL;
  out[0] = '\0';
  if (page->status) return;
  page->status = query_open(&query, page->db, "SELECT datasets FROM run_datasets WHERE run = ?", page->error);
  if (!page->status) page->status = query_bind(query, page->error, "t", report->run.name);
  if (page_next(page, query)) snprintf(out, size, "%s", query_text(query, 0));
  query_close(query);
}

static void throughput_row(struct page *page, struct query *query, double y)
{
  char text[160];
  for (int c = 0; c < COLUMNS; c++) {
    if (c == 3 || c == 4 || c == 5)
      snprintf(text, sizeof text, c == 3 ? "%.2f" : "%.0f", query_real(query, c));
    else
      text_clip(text, sizeof text, query_text(query, c), 20, 1);
    page_words(page, columns[c].number ? NUMBER : BODY, columns[c].x, y, "%s", text);
  }
}

enum status throughput_page(struct page *page, int number, const struct report *report)
{
  static const char sql[] =
      "SELECT stage, subject, images, seconds, images_per_second, peak_memory_mib, threads, started_at FROM throughput "
      "WHERE subject IN (?1, ?2) LIMIT 24";
  char datasets[1024];
  page_begin(page, number, "Throughput and memory");
  page_words(
      page, SUBTITLE, 0.03, 0.905,
      "Executions that worked on images, the newest first; bars are images per second, on a scale of logarithms");
  for (int c = 0; c < COLUMNS; c++)
    page_words(page, columns[c].number ? GREY_NUMBER : GREY, columns[c].x, 0.865, "%s", columns[c].head);
  datasets_names(page, report, datasets, sizeof datasets);
  FILE *file = page_file(page, "bars");
  struct query *query = page_query(page, sql, report->run.name, datasets);
  double y = 0.865;
  int rows = 0;
  for (; page_next(page, query); rows++) {
    y -= 0.0305;
    throughput_row(page, query, y);
    double rate = query_real(query, 4), length = rate > 1 ? log10(rate) / 5 * 0.15 : 0;
    fprintf(file, "0.51\t%.5f\t%.5f\t0.006\n", y, length < 0.15 ? length : 0.15);
  }
  query_close(query);
  page_file_close(page, file);
  if (!rows) return page_say(page, "No stage has logged work on this run or its dataset.");
  fputs("bar_colour = tint(sky, 0.6)\n", page->script);
  return page_draw(page, "bars.gp", NULL);
}
