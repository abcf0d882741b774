#include "image/background.h"

#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

enum { GRID = BACKGROUND_GRID, CELLS = BACKGROUND_CELLS };

// --- the hand --------------------------------------------------------------------------------------------------------

// Limits of the guess, in levels.
enum {
  MARGIN = 2,       // cells
  STEP = 13,        // between neighbours of one background
  REDDER = 7,       // than the edge: skin
  DARK = 60,        // percent of the edge's luma
  LEAST_HAND = 6,   // percent of the picture
  LARGEST_HAND = 85 // percent
};

struct cell {
  int16_t luma, red, blue; // red and blue: differences from luma
};

static inline struct cell mean_of(int r, int g, int b, int count)
{
  int luma = (77 * r + 150 * g + 29 * b) / (256 * count);
  return (struct cell){(int16_t)luma, (int16_t)(r / count - luma), (int16_t)(b / count - luma)};
}

static struct cell cell_at(const uint8_t *source, int width, int height, int column, int row)
{
  int x0 = column * width / GRID, x1 = (column + 1) * width / GRID;
  int y0 = row * height / GRID, y1 = (row + 1) * height / GRID;
  int r = 0, g = 0, b = 0, count = 0;
  if (x1 == x0) x1 = x0 + 1;
  if (y1 == y0) y1 = y0 + 1;
  int skip = x1 - x0 > 8 ? (x1 - x0) / 4 : x1 - x0 > 2 ? 2 : 1; // samples will do
  for (int y = y0; y < y1; y += skip)
    for (int x = x0; x < x1; x += skip, count++) {
      const uint8_t *pixel = source + ((size_t)y * (size_t)width + (size_t)x) * 3;
      r += pixel[0], g += pixel[1], b += pixel[2];
    }
  if (count == 4) return mean_of(r, g, b, 4); // as 100x100 pictures have them: no division
  return mean_of(r, g, b, count ? count : 1); // no cell is empty: for the analyzer
}

// The left, upper and right edge, a little inside: some pictures are framed. An arm comes from below.
static bool on_edge(int cell)
{
  int column = cell % GRID, row = cell / GRID;
  return row >= MARGIN && column >= MARGIN && column < GRID - MARGIN &&
         (column == MARGIN || row == MARGIN || column == GRID - 1 - MARGIN);
}

static int compare_numbers(const void *a, const void *b)
{
  return *(const int *)a - *(const int *)b;
}

static int redness(const struct cell *cell)
{
  return cell->red - cell->blue;
}

static int luma(const struct cell *cell)
{
  return cell->luma;
}

static int edge_median(const struct cell *cells, int (*value)(const struct cell *))
{
  int values[3 * GRID], count = 0;
  for (int i = 0; i < CELLS; i++)
    if (on_edge(i)) values[count++] = value(&cells[i]);
  qsort(values, (size_t)count, sizeof *values, compare_numbers);
  return values[count / 2];
}

static bool alike(const struct cell *a, const struct cell *b)
{
  return abs(a->luma - b->luma) + abs(a->red - b->red) + abs(a->blue - b->blue) < STEP;
}

// Marks what can be reached from the edge without a step.
static void flood(const struct cell *cells, uint8_t background[CELLS])
{
  int16_t queue[CELLS];
  int begin = 0, end = 0, limit = edge_median(cells, redness) + REDDER;
  int dark = edge_median(cells, luma) * DARK / 100; // an arm before a bright window may come from the side
  memset(background, 0, CELLS);
  for (int i = 0; i < CELLS; i++)
    if (on_edge(i) && redness(&cells[i]) <= limit && cells[i].luma >= dark)
      background[i] = 1, queue[end++] = (int16_t)i;
  while (begin < end) {
    unsigned column = (unsigned)queue[begin] % GRID, row = (unsigned)queue[begin] / GRID;
    int at = queue[begin++];
    const int next[4] = {column ? at - 1 : -1, column < GRID - 1 ? at + 1 : -1, row ? at - GRID : -1,
                         row < GRID - 1 ? at + GRID : -1};
    for (int n = 0; n < 4; n++) {
      int to = next[n];
      if (to < 0 || background[to] || redness(&cells[to]) > limit || !alike(&cells[at], &cells[to])) continue;
      background[to] = 1;
      queue[end++] = (int16_t)to;
    }
  }
}

static int inside(int at)
{
  return at < MARGIN ? MARGIN : at > GRID - 1 - MARGIN ? GRID - 1 - MARGIN : at;
}

// A frame is what is beside it.
static void fill_margin(uint8_t background[CELLS])
{
  for (int i = 0; i < CELLS; i++) background[i] = background[inside(i / GRID) * GRID + inside(i % GRID)];
}

// The hand grows by a cell, and its border becomes soft: the share of hand among 3 by 3 cells, doubled.
static void soften(const uint8_t background[CELLS], uint8_t hand[3 * CELLS])
{
  for (int row = 0; row < GRID; row++)
    for (int column = 0; column < GRID; column++) {
      int sum = 0;
      for (int y = row - 1; y <= row + 1; y++)
        for (int x = column - 1; x <= column + 1; x++)
          sum += x >= 0 && y >= 0 && x < GRID && y < GRID && !background[y * GRID + x];
      int share = sum * 255 / 4;
      memset(hand + 3 * (row * GRID + column), share > 255 ? 255 : share, 3);
    }
}

bool background_find_hand(const uint8_t *source, int width, int height, uint8_t hand[3 * BACKGROUND_CELLS])
{
  struct cell cells[CELLS];
  uint8_t background[CELLS];
  for (int i = 0; i < CELLS; i++) cells[i] = cell_at(source, width, height, i % GRID, i / GRID);
  flood(cells, background);
  fill_margin(background);
  int left = CELLS;
  for (int i = 0; i < CELLS; i++) left -= background[i];
  soften(background, hand);
  return left * 100 >= LEAST_HAND * CELLS && left * 100 <= LARGEST_HAND * CELLS;
}

// --- other backgrounds -----------------------------------------------------------------------------------------------

struct colour {
  int level[3];
};

// Any luma, but few colours as strong as they can be.
static struct colour any_colour(struct rng *rng)
{
  int luma = (int)rng_below(rng, 236) + 10, strength = (int)rng_below(rng, 90);
  struct colour colour;
  for (int c = 0; c < 3; c++) {
    int level = luma + (int)rng_below(rng, (uint32_t)(2 * strength + 1)) - strength;
    colour.level[c] = level < 0 ? 0 : level > 255 ? 255 : level;
  }
  return colour;
}

// How much of the second colour there is at a place, of 256.
static int share_of(int kind, int column, int row, int period, int angle)
{
  static const int slopes[4][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}};
  int along = slopes[angle][0] * column + slopes[angle][1] * row + GRID;
  switch (kind) {
  case 0: // fades
    return (slopes[angle][0] * column + slopes[angle][1] * row + (angle == 3 ? GRID : 0)) * 256 / (2 * GRID);
  case 1: // stripes
    return along % period * 2 < period ? 0 : 256;
  case 2: // tiles with joints
    return column % period == 0 || row % period == 0 ? 256 : 0;
  default:
    return 128;
  }
}

// Adds noise of `cells` by `cells` values (a power of two), with straight lines between them.
static void blotch(struct rng *rng, int cells, int strength, int field[CELLS])
{
  int value[17 * 17];
  for (int i = 0; i < (cells + 1) * (cells + 1); i++)
    value[i] = (int)rng_below(rng, (uint32_t)(2 * strength + 1)) - strength;
  int shift = __builtin_ctz((unsigned)(GRID / cells)), step = 1 << shift;
  for (int row = 0; row < GRID; row++)
    for (int column = 0; column < GRID; column++) {
      const int *at = value + (row >> shift) * (cells + 1) + (column >> shift);
      int x = column & (step - 1), y = row & (step - 1);
      int above = at[0] * (step - x) + at[1] * x, below = at[cells + 1] * (step - x) + at[cells + 2] * x;
      field[row * GRID + column] += (above * (step - y) + below * y) >> (2 * shift);
    }
}

void background_texture(uint32_t seed, uint8_t texture[3 * BACKGROUND_CELLS])
{
  struct rng rng = rng_at(seed, RNG_AUGMENT, seed, UINT64_MAX);
  struct colour first = any_colour(&rng), second = any_colour(&rng);
  int kind = (int)rng_below(&rng, 4), period = (int)rng_below(&rng, 12) + 4, angle = (int)rng_below(&rng, 4);
  int light[CELLS] = {0}, mixed[CELLS] = {0};
  blotch(&rng, 2, (int)rng_below(&rng, 60), light);
  blotch(&rng, 8, (int)rng_below(&rng, 40), light);
  blotch(&rng, 16, (int)rng_below(&rng, 50), light);
  blotch(&rng, 4, (int)rng_below(&rng, 256), mixed);
  for (int i = 0; i < CELLS; i++) {
    int share = share_of(kind, i % GRID, i / GRID, period, angle) + mixed[i] / 2;
    share = share < 0 ? 0 : share > 256 ? 256 : share;
    for (int c = 0; c < 3; c++) {
      int level = (first.level[c] * (256 - share) + second.level[c] * share) / 256 + light[i];
      texture[3 * i + c] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
    }
  }
}
