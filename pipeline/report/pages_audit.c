// The pages about the data itself: images to look at, and labels that a network doubts.
#include "report/pages.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "report/contact.h"
#include "report/text.h"

enum { CELL = 128, SUMMARY_LIMIT = 400 };

struct sample {
  int64_t image;
  char upper[192], lower[512];
};

struct samples {
  struct sample *list;
  int count, limit;
};

static enum status samples_init(struct samples *samples, const struct report *report, struct error *error)
{
  void *memory = NULL;
  enum status status =
      mem_zeroed(&memory, (size_t)report->samples, sizeof *samples->list, "the report's samples", error);
  *samples = (struct samples){.list = memory, .limit = status ? 0 : report->samples};
  return status;
}

static struct sample *next_sample(struct samples *samples, int64_t image)
{
  struct sample *sample = &samples->list[samples->count++];
  sample->image = image;
  return sample;
}

// Draws them; returns how many source images could not be read.
static int draw(struct page *page, const struct samples *samples, enum caption kind)
{
  struct contact contact;
  struct decoder *decoder = NULL;
  struct image picture = {0};
  int unread = 0;
  contact_begin(page, &contact, samples->count, 0, CELL);
  if (!page->status) page->status = decoder_new(&decoder, page->error);
  for (int i = 0; !page->status && i < samples->count; i++) {
    bool read = contact_read(page->db, decoder, samples->list[i].image, &picture);
    unread += !read;
    page->status = sheet_put(&contact.sheet, i, read ? &picture : NULL, page->error);
    contact_caption(&contact, i, kind, samples->list[i].upper);
    contact_caption(&contact, i, CAPTION_DETAIL, samples->list[i].lower);
  }
  image_release(&picture);
  decoder_free(decoder);
  contact_end(page, &contact);
  return unread;
}

static enum status finish(struct page *page, const struct samples *samples, enum caption kind, const char *what)
{
  contact_unread(page, draw(page, samples, kind));
  page_words(page, GREY, 0.03, 0.91, "%s", what);
  return page_draw(page, "sheet.gp", NULL);
}

// --- images to look at -----------------------------------------------------------------------------------------------

// "dark 3, blurred 35": how many images there are of each concern.
static void count_concerns(struct page *page, const struct report *report, char *out, size_t size)
{
  size_t used = 0;
  struct query *query = page_query(page,
                                   "SELECT concern, count(*) FROM audit JOIN run_datasets ON instr(' + ' || datasets "
                                   "|| ' + ', ' + ' || dataset || ' + ') WHERE run = ?1 GROUP BY concern ORDER BY 2",
                                   report->run.name, NULL);
  out[0] = '\0';
  while (page_next(page, query) && used < size)
    used += (size_t)snprintf(out + used, size - used, "%s%s: %lld", used ? ", " : "", query_text(query, 0),
                             (long long)query_integer(query, 1));
  query_close(query);
}

// The worst of each concern first, then the next ones; beside an image the one that it is like.
static void find_concerns(struct page *page, const struct report *report, struct samples *samples)
{
  char sql[512];
  snprintf(sql, sizeof sql,
           "SELECT image, other, label, concern, detail, path, other_label FROM audit JOIN run_datasets ON instr(' + ' "
           "|| datasets || "
           "' + ', ' + ' || dataset || ' + ') WHERE run = ?1 ORDER BY place, concern LIMIT %d",
           report->samples);
  struct query *query = page_query(page, sql, report->run.name, NULL);
  while (page_next(page, query)) {
    bool pair = !query_is_null(query, 1);
    if (samples->count + 1 + pair > samples->limit) break;
    struct sample *sample = next_sample(samples, query_integer(query, 0));
    if (pair)
      snprintf(sample->upper, sizeof sample->upper, "%.60s ~ %.60s", query_text(query, 2), query_text(query, 6));
    else
      snprintf(sample->upper, sizeof sample->upper, "%.60s · %s", query_text(query, 2), query_text(query, 3));
    snprintf(sample->lower, sizeof sample->lower, "%s  %s", query_text(query, 4), query_text(query, 5));
    if (!pair) continue;
    sample = next_sample(samples, query_integer(query, 1));
    snprintf(sample->upper, sizeof sample->upper, "%.60s", query_text(query, 6));
    snprintf(sample->lower, sizeof sample->lower, "what it is like");
  }
  query_close(query);
}

enum status audit_page(struct page *page, int number, const struct report *report)
{
  struct samples samples = {.list = NULL};
  char counts[SUMMARY_LIMIT];
  page_begin(page, number, "Data audit");
  if (!page->status) page->status = samples_init(&samples, report, page->error);
  count_concerns(page, report, counts, sizeof counts);
  if (!page->status) find_concerns(page, report, &samples);
  enum status status =
      !samples.count
          ? page_say(page, counts[0] ? "Images to look at: %s." : "Nothing strikes about the images.%s", counts)
          : finish(page, &samples, CAPTION_LABEL, counts);
  free(samples.list);
  return status;
}

// --- labels in doubt -------------------------------------------------------------------------------------------------

static void find_doubts(struct page *page, const struct report *report, struct samples *samples)
{
  char sql[256];
  snprintf(sql, sizeof sql,
           "SELECT image, label, suggested, confidence, label_confidence, part, path FROM label_issues WHERE run = ?1 "
           "LIMIT %d",
           report->samples);
  struct query *query = page_query(page, sql, report->run.name, NULL);
  while (samples->count < samples->limit && page_next(page, query)) {
    struct sample *sample = next_sample(samples, query_integer(query, 0));
    snprintf(sample->upper, sizeof sample->upper, "%.60s → %.60s", query_text(query, 1), query_text(query, 2));
    snprintf(sample->lower, sizeof sample->lower, "%.0f : %.0f %%, %s  %s", 100 * query_real(query, 3),
             100 * query_real(query, 4), query_text(query, 5), query_text(query, 6));
  }
  query_close(query);
}

static int64_t count_doubts(struct page *page, const struct report *report)
{
  int64_t count = 0;
  struct query *query = page_query(page, "SELECT count(*) FROM label_issues WHERE run = ?1", report->run.name, NULL);
  if (page_next(page, query)) count = query_integer(query, 0);
  query_close(query);
  return count;
}

enum status doubts_page(struct page *page, int number, const struct report *report)
{
  struct samples samples = {.list = NULL};
  char what[SUMMARY_LIMIT];
  page_begin(page, number, "Labels in doubt (confident learning)");
  if (!page->status) page->status = samples_init(&samples, report, page->error);
  int64_t count = count_doubts(page, report);
  if (!page->status) find_doubts(page, report, &samples);
  snprintf(what, sizeof what,
           "%lld images of val and test that the network takes for another class, as surely as that class's own on "
           "average; percent: of that class : of the label",
           (long long)count);
  enum status status = !samples.count ? page_say(page, "%s", what) : finish(page, &samples, CAPTION_MISTAKE, what);
  free(samples.list);
  return status;
}
