// The pages with pictures: the surest mistakes, and what training saw.
#include "report/pages.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "core/mem.h"
#include "data/loader.h"
#include "image/codec.h"
#include "keys/settings.h"
#include "report/contact.h"
#include "report/text.h"

enum { CELL = 128 };

// --- mistakes --------------------------------------------------------------------------------------------------------

struct mistake {
  int64_t image;
  double confidence;
  char label[128], predicted[128], path[512];
};

// The surest mistake of each label first, then each label's next one.
static int find_mistakes(struct page *page, const struct report *report, const char *part, struct mistake *mistakes)
{
  char sql[512];
  snprintf(
      sql, sizeof sql,
      "SELECT image, label, predicted, confidence, path FROM (SELECT *, row_number() OVER (PARTITION BY label ORDER BY "
      "confidence DESC, image) AS place FROM misclassified WHERE run = ?1 AND part = ?2) ORDER BY place, confidence "
      "DESC, image "
      "LIMIT %d",
      report->samples);
  int count = 0;
  struct query *query = page_query(page, sql, report->run.name, part);
  for (; count < report->samples && page_next(page, query); count++) {
    mistakes[count].image = query_integer(query, 0);
    mistakes[count].confidence = query_real(query, 3);
    snprintf(mistakes[count].label, sizeof mistakes->label, "%s", query_text(query, 1));
    snprintf(mistakes[count].predicted, sizeof mistakes->predicted, "%s", query_text(query, 2));
    snprintf(mistakes[count].path, sizeof mistakes->path, "%s", query_text(query, 4));
  }
  query_close(query);
  return count;
}

static void mistake_captions(struct contact *contact, int index, const struct mistake *mistake)
{
  char label[256], predicted[256], text[640];
  // The two names share the line: what one does not need, the other gets.
  size_t room = contact->upper > 11 ? contact->upper - 3 : 8;
  size_t half = room / 2, needed = text_characters(mistake->predicted);
  text_clip(label, sizeof label, mistake->label, needed < half ? room - needed : half, 0);
  needed = text_characters(label);
  text_clip(predicted, sizeof predicted, mistake->predicted, needed < half ? room - needed : half, 0);
  snprintf(text, sizeof text, "%s → %s", label, predicted);
  contact_caption(contact, index, CAPTION_MISTAKE, text);
  snprintf(text, sizeof text, "%.0f %%  %s", 100 * mistake->confidence, mistake->path);
  contact_caption(contact, index, CAPTION_DETAIL, text);
}

static int draw_mistakes(struct page *page, const struct report *report, const struct mistake *mistakes, int count)
{
  struct contact contact;
  struct decoder *decoder = NULL;
  struct image picture = {0};
  int unread = 0;
  contact_begin(page, &contact, count, 0, CELL);
  if (!page->status) page->status = decoder_new(&decoder, page->error);
  for (int i = 0; !page->status && i < count; i++) {
    bool read = contact_read(report->db, decoder, mistakes[i].image, &picture);
    unread += !read;
    page->status = sheet_put(&contact.sheet, i, read ? &picture : NULL, page->error);
    mistake_captions(&contact, i, &mistakes[i]);
  }
  image_release(&picture);
  decoder_free(decoder);
  contact_end(page, &contact);
  return unread;
}

enum status mistakes_page(struct page *page, int number, const struct report *report, const char *part)
{
  void *memory = NULL;
  page_begin(page, number, "Wrong images, %s", part);
  if (!page->status)
    page->status =
        mem_zeroed(&memory, (size_t)report->samples, sizeof(struct mistake), "the report's mistakes", page->error);
  struct mistake *mistakes = memory;
  int count = page->status ? 0 : find_mistakes(page, report, part, mistakes);
  if (!count) return free(mistakes), page_say(page, "No image of this part is misclassified.");
  int unread = draw_mistakes(page, report, mistakes, count);
  free(mistakes);
  page_words(page, SUBTITLE, 0.03, 0.91,
             "Label → prediction and its confidence, the surest mistake of each label first.");
  contact_unread(page, unread);
  return page_draw(page, "sheet.gp", NULL);
}

// Images that are others in each epoch come in rows of ten epochs: five rows fill a page in ten columns.
enum { ROW_EPOCHS = 10, ROWS_OF_EPOCHS = 5 };

// --- training images -------------------------------------------------------------------------------------------------

// The name of an image's class and its path, for a caption; the query is kept open over the images.
static void describe(struct page *page, struct query *query, int64_t image, char *label, char *path, size_t size)
{
  label[0] = path[0] = '\0';
  if (!page->status) page->status = query_bind(query, page->error, "i", image);
  if (!page_next(page, query)) return;
  snprintf(label, size, "%s", query_text(query, 0));
  snprintf(path, size, "%s", query_text(query, 1));
}

// `count` images, each as the first `epochs` epochs saw it.
static void draw_training(struct page *page, struct loader *loader, int count, int epochs)
{
  static const char sql[] = "SELECT class.name, image.shown FROM image JOIN class ON class.dataset = image.dataset "
                            "AND class.ordinal = image.label WHERE image.id = ?";
  struct contact contact;
  struct query *query = NULL;
  struct image pixels = {0};
  int side = loader_size(loader);
  contact_begin(page, &contact, count * epochs, 0, side < CELL ? side : CELL);
  if (!page->status) page->status = image_init(&pixels, side, side, page->error);
  if (!page->status) page->status = query_open(&query, page->db, sql, page->error);
  for (int i = 0; !page->status && i < count * epochs; i++) {
    char label[512], path[512];
    size_t index = (size_t)(i / epochs) * loader_images(loader) / (size_t)count;
    loader_fetch(loader, (uint64_t)(1 + i % epochs), index, pixels.pixels);
    page->status = sheet_put(&contact.sheet, i, &pixels, page->error);
    describe(page, query, loader_image_id(loader, index), label, path, sizeof label);
    contact_caption(&contact, i, CAPTION_LABEL, label);
    contact_caption(&contact, i, CAPTION_DETAIL, path);
  }
  query_close(query);
  image_release(&pixels);
  contact_end(page, &contact);
}

static const char *how(const struct config *config)
{
  const char *mode = config ? config_text(config, "augment.mode") : "";
  if (!strcmp(mode, "online")) return "augmented on the fly, drawn again by the code that training uses";
  if (!strcmp(mode, "copies")) return "augmented copies, from the files that training read";
  return "not augmented: the resized images themselves";
}

// The set, in the footer: what a person asks to see all of it.
static void show_query(struct page *page, const struct report *report)
{
  struct query *query =
      page_query(page, "SELECT path, label, variant, parameters FROM training_images WHERE run = ?1 LIMIT 24",
                 report->run.name, NULL);
  query_close(query);
}

enum status training_page(struct page *page, int number, const struct report *report, const struct config *config)
{
  struct augment_recipe recipe = {0};
  struct loader *loader = NULL;
  struct error why = {.text = ""};
  bool online = config && !strcmp(config_text(config, "augment.mode"), "online");
  if (online) recipe = settings_augment(config);
  page_begin(page, number, "Training images");
  if (page->status) return page_draw(page, NULL, NULL);
  show_query(page, report);
  int64_t *sets = NULL;
  size_t set_count = 0;
  page->status = run_tensor_sets(report->db, report->run.id, &sets, &set_count, page->error);
  bool varies = config && (online || config_real(config, "train.mixup") > 0);
  const struct loader_options options = {.tensor_sets = sets,
                                         .tensor_set_count = set_count,
                                         .split = report->run.split,
                                         .part = "train",
                                         .augment = online ? &recipe : NULL,
                                         .seed = (uint64_t)report->run.seed,
                                         .mixup = config ? (float)config_real(config, "train.mixup") : 0};
  enum status opened = loader_open(&loader, report->db, report->folder, &options, &why);
  free(sets);
  if (opened) return page_say(page, "They cannot be drawn: %s", why.text);
  size_t images = loader_images(loader);
  int epochs = varies ? ROW_EPOCHS : 1, limit = varies ? ROWS_OF_EPOCHS : report->samples;
  int count = images < (size_t)limit ? (int)images : limit;
  if (count) draw_training(page, loader, count, epochs);
  int side = loader_size(loader);
  loader_close(loader);
  if (!count) return page_say(page, "The training part has no images.");
  page_words(page, SUBTITLE, 0.03, 0.91, "%d of %zu as epoch%s saw them, %d x %d, %s%s", count, images,
             varies ? "s 1 to 10" : " 1", side, side, how(config),
             options.mixup > 0 ? "; each mixed with another" : "");
  return page_draw(page, "sheet.gp", NULL);
}
