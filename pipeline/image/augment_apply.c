// One pass over the picture, CHUNK pixels of a row at a time: sample, colour, noise, store. Everything per
// pixel is integer arithmetic, so the result does not depend on the instruction set:
//
//   coordinates   16 bits of fraction
//   levels        8 bits of fraction ("fine": 0..65,280), three planes
//   factors       12 bits of fraction
//
// Only the few coefficients come from floating point, rounded far above the differences between one libm and
// another.
#include <math.h>

#include "image/augment.h"
#include "image/augment_noise.h"

enum { CHUNK = 64, CHANNELS = 3, FRACTION = 16, HALF = 1 << (FRACTION - 1), UNIT = 1 << 12 };
_Static_assert(CHUNK *CHANNELS == NOISE_SAMPLES, "a chunk takes all samples of a call");

// Source coordinates of the output's pixel (x, y): x_x * x + x_y * y + x_0, and so for y.
struct geometry {
  int64_t x_x, x_y, x_0, y_x, y_y, y_0;
};

struct colour {
  int32_t own, luma; // factors of the channel itself and of the pixel's luma
  int32_t offset;    // fine levels times UNIT
};

struct plan {
  struct geometry geometry;
  struct colour colour;
  bool moves, colours;
  int32_t noise; // factor from a noise sample to fine levels, times UNIT
  uint32_t noise_key[2];
};

struct chunk {
  int32_t level[CHANNELS][CHUNK];
};

static int64_t fixed(double value)
{
  return llround(value * (1 << FRACTION));
}

// The inverse of: flip, zoom, shear, rotate about the centre, translate.
static struct geometry geometry_of(const struct augment_parameters *p, int width, int height)
{
  double angle = p->rotate * (3.14159265358979323846 / 180), lean = tan(p->shear * (3.14159265358979323846 / 180));
  double c = cos(angle), s = sin(angle), zoom = p->zoom, mirror = p->flip ? -1 : 1;
  double x_x = mirror * (c - lean * s) / zoom, x_y = mirror * (-s - lean * c) / zoom;
  double y_x = s / zoom, y_y = c / zoom;
  double center_x = (width - 1) / 2.0, center_y = (height - 1) / 2.0;
  double from_x = center_x + (double)p->translate_x * width, from_y = center_y + (double)p->translate_y * height;
  return (struct geometry){
      .x_x = fixed(x_x),
      .x_y = fixed(x_y),
      .x_0 = fixed(center_x - x_x * from_x - x_y * from_y),
      .y_x = fixed(y_x),
      .y_y = fixed(y_y),
      .y_0 = fixed(center_y - y_x * from_x - y_y * from_y),
  };
}

static struct plan plan_of(const struct augment_parameters *p, int width, int height)
{
  double gain = (double)p->brightness * p->contrast;
  return (struct plan){
      .geometry = geometry_of(p, width, height),
      .moves = p->rotate != 0 || p->translate_x != 0 || p->translate_y != 0 || p->zoom != 1 || p->shear != 0 || p->flip,
      .colour = {.own = (int32_t)lround(gain * p->saturation * UNIT),
                 .luma = (int32_t)lround(gain * (1 - (double)p->saturation) * UNIT),
                 .offset = (int32_t)lround(127.5 * (1 - (double)p->contrast) * 256 * UNIT)},
      .colours = p->brightness != 1 || p->contrast != 1 || p->saturation != 1,
      .noise = (int32_t)lround(p->noise * 256 / NOISE_DEVIATION * UNIT),
      .noise_key = {(uint32_t)p->noise_seed, (uint32_t)(p->noise_seed >> 32)},
  };
}

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
  at -= HALF;
  int64_t last = side - (1 << FRACTION);
  return at < 0 ? 0 : at > last ? last : at;
}

static void sample(const struct geometry *g, const uint8_t *source, int width, int height, int x, int y, int count,
                   struct chunk *chunk)
{
  int64_t at_x = g->x_x * x + g->x_y * y + g->x_0, at_y = g->y_x * x + g->y_y * y + g->y_0;
  for (int i = 0; i < count; i++, at_x += g->x_x, at_y += g->y_x) {
    int64_t sx = mirrored(at_x, width), sy = mirrored(at_y, height);
    int32_t column = (int32_t)(sx >> FRACTION), line = (int32_t)(sy >> FRACTION);
    int32_t right = (int32_t)(sx >> (FRACTION - 8)) & 255, below = (int32_t)(sy >> (FRACTION - 8)) & 255;
    const uint8_t *upper = source + ((size_t)line * (size_t)width + (size_t)column) * CHANNELS;
    const uint8_t *lower = line + 1 < height ? upper + (size_t)width * CHANNELS : upper;
    size_t next = column + 1 < width ? CHANNELS : 0;
    for (size_t c = 0; c < CHANNELS; c++) {
      int32_t top = upper[c] * (256 - right) + upper[next + c] * right;
      int32_t bottom = lower[c] * (256 - right) + lower[next + c] * right;
      chunk->level[c][i] = (top * (256 - below) + bottom * below + 128) >> 8;
    }
  }
}

static void load(const uint8_t *pixels, int count, struct chunk *chunk)
{
  for (int i = 0; i < count; i++)
    for (int c = 0; c < CHANNELS; c++) chunk->level[c][i] = pixels[CHANNELS * i + c] << 8;
}

// The products stay below 2^31: gain times saturation is at most 1.9^3, a level at most 255 * 256.
static void colour(const struct colour *colour, struct chunk *chunk)
{
  int32_t *r = chunk->level[0], *g = chunk->level[1], *b = chunk->level[2];
  int32_t own = colour->own, grey = colour->luma, offset = colour->offset + UNIT / 2;
  for (int i = 0; i < CHUNK; i++) {
    int32_t share = grey * ((77 * r[i] + 150 * g[i] + 29 * b[i]) >> 8) + offset;
    r[i] = (own * r[i] + share) >> 12;
    g[i] = (own * g[i] + share) >> 12;
    b[i] = (own * b[i] + share) >> 12;
  }
}

static void add_noise(const struct plan *plan, int x, int y, struct chunk *chunk)
{
  int32_t samples[NOISE_SAMPLES];
  augment_noise(plan->noise_key, (uint32_t)(x / CHUNK * NOISE_BLOCKS), (uint32_t)y, samples);
  for (int c = 0; c < CHANNELS; c++)
    for (int i = 0; i < CHUNK; i++) chunk->level[c][i] += (samples[c * CHUNK + i] * plan->noise + UNIT / 2) >> 12;
}

static void store(const struct chunk *chunk, int count, uint8_t *out)
{
  for (int i = 0; i < count; i++) {
    for (int c = 0; c < CHANNELS; c++) {
      int32_t level = (chunk->level[c][i] + 128) >> 8;
      out[CHANNELS * i + c] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
    }
  }
}

void augment_apply(const struct augment_parameters *parameters, const uint8_t *source, int width, int height,
                   uint8_t *out)
{
  struct plan plan = plan_of(parameters, width, height);
  struct chunk chunk;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x += CHUNK) {
      int count = width - x < CHUNK ? width - x : CHUNK;
      if (count < CHUNK) chunk = (struct chunk){0}; // the rest is computed with, never stored
      size_t at = ((size_t)y * (size_t)width + (size_t)x) * CHANNELS;
      if (plan.moves)
        sample(&plan.geometry, source, width, height, x, y, count, &chunk);
      else
        load(source + at, count, &chunk);
      if (plan.colours) colour(&plan.colour, &chunk);
      if (plan.noise) add_noise(&plan, x, y, &chunk);
      store(&chunk, count, out + at);
    }
  }
}
