// One pass over the picture, PIXEL_CHUNK pixels of a row at a time: sample, colour, noise, store (image/pixels.h).
// Everything per pixel is integer arithmetic, so the result does not depend on the instruction set:
//
//   coordinates   16 bits of fraction
//   levels        8 bits of fraction (0..65,280), three planes
//   factors       12 bits of fraction
//
// Only the few coefficients come from floating point, rounded far above the differences between one libm and
// another.
#include <math.h>

#include "image/augment.h"
#include "image/augment_parts.h"

enum { CHUNK = PIXEL_CHUNK, CHANNELS = 3, FRACTION = PIXEL_FRACTION, HALF = 1 << (FRACTION - 1), UNIT = PIXEL_UNIT };
enum { NEAR_SIDE_LIMIT = 8192 };

// Source coordinates of the output's pixel (x, y): x_x * x + x_y * y + x_0, and so for y.
struct geometry {
  int64_t x_x, x_y, x_0, y_x, y_y, y_0;
};

struct plan {
  struct geometry geometry;
  struct pixel_colour colour;
  struct pixel_source source;
  bool moves, near, colours;
  int32_t noise; // factor from a noise sample to levels, times UNIT
  uint32_t noise_key[2];
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

// Whether a coordinate that is linear over the picture stays within one side's length of [0, side), and the side within
// what 32 bits hold: then the kernels can sample.
static bool is_near(int64_t by_x, int64_t by_y, int64_t at_0, int width, int height, int pixels)
{
  int64_t side = (int64_t)pixels << FRACTION;
  if (pixels < 2 || pixels > NEAR_SIDE_LIMIT) return false;
  for (int corner = 0; corner < 4; corner++) {
    int64_t at = at_0 + (corner & 1 ? by_x * (width - 1) : 0) + (corner & 2 ? by_y * (height - 1) : 0) + HALF;
    if (at < -side || at >= 2 * side) return false;
  }
  return true;
}

static struct plan plan_of(const struct augment_parameters *p, const uint8_t *source, int width, int height)
{
  double gain = (double)p->brightness * p->contrast;
  struct geometry g = geometry_of(p, width, height);
  return (struct plan){
      .geometry = g,
      .source = {source, width, height},
      .near = is_near(g.x_x, g.x_y, g.x_0, width, height, width) && is_near(g.y_x, g.y_y, g.y_0, width, height, height),
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

void augment_sample(const struct pixel_source *source, const struct augment_line *line, int count,
                    struct pixel_chunk *chunk)
{
  const int width = source->width, height = source->height;
  int64_t at_x = line->x, at_y = line->y;
  for (int i = 0; i < count; i++, at_x += line->x_step, at_y += line->y_step) {
    int64_t sx = mirrored(at_x, width), sy = mirrored(at_y, height);
    int32_t column = (int32_t)(sx >> FRACTION), row = (int32_t)(sy >> FRACTION);
    int32_t right = (int32_t)(sx >> (FRACTION - 8)) & 255, below = (int32_t)(sy >> (FRACTION - 8)) & 255;
    const uint8_t *upper = source->pixels + ((size_t)row * (size_t)width + (size_t)column) * CHANNELS;
    const uint8_t *lower = row + 1 < height ? upper + (size_t)width * CHANNELS : upper;
    size_t next = column + 1 < width ? CHANNELS : 0;
    for (size_t c = 0; c < CHANNELS; c++) {
      int32_t top = upper[c] * (256 - right) + upper[next + c] * right;
      int32_t bottom = lower[c] * (256 - right) + lower[next + c] * right;
      chunk->level[c][i] = (top * (256 - below) + bottom * below + 128) >> 8;
    }
  }
}

static void sample(const struct plan *plan, const struct pixel_kernels *kernels, int x, int y, int count,
                   struct pixel_chunk *chunk)
{
  const struct geometry *g = &plan->geometry;
  struct augment_line line = {g->x_x * x + g->x_y * y + g->x_0, g->y_x * x + g->y_y * y + g->y_0, g->x_x, g->y_x};
  if (!plan->near) {
    augment_sample(&plan->source, &line, count, chunk);
    return;
  }
  struct pixel_line near = {(int32_t)line.x, (int32_t)line.y, (int32_t)line.x_step, (int32_t)line.y_step};
  kernels->sample(&plan->source, &near, chunk);
}

static void load(const uint8_t *pixels, int count, struct pixel_chunk *chunk)
{
  for (int i = 0; i < count; i++)
    for (int c = 0; c < CHANNELS; c++) chunk->level[c][i] = pixels[CHANNELS * i + c] << 8;
}

void augment_apply_by(const struct pixel_kernels *kernels, const struct augment_parameters *parameters,
                      const uint8_t *source, int width, int height, uint8_t *out)
{
  struct plan plan = plan_of(parameters, source, width, height);
  struct pixel_chunk chunk;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x += CHUNK) {
      int count = width - x < CHUNK ? width - x : CHUNK;
      if (count < CHUNK) chunk = (struct pixel_chunk){0}; // the rest is computed with, never stored
      size_t at = ((size_t)y * (size_t)width + (size_t)x) * CHANNELS;
      if (plan.moves)
        sample(&plan, kernels, x, y, count, &chunk);
      else
        load(source + at, count, &chunk);
      if (plan.colours) kernels->colour(&plan.colour, &chunk);
      if (plan.noise) {
        int32_t samples[NOISE_SAMPLES];
        kernels->noise(plan.noise_key, (uint32_t)(x / CHUNK * NOISE_BLOCKS), (uint32_t)y, samples);
        kernels->add_noise(samples, plan.noise, &chunk);
      }
      kernels->store(&chunk, count, out + at);
    }
  }
}

void augment_apply(const struct augment_parameters *parameters, const uint8_t *source, int width, int height,
                   uint8_t *out)
{
  augment_apply_by(pixel_kernels(), parameters, source, width, height, out);
}
