// What a poor camera does to a whole picture: few pixels, motion, blur, JPEG. In place.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/augment_parts.h"

enum { SIDE = AUGMENT_SOFT_SIDE, RADIUS = 8, PADDED = SIDE + 2 * RADIUS, CHANNELS = 3 };

// --- blur ------------------------------------------------------------------------------------------------------------

// Weights of 2 * radius + 1 pixels, which sum to MIX_UNIT.
struct taps {
  int radius;
  uint16_t weight[2 * RADIUS + 1];
};

static void set_weights(struct taps *taps, const double *shares)
{
  double sum = 0;
  uint32_t others = 0;
  for (int i = 0; i <= 2 * taps->radius; i++) sum += shares[i];
  for (int i = 0; i <= 2 * taps->radius; i++) {
    taps->weight[i] = (uint16_t)lround(shares[i] / sum * MIX_UNIT);
    if (i != taps->radius) others += taps->weight[i];
  }
  taps->weight[taps->radius] = (uint16_t)(MIX_UNIT - others);
}

static struct taps bell(double deviation)
{
  double shares[2 * RADIUS + 1] = {0};
  struct taps taps = {.radius = (int)ceil(2.6 * deviation)};
  for (int i = -taps.radius; i <= taps.radius; i++) shares[i + taps.radius] = exp(-i * i / (2 * deviation * deviation));
  set_weights(&taps, shares);
  return taps;
}

static struct taps stroke(double length)
{
  double shares[2 * RADIUS + 1] = {0};
  struct taps taps = {.radius = (int)ceil((length - 1) / 2)};
  for (int i = -taps.radius; i <= taps.radius; i++) {
    double covered = length / 2 - (abs(i) - 0.5);
    shares[i + taps.radius] = covered > 1 ? 1 : covered;
  }
  set_weights(&taps, shares);
  return taps;
}

// Copies a row into `to`, its ends repeated RADIUS times.
static void pad_row(const uint8_t *row, int width, uint8_t *to)
{
  for (int i = 0; i < RADIUS; i++) {
    memcpy(to + (size_t)i * CHANNELS, row, CHANNELS);
    memcpy(to + (size_t)(RADIUS + width + i) * CHANNELS, row + (size_t)(width - 1) * CHANNELS, CHANNELS);
  }
  memcpy(to + (size_t)RADIUS * CHANNELS, row, (size_t)width * CHANNELS);
}

static void pad(const uint8_t *pixels, int width, int height, uint8_t *to)
{
  size_t pitch = (size_t)(width + 2 * RADIUS) * CHANNELS;
  for (int y = -RADIUS; y < height + RADIUS; y++) {
    int row = y < 0 ? 0 : y >= height ? height - 1 : y;
    pad_row(pixels + (size_t)row * (size_t)width * CHANNELS, width, to + (size_t)(y + RADIUS) * pitch);
  }
}

// Along a line of pixels `stride` bytes apart.
static void mix_along(const struct pixel_kernels *kernels, const struct taps *taps, const uint8_t *center,
                      ptrdiff_t stride, size_t n, uint8_t *out)
{
  uint16_t mixed[PADDED * CHANNELS];
  kernels->mix_rows(center - taps->radius * stride, (size_t)stride, taps->weight, 2 * taps->radius + 1, n, mixed);
  kernels->round_levels(mixed, n, out);
}

static void blur(const struct pixel_kernels *kernels, double deviation, uint8_t *pixels, int width, int height)
{
  uint8_t padded[PADDED * PADDED * CHANNELS], line[PADDED * CHANNELS];
  struct taps taps = bell(deviation);
  size_t row = (size_t)width * CHANNELS, pitch = (size_t)(width + 2 * RADIUS) * CHANNELS;
  pad(pixels, width, height, padded);
  for (int y = 0; y < height; y++) {
    mix_along(kernels, &taps, padded + (size_t)(y + RADIUS) * pitch, (ptrdiff_t)pitch, pitch, line);
    mix_along(kernels, &taps, line + (size_t)RADIUS * CHANNELS, CHANNELS, row, pixels + (size_t)y * row);
  }
}

static void smear(const struct pixel_kernels *kernels, double length, int direction, uint8_t *pixels, int width,
                  int height)
{
  uint8_t padded[PADDED * PADDED * CHANNELS];
  size_t row = (size_t)width * CHANNELS, pitch = (size_t)(width + 2 * RADIUS) * CHANNELS;
  const size_t strides[4] = {CHANNELS, pitch, pitch + CHANNELS, pitch - CHANNELS};
  struct taps taps = stroke(direction < 2 ? length : length / 1.4142135623730951);
  pad(pixels, width, height, padded);
  for (int y = 0; y < height; y++)
    mix_along(kernels, &taps, padded + (size_t)(y + RADIUS) * pitch + (size_t)RADIUS * CHANNELS,
              (ptrdiff_t)strides[direction], row, pixels + (size_t)y * row);
}

// --- resolution ------------------------------------------------------------------------------------------------------

static struct augment_line between(int from_width, int from_height, int to_width, int to_height, int x, int y)
{
  int64_t one = 1 << PIXEL_FRACTION, x_step = one * from_width / to_width, y_step = one * from_height / to_height;
  return (struct augment_line){
      .x = x * x_step + (x_step - one) / 2, .y = y * y_step + (y_step - one) / 2, .x_step = x_step};
}

static void rescale(const struct pixel_kernels *kernels, const uint8_t *from, int from_width, int from_height,
                    uint8_t *to, int to_width, int to_height)
{
  const struct pixel_source source = {from, from_width, from_height, true};
  struct pixel_chunk chunk;
  for (int y = 0; y < to_height; y++)
    for (int x = 0; x < to_width; x += PIXEL_CHUNK) {
      int count = to_width - x < PIXEL_CHUNK ? to_width - x : PIXEL_CHUNK;
      struct augment_line line = between(from_width, from_height, to_width, to_height, x, y);
      augment_sample_by(kernels, true, &source, &line, count, &chunk);
      kernels->store(&chunk, count, to + ((size_t)y * (size_t)to_width + (size_t)x) * CHANNELS);
    }
}

static void coarsen(const struct pixel_kernels *kernels, float resolution, uint8_t *pixels, int width, int height)
{
  uint8_t small[SIDE * SIDE * CHANNELS];
  int columns = (int)lround((double)resolution * width), rows = (int)lround((double)resolution * height);
  if (columns < 2 || rows < 2) return;
  rescale(kernels, pixels, width, height, small, columns, rows);
  rescale(kernels, small, columns, rows, pixels, width, height);
}

// --- JPEG ------------------------------------------------------------------------------------------------------------

// ITU T.81, Annex K, tables K.1 and K.2.
static const uint8_t luma_steps[64] = {16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
                                       14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
                                       18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
                                       49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
static const uint8_t chroma_steps[64] = {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
                                         24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
                                         99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                         99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

// As libjpeg scales them.
static int32_t scaled(int step, int quality)
{
  int percent = quality < 50 ? 5000 / quality : 200 - 2 * quality, out = (step * percent + 50) / 100;
  return out < 1 ? 1 : out > 255 ? 255 : out;
}

static void recompress(const struct pixel_kernels *kernels, int quality, uint8_t *pixels, int width, int height)
{
  struct pixel_quantisation tables;
  for (int i = 0; i < 64; i++) {
    tables.luma[i] = scaled(luma_steps[i], quality);
    tables.chroma[i] = scaled(chroma_steps[i], quality);
  }
  kernels->recompress(&tables, pixels, width, height);
}

// --- in their order --------------------------------------------------------------------------------------------------

bool augment_softens(const struct augment_parameters *p, int width, int height)
{
  return (p->blur >= 0.2f || p->motion > 1 || p->resolution < 1) && width <= SIDE && height <= SIDE;
}

void augment_soften(const struct pixel_kernels *kernels, const struct augment_parameters *p, uint8_t *pixels, int width,
                    int height)
{
  if (p->resolution < 1) coarsen(kernels, p->resolution, pixels, width, height);
  if (p->motion > 1) smear(kernels, p->motion, p->motion_direction, pixels, width, height);
  if (p->blur >= 0.2f) blur(kernels, p->blur, pixels, width, height); // less is nothing
}

void augment_recompress(const struct pixel_kernels *kernels, const struct augment_parameters *p, uint8_t *pixels,
                        int width, int height)
{
  if (p->jpeg) recompress(kernels, p->jpeg, pixels, width, height);
}
