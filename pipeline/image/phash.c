#include "image/phash.h"

#include <stdlib.h>

#include "core/mem.h"

enum { HASH_COLUMNS = 9, HASH_ROWS = 8 };

// Rec. 601 luma in 8 bits of fraction; the weights sum to 256, so grey stays what it is.
static void grey_row(const uint8_t *rgb, uint8_t *grey, int width)
{
  for (int x = 0; x < width; x++)
    grey[x] = (uint8_t)((77u * rgb[3 * x] + 150u * rgb[3 * x + 1] + 29u * rgb[3 * x + 2] + 128) >> 8);
}

// The pixels of cell `i` of `count` along a side; at least one, so that an image smaller than the hash has
// one too.
static void cell_span(int i, int count, int side, int *begin, int *end)
{
  *begin = (int)((int64_t)i * side / count);
  *end = (int)((int64_t)(i + 1) * side / count);
  if (*end <= *begin) *end = *begin + 1;
}

static void add_to_cells(const uint8_t *grey, int y, const struct image *image, uint64_t sums[HASH_ROWS][HASH_COLUMNS])
{
  uint64_t row_sums[HASH_COLUMNS];
  for (int c = 0; c < HASH_COLUMNS; c++) {
    int begin = 0, end = 0;
    cell_span(c, HASH_COLUMNS, image->width, &begin, &end);
    uint64_t sum = 0;
    for (int x = begin; x < end; x++) sum += grey[x];
    row_sums[c] = sum;
  }
  for (int r = 0; r < HASH_ROWS; r++) {
    int begin = 0, end = 0;
    cell_span(r, HASH_ROWS, image->height, &begin, &end);
    if (y < begin || y >= end) continue;
    for (int c = 0; c < HASH_COLUMNS; c++) sums[r][c] += row_sums[c];
  }
}

// Cells of a row differ by a column in width, so their means are compared, in 16 bits of fraction.
static uint64_t hash_of(uint64_t sums[HASH_ROWS][HASH_COLUMNS], int width)
{
  uint64_t hash = 0;
  for (int r = 0; r < HASH_ROWS; r++) {
    uint64_t left = 0;
    for (int c = 0; c < HASH_COLUMNS; c++) {
      int begin = 0, end = 0;
      cell_span(c, HASH_COLUMNS, width, &begin, &end);
      uint64_t mean = (sums[r][c] << 16) / (uint64_t)(end - begin);
      if (c > 0) hash = hash << 1 | (mean > left);
      left = mean;
    }
  }
  return hash;
}

struct moments {
  int64_t count, sum, squares;
};

static void add_laplacian(struct moments *moments, const uint8_t *above, const uint8_t *here, const uint8_t *below,
                          int width)
{
  int64_t sum = 0, squares = 0;
  for (int x = 1; x < width - 1; x++) {
    int value = above[x] + below[x] + here[x - 1] + here[x + 1] - 4 * here[x];
    sum += value;
    squares += value * value;
  }
  moments->count += width > 2 ? width - 2 : 0;
  moments->sum += sum;
  moments->squares += squares;
}

enum status image_measure(const struct image *image, struct image_measures *out, struct error *error)
{
  *out = (struct image_measures){0};
  size_t width = (size_t)image->width;
  void *memory = NULL; // the last three rows in grey
  enum status status = mem_zeroed(&memory, 3 * width, 1, "three grey rows", error);
  if (status) return status;
  uint8_t *rows = memory;
  uint64_t cells[HASH_ROWS][HASH_COLUMNS] = {0}, brightness = 0;
  struct moments laplacian = {0};
  for (int y = 0; y < image->height; y++) {
    uint8_t *row = rows + (size_t)(y % 3) * width;
    grey_row(image->pixels + (size_t)y * width * IMAGE_CHANNELS, row, image->width);
    add_to_cells(row, y, image, cells);
    uint64_t sum = 0;
    for (size_t x = 0; x < width; x++) sum += row[x];
    brightness += sum;
    if (y >= 2)
      add_laplacian(&laplacian, rows + (size_t)((y - 2) % 3) * width, rows + (size_t)((y - 1) % 3) * width, row,
                    image->width);
  }
  free(memory);
  out->dhash = hash_of(cells, image->width);
  out->brightness = (float)((double)brightness / ((double)width * image->height));
  if (laplacian.count) {
    double mean = (double)laplacian.sum / (double)laplacian.count;
    out->sharpness = (float)((double)laplacian.squares / (double)laplacian.count - mean * mean);
  }
  return OK;
}
