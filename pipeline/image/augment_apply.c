// One pass over the picture, PIXEL_CHUNK pixels of a row at a time: sample, lay over another background, shade, colour,
// erase, noise, store (image/pixels.h). What looks at a pixel's neighbours (augment_camera.c) goes over the whole
// picture afterwards, and then noise waits for it.
//
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
#include "image/background.h"

enum { CHUNK = PIXEL_CHUNK, CHANNELS = 3, UNIT = PIXEL_UNIT };

// What is seen behind the hand: a texture or a photograph, lying anyhow, where the mask has no hand.
struct backdrop {
  struct augment_geometry geometry;
  struct pixel_source source, mask;
  bool near;
  uint8_t hand[3 * BACKGROUND_CELLS], texture[3 * BACKGROUND_CELLS];
};

// The rectangle that is erased, in pixels, and what is there instead.
struct patch {
  int left, right, top, bottom;
  uint8_t texture[3 * BACKGROUND_CELLS];
};

struct plan {
  int width, height;
  struct augment_geometry geometry;
  struct pixel_source source;
  struct backdrop backdrop;
  struct pixel_chunk border;
  struct pixel_shade shade; // of a row's beginning; its strength alone counts in the plan
  double shade_x, shade_y, shade_0;
  struct pixel_colour colour;
  struct pixel_curve curve;
  struct patch patch;
  struct pixel_noise noise;
  bool samples, near, bordered, has_backdrop, colours, curves, erases, softens;
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

// Every fourth level by the formula, straight lines between.
static struct pixel_curve curve_of(float gamma)
{
  struct pixel_curve curve;
  long knot = 0;
  for (int i = 0; i < CURVE_LEVELS; i += 4) {
    long next = lround(255 * 256 * pow((i + 4) / 255.0, (double)gamma));
    for (int part = 0; part < 4; part++) curve.level[i + part] = (uint16_t)(knot + (next - knot) * part / 4);
    knot = next;
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

static void add_noise(struct plan *plan, const struct pixel_kernels *kernels, struct pixel_chunk *chunk)
{
  if (plan->noise_factor) kernels->add_noise(&plan->noise, plan->noise_factor, chunk);
}

// --- scene -----------------------------------------------------------------------------------------------------------

static void plan_border(struct plan *plan, const struct augment_parameters *p)
{
  plan->source.mirrored = p->border == BORDER_MIRROR;
  plan->bordered = p->border == BORDER_COLOUR;
  for (int c = 0; plan->bordered && c < CHANNELS; c++)
    for (int i = 0; i < CHUNK; i++) plan->border.level[c][i] = (p->border_colour >> (16 - 8 * c) & 255) << 8;
}

// How a background lies: turned and shifted, shown whole or a part of it.
static struct augment_parameters placed(uint32_t seed)
{
  struct rng rng = rng_at(seed, RNG_AUGMENT, seed, UINT64_MAX - 1);
  struct augment_parameters p = augment_identity();
  p.rotate = rng_uniform(&rng, -30, 30);
  p.translate_x = rng_uniform(&rng, -0.5f, 0.5f);
  p.translate_y = rng_uniform(&rng, -0.5f, 0.5f);
  p.zoom = rng_uniform(&rng, 0.7f, 1.9f);
  p.flip = rng_uniform(&rng, 0, 1) < 0.5f;
  return p;
}

static void plan_backdrop(struct plan *plan, const struct augment_parameters *p, const uint8_t *behind)
{
  struct backdrop *backdrop = &plan->backdrop;
  int width = plan->width, height = plan->height;
  if (p->background == BACKGROUND_OWN || width < 2 || height < 2) return;
  if (!background_find_hand(plan->source.pixels, width, height, backdrop->hand)) return;
  plan->has_backdrop = true;
  plan->source.mirrored = plan->bordered = false;
  struct augment_parameters lies = placed((uint32_t)p->background_seed);
  backdrop->geometry = augment_geometry(&lies, width, height);
  backdrop->near = augment_is_near(&backdrop->geometry, width, height);
  backdrop->mask = (struct pixel_source){backdrop->hand, BACKGROUND_GRID, BACKGROUND_GRID, false};
  if (p->background == BACKGROUND_PICTURE && behind) {
    backdrop->source = (struct pixel_source){behind, width, height, true};
  } else {
    background_texture((uint32_t)p->background_seed, backdrop->texture);
    backdrop->source = (struct pixel_source){backdrop->texture, BACKGROUND_GRID, BACKGROUND_GRID, true};
  }
}

static void lay_over_backdrop(const struct plan *plan, const struct pixel_kernels *kernels,
                              const struct augment_line *line, int x, int y, int count, struct pixel_chunk *chunk)
{
  const struct backdrop *backdrop = &plan->backdrop;
  int width = plan->width, height = plan->height;
  struct pixel_chunk other = {0};
  struct augment_line in = augment_line_in(line, width, height, BACKGROUND_GRID, BACKGROUND_GRID);
  augment_sample_by(kernels, plan->near, &backdrop->mask, &in, count, &other);
  kernels->mask(&other, chunk);
  in = augment_line(&backdrop->geometry, x, y, count);
  in = augment_line_in(&in, width, height, backdrop->source.width, backdrop->source.height);
  augment_sample_by(kernels, backdrop->near, &backdrop->source, &in, count, &other);
  kernels->lay_over(&other, chunk);
}

// The distance from the shadow's edge, in widths of the edge, is linear over the picture.
static void plan_shade(struct plan *plan, const struct augment_parameters *p)
{
  double half = sqrt((double)plan->width * plan->width + (double)plan->height * plan->height) / 2;
  double unit = half * p->shadow_soft, angle = p->shadow_angle * (3.14159265358979323846 / 180);
  plan->shade.strength = (int32_t)lround((double)p->shadow * UNIT);
  plan->shade_x = cos(angle) / unit;
  plan->shade_y = sin(angle) / unit;
  plan->shade_0 = -plan->shade_x * (plan->width - 1) / 2 - plan->shade_y * (plan->height - 1) / 2 -
                  (double)p->shadow_at / p->shadow_soft;
}

static void shade(const struct plan *plan, const struct pixel_kernels *kernels, int x, int y, struct pixel_chunk *chunk)
{
  struct pixel_shade shade = plan->shade;
  shade.at = (int32_t)lround((plan->shade_x * x + plan->shade_y * y + plan->shade_0) * (1 << PIXEL_FRACTION));
  shade.step = (int32_t)lround(plan->shade_x * (1 << PIXEL_FRACTION));
  kernels->shade(&shade, chunk);
}

static void plan_patch(struct plan *plan, const struct augment_parameters *p)
{
  struct patch *patch = &plan->patch;
  plan->erases = p->erase != 0;
  if (!plan->erases) return;
  patch->left = (int)lround((double)p->erase_x * plan->width);
  patch->right = patch->left + (int)lround((double)p->erase_width * plan->width);
  patch->top = (int)lround((double)p->erase_y * plan->height);
  patch->bottom = patch->top + (int)lround((double)p->erase_height * plan->height);
  if (p->erase == 2)
    background_texture((uint32_t)p->erase_colour, patch->texture);
  else
    for (int i = 0; i < 3 * BACKGROUND_CELLS; i++)
      patch->texture[i] = (uint8_t)(p->erase_colour >> (16 - 8 * (i % CHANNELS)));
}

static void erase(const struct patch *patch, int x, int y, int count, struct pixel_chunk *chunk)
{
  if (y < patch->top || y >= patch->bottom) return;
  for (int i = 0; i < count; i++) {
    if (x + i < patch->left || x + i >= patch->right) continue;
    const uint8_t *from =
        patch->texture + CHANNELS * (y % BACKGROUND_GRID * BACKGROUND_GRID + (x + i) % BACKGROUND_GRID);
    for (int c = 0; c < CHANNELS; c++) chunk->level[c][i] = from[c] << 8;
  }
}

// --- the pass --------------------------------------------------------------------------------------------------------

static void plan_all(struct plan *plan, const struct augment_parameters *p, const uint8_t *source,
                     const uint8_t *behind)
{
  plan->geometry = augment_geometry(p, plan->width, plan->height);
  plan->source = (struct pixel_source){source, plan->width, plan->height, true};
  plan->near = augment_is_near(&plan->geometry, plan->width, plan->height);
  plan_border(plan, p);
  plan->has_backdrop = false;
  plan_backdrop(plan, p, behind);
  plan->samples = plan->geometry.moves || plan->has_backdrop;
  plan_shade(plan, p);
  plan->colours = has_colours(p);
  if (plan->colours) plan->colour = colour_of(p);
  plan->curves = p->gamma != 1;
  if (plan->curves) plan->curve = curve_of(p->gamma);
  plan_patch(plan, p);
  plan->softens = augment_softens(p, plan->width, plan->height);
  plan->noise_factor = (int32_t)lround(p->noise * 256 / NOISE_DEVIATION * UNIT);
  if (plan->noise_factor) plan->noise = noise_of(p->noise_seed);
}

static void sample(const struct plan *plan, const struct pixel_kernels *kernels, int x, int y, int count,
                   struct pixel_chunk *chunk)
{
  struct augment_line line = augment_line(&plan->geometry, x, y, count);
  augment_sample_by(kernels, plan->near, &plan->source, &line, count, chunk);
  if (plan->has_backdrop) lay_over_backdrop(plan, kernels, &line, x, y, count, chunk);
  if (plan->bordered) kernels->lay_over(&plan->border, chunk);
}

static void make_chunk(struct plan *plan, const struct pixel_kernels *kernels, const uint8_t *source, int x, int y,
                       int count, struct pixel_chunk *chunk)
{
  if (plan->samples)
    sample(plan, kernels, x, y, count, chunk);
  else
    kernels->load(source, count, chunk);
  if (plan->shade.strength) shade(plan, kernels, x, y, chunk);
  if (plan->colours) kernels->colour(&plan->colour, chunk);
  if (plan->curves) kernels->curve(&plan->curve, chunk);
  if (plan->erases) erase(&plan->patch, x, y, count, chunk);
  if (!plan->softens) add_noise(plan, kernels, chunk);
}

static void make_picture(struct plan *plan, const struct pixel_kernels *kernels, const uint8_t *source, uint8_t *out)
{
  struct pixel_chunk chunk;
  for (int y = 0; y < plan->height; y++)
    for (int x = 0; x < plan->width; x += CHUNK) {
      int count = plan->width - x < CHUNK ? plan->width - x : CHUNK;
      size_t at = ((size_t)y * (size_t)plan->width + (size_t)x) * CHANNELS;
      if (count < CHUNK) chunk = (struct pixel_chunk){0}; // the rest is computed with, never stored
      make_chunk(plan, kernels, source + at, x, y, count, &chunk);
      kernels->store(&chunk, count, out + at);
    }
}

static void make_noise(struct plan *plan, const struct pixel_kernels *kernels, uint8_t *out)
{
  size_t pixels = (size_t)plan->width * (size_t)plan->height;
  for (size_t at = 0; at < pixels; at += CHUNK) {
    int count = pixels - at < CHUNK ? (int)(pixels - at) : CHUNK;
    struct pixel_chunk chunk;
    kernels->load(out + at * CHANNELS, count, &chunk);
    add_noise(plan, kernels, &chunk);
    kernels->store(&chunk, count, out + at * CHANNELS);
  }
}

void augment_apply_by(const struct pixel_kernels *kernels, const struct augment_parameters *parameters,
                      const uint8_t *source, const uint8_t *behind, int width, int height, uint8_t *out)
{
  struct plan plan;
  plan.width = width, plan.height = height;
  plan_all(&plan, parameters, source, behind);
  make_picture(&plan, kernels, source, out);
  if (plan.softens) augment_soften(kernels, parameters, out, width, height);
  if (plan.softens && plan.noise_factor) make_noise(&plan, kernels, out);
  augment_recompress(kernels, parameters, out, width, height);
}

void augment_apply(const struct augment_parameters *parameters, const uint8_t *source, const uint8_t *behind, int width,
                   int height, uint8_t *out)
{
  augment_apply_by(pixel_kernels(), parameters, source, behind, width, height, out);
}
