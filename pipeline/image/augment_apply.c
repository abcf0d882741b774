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

#include "core/rng.h"
#include "image/augment.h"
#include "image/augment_parts.h"

enum { CHUNK = PIXEL_CHUNK, CHANNELS = 3, UNIT = PIXEL_UNIT };

struct plan {
  struct augment_geometry geometry;
  struct pixel_source source;
  struct pixel_colour colour;
  struct pixel_curve curve;
  struct pixel_noise noise;
  bool near, colours, curves, bordered;
  int32_t border[CHANNELS]; // levels
  int32_t noise_factor;
};

// --- colour ----------------------------------------------------------------------------------------------------------

static void multiply(double a[3][3], const double b[3][3])
{
  for (int row = 0; row < 3; row++) {
    const double x = a[row][0], y = a[row][1], z = a[row][2];
    for (int c = 0; c < 3; c++) a[row][c] = x * b[0][c] + y * b[1][c] + z * b[2][c];
  }
}

// Turns colours about the grey axis and stretches them from it: luma (Rec. 601) stays. In YUV, U to the right and V up.
static void turn(double m[3][3], double degrees, double saturation)
{
  const double r = 0.299, g = 0.587, b = 0.114, u = 0.492, v = 0.877;
  const double to_yuv[3][3] = {{r, g, b}, {-u * r, -u * g, u * (1 - b)}, {v * (1 - r), -v * g, -v * b}};
  const double from_yuv[3][3] = {{1, 0, 1 / v}, {1, -b / (g * u), -r / (g * v)}, {1, 1 / u, 0}};
  double angle = degrees * (3.14159265358979323846 / 180), c = saturation * cos(angle), s = saturation * sin(angle);
  const double chroma[3][3] = {{1, 0, 0}, {0, c, -s}, {0, s, c}};
  multiply(m, from_yuv);
  multiply(m, chroma);
  multiply(m, to_yuv);
}

static struct pixel_colour colour_of(const struct augment_parameters *p)
{
  struct pixel_colour colour = {.offset = (int32_t)lround(127.5 * (1 - (double)p->contrast) * 256)};
  double factor = (double)p->brightness * p->contrast;
  double m[3][3] = {{factor, 0, 0}, {0, factor, 0}, {0, 0, factor}};
  const double gain[3][3] = {{p->gain_r, 0, 0}, {0, p->gain_g, 0}, {0, 0, p->gain_b}};
  if (p->grey || p->hue != 0 || p->saturation != 1) turn(m, p->hue, p->grey ? 0 : p->saturation);
  multiply(m, gain);
  for (int row = 0; row < 3; row++)
    for (int c = 0; c < 3; c++) colour.matrix[row][c] = (int32_t)lround(m[row][c] * UNIT);
  return colour;
}

static struct pixel_curve curve_of(float gamma)
{
  struct pixel_curve curve;
  uint32_t knot = 0;
  for (int i = 0; i < CURVE_STEPS; i++) {
    double next = (i + 1) * (1024 / (255.0 * 256));
    uint32_t end = (uint32_t)lround(255 * 256 * pow(next, gamma));
    curve.knot[i] = knot | (end - knot) << 16;
    knot = end;
  }
  return curve;
}

static bool has_colours(const struct augment_parameters *p)
{
  return p->brightness != 1 || p->contrast != 1 || p->saturation != 1 || p->hue != 0 || p->grey || p->gain_r != 1 ||
         p->gain_g != 1 || p->gain_b != 1;
}

// --- noise -----------------------------------------------------------------------------------------------------------

static struct pixel_noise noise_of(uint64_t seed)
{
  struct pixel_noise noise;
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  for (uint32_t lane = 0; lane < NOISE_LANES; lane++) {
    const uint32_t counter[4] = {lane, 0, 0, 0};
    uint32_t block[4];
    rng_block(key, counter, block);
    for (int w = 0; w < 4; w++) noise.word[w][lane] = block[w] | (w == 0); // never all 0
  }
  return noise;
}

// --- the pass --------------------------------------------------------------------------------------------------------

static void plan_border(struct plan *plan, const struct augment_parameters *p)
{
  plan->source.mirrored = p->border == BORDER_MIRROR;
  plan->bordered = p->border == BORDER_COLOUR;
  for (int c = 0; c < CHANNELS; c++) plan->border[c] = (p->border_colour >> (16 - 8 * c) & 255) << 8;
}

static void plan_all(struct plan *plan, const struct augment_parameters *p, const uint8_t *source, int width,
                     int height)
{
  plan->geometry = augment_geometry(p, width, height);
  plan->source = (struct pixel_source){source, width, height, true};
  plan->near = augment_is_near(&plan->geometry, width, height);
  plan_border(plan, p);
  plan->colours = has_colours(p);
  if (plan->colours) plan->colour = colour_of(p);
  plan->curves = p->gamma != 1;
  if (plan->curves) plan->curve = curve_of(p->gamma);
  plan->noise_factor = (int32_t)lround(p->noise * 256 / NOISE_DEVIATION * UNIT);
  if (plan->noise_factor) plan->noise = noise_of(p->noise_seed);
}

static void sample(const struct plan *plan, const struct pixel_kernels *kernels, int x, int y, int count,
                   struct pixel_chunk *chunk)
{
  struct augment_line line = augment_line(&plan->geometry, x, y, count);
  if (plan->near) {
    struct pixel_line near = {(int32_t)line.x,      (int32_t)line.y,      (int32_t)line.x_step,
                              (int32_t)line.y_step, (int32_t)line.x_bend, (int32_t)line.y_bend};
    kernels->sample(&plan->source, &near, chunk);
  } else {
    augment_sample(&plan->source, &line, count, chunk);
  }
  if (plan->bordered) kernels->lay_over(plan->border, chunk);
}

static void load(const uint8_t *pixels, int count, struct pixel_chunk *chunk)
{
  for (int i = 0; i < count; i++)
    for (int c = 0; c < CHANNELS; c++) chunk->level[c][i] = pixels[CHANNELS * i + c] << 8;
}

void augment_apply_by(const struct pixel_kernels *kernels, const struct augment_parameters *parameters,
                      const uint8_t *source, int width, int height, uint8_t *out)
{
  struct plan plan;
  struct pixel_chunk chunk;
  plan_all(&plan, parameters, source, width, height);
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x += CHUNK) {
      int count = width - x < CHUNK ? width - x : CHUNK;
      if (count < CHUNK) chunk = (struct pixel_chunk){0}; // the rest is computed with, never stored
      size_t at = ((size_t)y * (size_t)width + (size_t)x) * CHANNELS;
      if (plan.geometry.moves)
        sample(&plan, kernels, x, y, count, &chunk);
      else
        load(source + at, count, &chunk);
      if (plan.colours) kernels->colour(&plan.colour, &chunk);
      if (plan.curves) kernels->curve(&plan.curve, &chunk);
      if (plan.noise_factor) kernels->add_noise(&plan.noise, plan.noise_factor, &chunk);
      kernels->store(&chunk, count, out + at);
    }
  }
}

void augment_apply(const struct augment_parameters *parameters, const uint8_t *source, int width, int height,
                   uint8_t *out)
{
  augment_apply_by(pixel_kernels(), parameters, source, width, height, out);
}
