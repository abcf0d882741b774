// A page's contact sheet in the making: thumbnails of source images with captions, as the data files of sheet.gp.
//
//   contact_begin -> sheet_put(&contact.sheet, ...), contact_caption ... -> contact_end
#ifndef REPORT_CONTACT_H
#define REPORT_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#include "image/codec.h"
#include "report/page.h"
#include "report/sheet.h"

// Kinds of a caption's lines; sheet.gp's.
enum caption { CAPTION_MISTAKE, CAPTION_DETAIL, CAPTION_LABEL };

struct contact {
  struct sheet sheet;
  FILE *captions;
  size_t upper, lower; // characters that fit under a thumbnail
};

// `columns` of the grid, 0: as many as make the thumbnails largest; `cell` is a thumbnail's side in pixels.
void contact_begin(struct page *page, struct contact *contact, int count, int columns, int cell);
void contact_caption(struct contact *contact, int index, enum caption kind, const char *text);
void contact_end(struct page *page, struct contact *contact);

// Says below the sheet that so many of its images are grey; nothing of none.
void contact_unread(struct page *page, int count);

// Reads a source image as the dataset has it. Anything that goes wrong is the picture's, not the report's.
bool contact_read(struct db *db, struct decoder *decoder, int64_t image, struct image *picture);

#endif
