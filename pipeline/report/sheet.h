// A contact sheet: thumbnails in a grid, as one RGB image that gnuplot draws, with room for captions under each.
#ifndef REPORT_SHEET_H
#define REPORT_SHEET_H

#include <stddef.h>

#include "core/status.h"
#include "image/image.h"

struct sheet {
  int cell;           // side of a thumbnail in pixels
  int columns, rows;  // of the grid
  int step_x, step_y; // from one thumbnail's corner to the next one's
  struct image image;
};

// A white sheet for `count` thumbnails in a grid of `columns`, or of as many as make them largest on a landscape page
// (0); under each there is room for two lines.
enum status sheet_init(struct sheet *sheet, int count, int columns, int cell, struct error *error);
void sheet_release(struct sheet *sheet);

// The left upper corner of thumbnail `index`, from the left upper corner of the sheet.
void sheet_place(const struct sheet *sheet, int index, int *x, int *y);

// Draws a picture of any size into the cell, whole and in proportion. NULL: a grey cell, for a picture that cannot be
// read.
enum status sheet_put(struct sheet *sheet, int index, const struct image *picture, struct error *error);

#endif
