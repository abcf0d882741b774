#include "report/contact.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/files.h"
#include "report/text.h"

void contact_begin(struct page *page, struct contact *contact, int count, int columns, int cell)
{
  memset(contact, 0, sizeof *contact);
  contact->captions = page_file(page, "captions");
  if (page->status) return;
  page->status = sheet_init(&contact->sheet, count, columns, cell, page->error);
  // The width of a cell on paper in points; a character of the upper line is about 5.1 wide, of the lower one 2.9.
  // Of the cell, a text of average characters takes this share: one of wide ones ends before the next.
  const double share = 0.77;
  double points = 790.0 / contact->sheet.columns;
  double tall = 476.0 / contact->sheet.rows * contact->sheet.step_x / contact->sheet.step_y;
  if (tall < points) points = tall;
  contact->upper = (size_t)(share * points / 5.1);
  contact->lower = (size_t)(share * points / 2.9);
}

void contact_caption(struct contact *contact, int index, enum caption kind, const char *text)
{
  int x, y;
  char clipped[512];
  bool detail = kind == CAPTION_DETAIL;
  sheet_place(&contact->sheet, index, &x, &y);
  text_clip(clipped, sizeof clipped, text, detail ? contact->lower : contact->upper, detail);
  fprintf(contact->captions, "%d\t%d\t%.2f\t", (int)kind, x, y + contact->sheet.cell * (detail ? 1.24 : 1.1));
  cell_text(contact->captions, clipped, '\n');
}

void contact_end(struct page *page, struct contact *contact)
{
  page_file_close(page, contact->captions);
  FILE *file = page_file(page, "sheet");
  if (file) {
    const struct image *image = &contact->sheet.image;
    // Closing tells whether it was written.
    (void)fwrite(image->pixels, IMAGE_CHANNELS, (size_t)image->width * (size_t)image->height, file);
    page_number(page, "sheet_width", image->width);
    page_number(page, "sheet_height", image->height);
  }
  page_file_close(page, file);
  sheet_release(&contact->sheet);
}

void contact_unread(struct page *page, int count)
{
  if (count) page_words(page, GREY, 0.03, 0.07, "%d source images could not be read: grey.", count);
}

bool contact_read(struct db *db, struct decoder *decoder, int64_t image, struct image *picture)
{
  struct query *query = NULL;
  uint8_t *bytes = NULL;
  uint64_t size = 0;
  int root = -1, file = -1;
  enum image_format format;
  enum status status = query_open(&query, db,
                                  "SELECT CAST(root AS TEXT), CAST(path AS TEXT) FROM image JOIN dataset ON dataset.id "
                                  "= image.dataset WHERE image.id = ?",
                                  NULL);
  if (!status) status = query_bind(query, NULL, "i", image);
  if (!status && query_next(query, &status, NULL)) {
    root = open(query_text(query, 0), O_PATH | O_DIRECTORY | O_CLOEXEC);
    status = root < 0 ? FAILED : file_open_beneath(&file, &size, root, query_text(query, 1), NULL);
  }
  bool read = !status && file >= 0 && size > 0 && size <= DECODE_FILE_LIMIT && (bytes = malloc(size)) != NULL &&
              file_read_exactly(file, bytes, size, "", NULL) == OK &&
              decode(decoder, bytes, size, picture, &format, NULL) == OK;
  query_close(query);
  free(bytes);
  if (file >= 0) close(file);
  if (root >= 0) close(root);
  return read;
}
