#include "report/sheet.h"

#include <string.h>

#include "image/resize.h"

// Shares of a cell that lie between thumbnails: beside, and below for the captions.
static int gap_beside(int cell)
{
  return cell / 10;
}
static int gap_below(int cell)
{
  return cell * 4 / 10;
}

// The page has room for about 27.9 x 16.8 cm: the number of columns that makes the thumbnails largest.
static int best_columns(int count, int cell)
{
  int best = 1;
  double best_scale = 0;
  for (int columns = 1; columns <= count; columns++) {
    int rows = (count + columns - 1) / columns;
    double across = 27.9 / (columns * (cell + gap_beside(cell)));
    double down = 16.8 / (rows * (cell + gap_below(cell)));
    double scale = across < down ? across : down;
    if (scale <= best_scale) continue;
    best_scale = scale;
    best = columns;
  }
  return best;
}

enum status sheet_init(struct sheet *sheet, int count, int columns, int cell, struct error *error)
{
  memset(sheet, 0, sizeof *sheet);
  sheet->cell = cell;
  sheet->columns = columns ? columns : best_columns(count, cell);
  sheet->rows = (count + sheet->columns - 1) / sheet->columns;
  sheet->step_x = cell + gap_beside(cell);
  sheet->step_y = cell + gap_below(cell);
  enum status status = image_init(&sheet->image, sheet->columns * sheet->step_x, sheet->rows * sheet->step_y, error);
  if (status) return status;
  size_t bytes = (size_t)sheet->image.width * (size_t)sheet->image.height * IMAGE_CHANNELS;
  memset(sheet->image.pixels, 0xff, bytes);
  return OK;
}

void sheet_release(struct sheet *sheet)
{
  image_release(&sheet->image);
}

void sheet_place(const struct sheet *sheet, int index, int *x, int *y)
{
  *x = index % sheet->columns * sheet->step_x + gap_beside(sheet->cell) / 2;
  *y = index / sheet->columns * sheet->step_y;
}

enum status sheet_put(struct sheet *sheet, int index, const struct image *picture, struct error *error)
{
  int x, y;
  sheet_place(sheet, index, &x, &y);
  struct image thumbnail = {0};
  if (picture) {
    enum status status = resize_image(picture, sheet->cell, FIT_LETTERBOX, FILTER_AREA, &thumbnail, error);
    if (status) return image_release(&thumbnail), status;
  }
  size_t row = (size_t)sheet->cell * IMAGE_CHANNELS;
  for (int line = 0; line < sheet->cell; line++) {
    uint8_t *to = sheet->image.pixels + ((size_t)(y + line) * (size_t)sheet->image.width + (size_t)x) * IMAGE_CHANNELS;
    if (picture)
      memcpy(to, thumbnail.pixels + (size_t)line * row, row);
    else
      memset(to, 0xdd, row);
  }
  image_release(&thumbnail);
  return OK;
}
