// The page of a run on rendered images: every sign, several times.
#include "report/pages.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "report/contact.h"

enum { CELL = 96, PER_CLASS = 8, CLASSES_ACROSS = 3, LIMIT = 29 * PER_CLASS };

#define RENDERS_OF_RUN                                                                                                 \
  "FROM renders WHERE dataset = (SELECT min(dataset.name) FROM run JOIN split_dataset ON split_dataset.split = "       \
  "run.split JOIN dataset ON dataset.id = split_dataset.dataset JOIN synth ON synth.root = dataset.root "              \
  "WHERE run.name = ?1)"

enum status renders_rows(struct db *db, const char *run, bool *any, struct error *error)
{
  int64_t one = 0;
  return db_integer(db, &one, any, error, "SELECT 1 " RENDERS_OF_RUN " LIMIT 1", "t", run);
}

struct render {
  int64_t image;
  int class; // its place among the classes
  char label[64];
};

// PER_CLASS of each class, from all over its numbers.
static int find_renders(struct page *page, const char *run, struct render *renders)
{
  static const char sql[] =
      "SELECT image, label, number FROM (SELECT *, row_number() OVER class AS place, count(*) OVER (PARTITION BY "
      "label) AS images " RENDERS_OF_RUN " WINDOW class AS (PARTITION BY label ORDER BY number)) "
      "WHERE (place - 1) * 8 % images < 8 ORDER BY label, number";
  int count = 0, class = -1;
  struct query *query = page_query(page, sql, run, NULL);
  for (; count < LIMIT && page_next(page, query); count++) {
    struct render *render = &renders[count];
    render->image = query_integer(query, 0);
    snprintf(render->label, sizeof render->label, "%s", query_text(query, 1));
    if (!count || strcmp(render->label, renders[count - 1].label) != 0) class ++;
    render->class = class;
  }
  query_close(query);
  return count;
}

static void draw(struct page *page, const struct render *renders, int count)
{
  struct contact contact;
  struct decoder *decoder = NULL;
  struct image picture = {0};
  int classes = renders[count - 1].class + 1, column = 0;
  contact_begin(page, &contact, classes * PER_CLASS, CLASSES_ACROSS * PER_CLASS, CELL);
  contact.upper *= PER_CLASS; // a class's name has the room below all its images
  if (!page->status) page->status = decoder_new(&decoder, page->error);
  for (int i = 0; !page->status && i < count; i++) {
    bool first = !i || renders[i].class != renders[i - 1].class;
    column = first ? 0 : column + 1;
    if (column >= PER_CLASS) continue;
    int cell = renders[i].class * PER_CLASS + column;
    bool read = contact_read(page->db, decoder, renders[i].image, &picture);
    page->status = sheet_put(&contact.sheet, cell, read ? &picture : NULL, page->error);
    if (first) contact_caption(&contact, cell, CAPTION_LABEL, renders[i].label);
  }
  image_release(&picture);
  decoder_free(decoder);
  contact_end(page, &contact);
}

enum status renders_page(struct page *page, int number, const struct report *report)
{
  void *memory = NULL;
  page_begin(page, number, "Rendered images");
  if (!page->status)
    page->status = mem_zeroed(&memory, LIMIT, sizeof(struct render), "the report's renders", page->error);
  struct render *renders = memory;
  int count = page->status ? 0 : find_renders(page, report->run.name, renders);
  if (count) draw(page, renders, count);
  free(renders);
  if (!count) return page_say(page, "There are none.");
  page_words(page, SUBTITLE, 0.03, 0.91, "Of each class %d, from all over its frames, as stage synth drew them.",
             PER_CLASS);
  return page_draw(page, "sheet.gp", NULL);
}
