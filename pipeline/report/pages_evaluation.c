// The pages about a part's predictions: confusion matrix, figures of each class, worst pairs.
#include "report/pages.h"

#include <string.h>

#include "report/text.h"

static void name_cell(FILE *file, const char *name, size_t limit, size_t *longest)
{
  char clipped[256];
  text_clip(clipped, sizeof clipped, name, limit, 0);
  size_t length = text_characters(clipped);
  if (length > *longest) *longest = length;
  cell_text(file, clipped, '\t');
}

// The file `classes`: ordinal, name, images, recall, predicted, precision, precision's low and high, recall's low and
// high, F1; and the numbers class_count and longest_name. Returns the count.
static int classes_file(struct page *page, const struct report *report, const char *part)
{
  size_t longest = 0;
  int count = 0;
  FILE *file = page_file(page, "classes");
  struct query *query =
      page_query(page,
                 "SELECT ordinal, label, images, recall, predicted, precision, precision_low, precision_high, "
                 "recall_low, recall_high, f1 FROM class_metrics WHERE run = ?1 AND part = ?2",
                 report->run.name, part);
  for (; page_next(page, query); count++)
    for (int column = 0; column < 11; column++)
      if (column == 1)
        name_cell(file, query_text(query, column), 12, &longest);
      else
        cell_number(file, query_real_or_nan(query, column), column < 10 ? '\t' : '\n');
  query_close(query);
  page_file_close(page, file);
  page_number(page, "class_count", count);
  page_number(page, "longest_name", (double)longest);
  return count;
}

struct cells {
  int64_t images, right, most_right, most_wrong;
};

static void cells_file(struct page *page, const struct report *report, const char *part, struct cells *cells)
{
  FILE *file = page_file(page, "cells");
  struct query *query = page_query(page,
                                   "SELECT predicted_ordinal, label_ordinal, images, share, label, predicted FROM "
                                   "confusion WHERE run = ?1 AND part = ?2",
                                   report->run.name, part);
  while (page_next(page, query)) {
    for (int column = 0; column < 4; column++) cell_number(file, query_real(query, column), column < 3 ? '\t' : '\n');
    int64_t images = query_integer(query, 2);
    bool right = query_integer(query, 0) == query_integer(query, 1);
    int64_t *most = right ? &cells->most_right : &cells->most_wrong;
    if (images > *most) *most = images;
    cells->images += images;
    if (right) cells->right += images;
  }
  query_close(query);
  page_file_close(page, file);
}

// What the matrix of an outside test cannot show.
static void outside_words(struct page *page, const struct report *report, const char *part)
{
  enum { NAMES = 28 }; // characters, of up to four bytes each: all three sentences fit on the line
  if (strncmp(part, OUTSIDE_PREFIX, sizeof OUTSIDE_PREFIX - 1) != 0) return;
  struct query *query = page_query(page,
                                   "SELECT unknown_images, unknown_classes, missing_classes, same_as_training FROM "
                                   "outside_tests WHERE run = ?1 AND part = ?2",
                                   report->run.name, part);
  if (page_next(page, query)) {
    char names[4 * NAMES + 1], same[64] = "", left_out[sizeof names + 64] = "", missing[sizeof names + 48] = "";
    if (query_integer(query, 3))
      snprintf(same, sizeof same, "%lld images are training images. ", (long long)query_integer(query, 3));
    text_clip(names, sizeof names, query_text(query, 1), NAMES, 0);
    if (*names)
      snprintf(left_out, sizeof left_out, "Left out: %lld images of %s. ", (long long)query_integer(query, 0), names);
    text_clip(names, sizeof names, query_text(query, 2), NAMES, 0);
    if (*names) snprintf(missing, sizeof missing, "Classes that the dataset lacks: %s.", names);
    page_words(page, GREY, 0.03, 0.885, "%s%s%s", same, left_out, missing);
  }
  query_close(query);
}

enum status confusion_page(struct page *page, int number, const struct report *report, const char *part,
                           bool normalised)
{
  enum { RUN_CHARACTERS = 50 };
  struct cells cells = {.most_right = 1, .most_wrong = 1};
  char run[4 * RUN_CHARACTERS + 1];
  page_begin(page, number, "Confusion matrix, %s%s", part, normalised ? ", percent of each label" : "");
  cells_file(page, report, part, &cells);
  classes_file(page, report, part);
  text_clip(run, sizeof run, report->run.name, RUN_CHARACTERS, 1);
  page_words(page, SUBTITLE, 0.03, 0.91, "Run %s: %lld of %lld images right (%.2f %%). %s", run, (long long)cells.right,
             (long long)cells.images, cells.images ? 100.0 * (double)cells.right / (double)cells.images : 0,
             normalised ? "Each row adds up to 100." : "Blue: right; orange: mistaken.");
  outside_words(page, report, part);
  page_number(page, "most_right", (double)cells.most_right);
  page_number(page, "most_wrong", (double)cells.most_wrong);
  page_number(page, "normalised", normalised);
  return page_draw(page, "confusion.gp", NULL);
}

enum status classes_page(struct page *page, int number, const struct report *report, const char *part)
{
  page_begin(page, number, "Precision, recall and F1 of each class, %s", part);
  page_words(page, SUBTITLE, 0.03, 0.91, "Whiskers: 95 %% Wilson intervals");
  classes_file(page, report, part);
  return page_draw(page, "classes.gp", NULL);
}

enum status pairs_page(struct page *page, int number, const struct report *report, const char *part)
{
  static const char sql[] =
      "SELECT label, predicted, images, share FROM worst_pairs WHERE run = ?1 AND part = ?2 LIMIT 25";
  page_begin(page, number, "Most confused pairs, %s", part);
  FILE *file = page_file(page, "bars");
  struct query *query = page_query(page, sql, report->run.name, part);
  double y = 0.865, most = 0;
  int rows = 0;
  for (; page_next(page, query); rows++) {
    char label[128], predicted[128];
    double images = query_real(query, 2);
    if (!rows) most = images;
    y -= 0.0295;
    text_clip(label, sizeof label, query_text(query, 0), 24, 0);
    text_clip(predicted, sizeof predicted, query_text(query, 1), 24, 0);
    page_words(page, NUMBER, 0.16, y, "%s", label);
    page_words(page, GREY, 0.17, y, "→");
    page_words(page, BODY, 0.195, y, "%s", predicted);
    page_words(page, NUMBER, 0.38, y, "%.0f", images);
    page_words(page, NUMBER, 0.46, y, "%.1f %%", 100 * query_real(query, 3));
    fprintf(file, "0.48\t%.5f\t%.5f\t0.009\n", y, images / most * 0.49);
  }
  query_close(query);
  page_file_close(page, file);
  if (!rows) return page_say(page, "No image of this part is taken for another class.");
  page_words(page, SUBTITLE, 0.03, 0.91, "The %d pairs with the most images", rows);
  page_words(page, GREY_NUMBER, 0.16, 0.865, "label");
  page_words(page, GREY, 0.195, 0.865, "taken for");
  page_words(page, GREY_NUMBER, 0.38, 0.865, "images");
  page_words(page, GREY_NUMBER, 0.46, 0.865, "of the label");
  fputs("bar_colour = tint(orange, 0.7)\n", page->script);
  return page_draw(page, "bars.gp", NULL);
}
