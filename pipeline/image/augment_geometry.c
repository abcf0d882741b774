// Where the pixels of an augmented picture are seen in its source, and what is seen there in plain C.
//
// Coordinates have 16 bits of fraction. Doubles give the few numbers of a line, rounded far above the differences
// between one libm and another; between its ends everything is integer.
#include <math.h>
#include <stdlib.h>

#include "image/augment_parts.h"

enum { CHANNELS = 3, FRACTION = PIXEL_FRACTION, HALF = 1 << (FRACTION - 1), NEAR_SIDE_LIMIT = 8192 };

static const double radians = 3.14159265358979323846 / 180;

// llround, but inline and without its care for numbers a hair below a half: coordinates are far below 2^52.
static inline int64_t rounded(double value)
{
  return (int64_t)(value + (value < 0 ? -0.5 : 0.5));
}

static inline int64_t fixed(double value)
{
  return rounded(value * (1 << FRACTION));
}

// The inverse of: flip, zoom with aspect, shear, rotate about the centre, translate; perspective is apart.
struct augment_geometry augment_geometry(const struct augment_parameters *p, int width, int height)
{
  double lean = tan(p->shear * radians), c = cos(p->rotate * radians), s = sin(p->rotate * radians);
  double wide = sqrt((double)p->aspect), zoom_x = p->zoom * wide * (p->flip ? -1 : 1), zoom_y = p->zoom / wide;
  struct augment_geometry g = {
      .x_x = (c - lean * s) / zoom_x,
      .x_y = (-s - lean * c) / zoom_x,
      .y_x = s / zoom_y,
      .y_y = c / zoom_y,
      .center_x = (width - 1) / 2.0,
      .center_y = (height - 1) / 2.0,
      .shift_x = (double)p->translate_x * width,
      .shift_y = (double)p->translate_y * height,
      .near_x = 2 * (double)p->perspective_x / width,
      .near_y = 2 * (double)p->perspective_y / height,
      .moves = p->rotate != 0 || p->translate_x != 0 || p->translate_y != 0 || p->zoom != 1 || p->shear != 0 ||
               p->flip || p->aspect != 1 || p->perspective_x != 0 || p->perspective_y != 0,
  };
  g.x_step = fixed(g.x_x);
  g.y_step = fixed(g.y_x);
  return g;
}

// Across and down are divided by the distance, as a camera does that looks at the picture from aslant.
static void place(const struct augment_geometry *g, double x, double y, int64_t *to_x, int64_t *to_y)
{
  double across = x - g->center_x, down = y - g->center_y, nearness = 1 + g->near_x * across + g->near_y * down;
  across = across / nearness - g->shift_x;
  down = down / nearness - g->shift_y;
  *to_x = fixed(g->center_x + g->x_x * across + g->x_y * down);
  *to_y = fixed(g->center_y + g->y_x * across + g->y_y * down);
}

// a + step * i + bend * i^2 that is `end` at i = n and `middle` at n / 2.
static void bend(int64_t a, int64_t middle, int64_t end, int n, int64_t *step, int64_t *out)
{
  double chord = (double)(end - a);
  double exact = n ? ((double)(end - middle) - (double)(middle - a)) * 2 / ((double)n * n) : 0;
  *out = rounded(exact);
  *step = n ? rounded(chord / n - (double)*out * n) : 0;
}

struct augment_line augment_line(const struct augment_geometry *g, int x, int y, int count)
{
  struct augment_line line = {0};
  place(g, x, y, &line.x, &line.y);
  if (g->near_x == 0 && g->near_y == 0) {
    line.x_step = g->x_step;
    line.y_step = g->y_step;
    return line;
  }
  int64_t middle_x, middle_y, end_x, end_y;
  int n = count - 1;
  place(g, x + n / 2.0, y, &middle_x, &middle_y);
  place(g, x + n, y, &end_x, &end_y);
  bend(line.x, middle_x, end_x, n, &line.x_step, &line.x_bend);
  bend(line.y, middle_y, end_y, n, &line.y_step, &line.y_bend);
  return line;
}

// Whether coordinates stay within two sides' lengths of [0, side), and the side within what 32 bits hold. What is a
// quadrangle's corners is all of it.
static bool is_near(int64_t at, int pixels)
{
  int64_t side = (int64_t)pixels << FRACTION;
  return at + HALF > -2 * side && at + HALF < 3 * side;
}

bool augment_is_near(const struct augment_geometry *g, int width, int height)
{
  if (width < 2 || height < 2 || width > NEAR_SIDE_LIMIT || height > NEAR_SIDE_LIMIT) return false;
  for (int corner = 0; corner < 4; corner++) {
    int64_t x, y;
    place(g, corner & 1 ? width - 1 : 0, corner & 2 ? height - 1 : 0, &x, &y);
    if (!is_near(x, width) || !is_near(y, height)) return false;
  }
  return true;
}

static int64_t stretched(int64_t at, int pixels, int other)
{
  return (at + HALF) * other / pixels - HALF;
}

struct augment_line augment_line_in(const struct augment_line *line, int width, int height, int other_width,
                                    int other_height)
{
  return (struct augment_line){
      .x = stretched(line->x, width, other_width),
      .y = stretched(line->y, height, other_height),
      .x_step = line->x_step * other_width / width,
      .y_step = line->y_step * other_height / height,
      .x_bend = line->x_bend * other_width / width,
      .y_bend = line->y_bend * other_height / height,
  };
}

// --- in plain C ------------------------------------------------------------------------------------------------------

// Mirrors a coordinate at the edges of a side of `pixels`, the edge pixel doubled: ... 1 0 | 0 1 2 ... n-1 |
// n-1 n-2 ...
static int64_t mirrored(int64_t at, int pixels)
{
  int64_t side = (int64_t)pixels << FRACTION;
  at += HALF; // from pixel centres to the pixels' left edges
  if (at < 0 || at >= side) {
    at %= 2 * side;
    if (at < 0) at += 2 * side;
    if (at >= side) at = 2 * side - at;
  }
  return at - HALF;
}

static int64_t clamped(int64_t at, int pixels)
{
  int64_t last = (int64_t)(pixels - 1) << FRACTION;
  return at < 0 ? 0 : at > last ? last : at;
}

static void mix_pixel(const struct pixel_source *source, int64_t sx, int64_t sy, struct pixel_chunk *chunk, int i)
{
  size_t column = (size_t)(sx >> FRACTION), row = (size_t)(sy >> FRACTION), width = (size_t)source->width;
  int32_t right = (int32_t)(sx >> (FRACTION - 8)) & 255, below = (int32_t)(sy >> (FRACTION - 8)) & 255;
  const uint8_t *upper = source->pixels + (row * width + column) * CHANNELS;
  const uint8_t *lower = row + 1 < (size_t)source->height ? upper + width * CHANNELS : upper;
  size_t next = column + 1 < width ? CHANNELS : 0;
  for (size_t c = 0; c < CHANNELS; c++) {
    int32_t top = upper[c] * (256 - right) + upper[next + c] * right;
    int32_t bottom = lower[c] * (256 - right) + lower[next + c] * right;
    chunk->level[c][i] = (top * (256 - below) + bottom * below + 128) >> 8;
  }
}

void augment_sample(const struct pixel_source *source, const struct augment_line *line, int count,
                    struct pixel_chunk *chunk)
{
  const int width = source->width, height = source->height;
  for (int64_t i = 0; i < count; i++) {
    int64_t x = line->x + i * line->x_step + i * i * line->x_bend;
    int64_t y = line->y + i * line->y_step + i * i * line->y_bend;
    if (source->mirrored) x = mirrored(x, width), y = mirrored(y, height);
    int64_t in_x = clamped(x, width), in_y = clamped(y, height);
    if (!source->mirrored) {
      int64_t out_x = llabs(x - in_x) >> 8, out_y = llabs(y - in_y) >> 8, out = out_x > out_y ? out_x : out_y;
      chunk->cover[i] = out > 256 ? 0 : 256 - (int32_t)out;
    }
    mix_pixel(source, in_x, in_y, chunk, (int)i);
  }
}

void augment_sample_by(const struct pixel_kernels *kernels, bool near, const struct pixel_source *source,
                       const struct augment_line *line, int count, struct pixel_chunk *chunk)
{
  if (!near) {
    augment_sample(source, line, count, chunk);
    return;
  }
  struct pixel_line narrow = {(int32_t)line->x,      (int32_t)line->y,      (int32_t)line->x_step,
                              (int32_t)line->y_step, (int32_t)line->x_bend, (int32_t)line->y_bend};
  kernels->sample(source, &narrow, count, chunk);
}
