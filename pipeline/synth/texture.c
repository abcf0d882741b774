#include "synth/texture.h"

#include <math.h>
#include <stdbool.h>

#include "synth/noise.h"

static float clamp01(float x)
{
  return x < 0 ? 0 : x > 1 ? 1 : x;
}

static float mix(float a, float b, float share)
{
  return a + (b - a) * share;
}

static void mix_colours(const float a[3], const float b[3], float share, float out[3])
{
  for (int c = 0; c < 3; c++) out[c] = mix(a[c], b[c], share);
}

static void scale_colour(float colour[3], float factor)
{
  for (int c = 0; c < 3; c++) colour[c] *= factor;
}

// A line of `width` at each whole multiple of `period`, as the share of the pixel that it covers.
static float line_at(float x, float period, float width, float footprint)
{
  float distance = fabsf(x - period * (float)noise_floor(x / period + 0.5f));
  float edge = 0.5f * footprint + 1e-4f;
  return clamp01((0.5f * width + edge - distance) / (2 * edge)) * (width < 2 * edge ? width / (2 * edge) : 1);
}

// How much of a pattern of this period is left in a pixel of this footprint.
static float visible(float period, float footprint)
{
  return clamp01(2 - 3 * footprint / period);
}

static void paint(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float stains = noise_octaves(u * 1.3f, v * 1.3f, 3, footprint * 1.3f, s->seed);
  float grain = noise_octaves(u * 90 * s->scale, v * 90 * s->scale, 2, footprint * 90 * s->scale, s->seed + 7);
  mix_colours(s->base, s->other, clamp01(0.5f * s->contrast * (1 + stains)), out);
  scale_colour(out, 1 + 0.35f * s->contrast * grain);
}

static void planks(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float width = 0.13f * s->scale, length = 1.1f * s->scale;
  int row = noise_floor(v / width);
  float shifted = u + length * noise_cell(row, 0, s->seed);
  int plank = noise_floor(shifted / length);
  float tint = noise_cell(row, plank, s->seed + 1), across = v / width - (float)row;
  float bend = 0.3f * noise_at(shifted * 2, across * 2 + tint * 40, s->seed + 2);
  float lines = noise_octaves(shifted * 2.5f, (across + bend) * 11 + tint * 100, 3, footprint * 70, s->seed + 3);
  mix_colours(s->base, s->other, clamp01(0.5f + s->contrast * (0.7f * (tint - 0.5f) + 0.6f * lines)), out);
  float gap = line_at(v, width, 0.004f, footprint) + 0.6f * line_at(shifted, length, 0.004f, footprint);
  scale_colour(out, 1 - 0.65f * clamp01(gap));
}

static void carpet(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float scale = 60 / s->scale;
  float pile = noise_octaves(u * scale, v * scale, 4, footprint * scale * 0.5f, s->seed);
  float worn = noise_octaves(u * 2, v * 2, 2, footprint, s->seed + 9);
  mix_colours(s->base, s->other, clamp01(0.5f + s->contrast * (0.9f * pile + 0.3f * worn)), out);
}

static void bricks(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float height = 0.075f * s->scale, width = 0.23f * s->scale;
  int row = noise_floor(v / height);
  float shifted = u + (row & 1 ? 0.5f * width : 0);
  int brick = noise_floor(shifted / width);
  float mortar =
      line_at(v, height, 0.011f * s->scale, footprint) + line_at(shifted, width, 0.011f * s->scale, footprint);
  float face = noise_octaves(u * 30, v * 30, 3, footprint * 30, s->seed);
  float tint = noise_cell(row, brick, s->seed + 1) - 0.5f;
  // Light falls on the upper edges of bricks, shade on the lower ones.
  float edge = line_at(v - 0.01f * s->scale, height, 0.008f * s->scale, footprint) -
               line_at(v + 0.01f * s->scale, height, 0.008f * s->scale, footprint);
  float base[3];
  for (int c = 0; c < 3; c++) base[c] = s->base[c] * (1 + s->contrast * (0.5f * tint + 0.35f * face - 0.25f * edge));
  mix_colours(base, s->other, clamp01(mortar), out);
}

static void tiles(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float side = 0.2f * s->scale;
  float grout = line_at(u, side, 0.006f * s->scale, footprint) + line_at(v, side, 0.006f * s->scale, footprint);
  float tint = noise_cell(noise_floor(u / side), noise_floor(v / side), s->seed) - 0.5f;
  float veins = noise_octaves(u * 6, v * 6, 4, footprint * 6, s->seed + 1);
  float base[3];
  for (int c = 0; c < 3; c++) base[c] = s->base[c] * (1 + s->contrast * (0.2f * tint + 0.25f * veins));
  mix_colours(base, s->other, clamp01(grout), out);
}

static void blinds(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float pitch = 0.045f * s->scale, at = v / pitch - (float)noise_floor(v / pitch);
  float slat = at < 0.72f ? 0.55f + 0.5f * at : 1.35f; // a slat is lit from below; between two shines the day
  slat = mix(1.0f, slat, visible(pitch, footprint) * (0.3f + 0.7f * s->contrast));
  float day = 0.85f + 0.3f * noise_at(u * 3, v * 3, s->seed);
  float ladder = line_at(u, 0.55f, 0.012f, footprint);
  mix_colours(s->base, s->other, at < 0.72f ? 0 : clamp01(visible(pitch, footprint)), out);
  scale_colour(out, slat * day * (1 - 0.25f * ladder));
}

static void curtain(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float width = 0.12f * s->scale, bend = noise_at(u * 5, v * 0.7f, s->seed);
  float fold = 0.5f + 0.5f * sinf(6.2832f * (u / width + 1.3f * bend));
  float weave = noise_octaves(u * 200, v * 200, 1, footprint * 200, s->seed + 1);
  mix_colours(s->base, s->other, 0.35f * s->contrast * (1 - fold), out);
  scale_colour(out, mix(1 - 0.55f * s->contrast, 1, fold) * (1 + 0.1f * weave));
}

// A few dyes that covers, cloths and packets have; `which` in [0, 1).
static void dye(float which, uint32_t seed, float out[3])
{
  static const float dyes[][3] = {
      {0.60f, 0.58f, 0.52f}, {0.03f, 0.03f, 0.04f}, {0.35f, 0.04f, 0.03f}, {0.03f, 0.08f, 0.25f},
      {0.05f, 0.18f, 0.08f}, {0.55f, 0.35f, 0.06f}, {0.20f, 0.10f, 0.05f}, {0.75f, 0.75f, 0.73f},
      {0.10f, 0.25f, 0.35f}, {0.40f, 0.12f, 0.15f}, {0.15f, 0.15f, 0.17f}, {0.45f, 0.28f, 0.16f},
  };
  enum { DYES = sizeof dyes / sizeof *dyes };
  int index = (int)(which * DYES) % DYES;
  float strength = 0.6f + 0.7f * noise_cell(index, 3, seed);
  for (int c = 0; c < 3; c++) out[c] = clamp01(dyes[index][c] * strength);
}

static void books(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float height = 0.31f * s->scale, width = 0.034f * s->scale;
  int shelf = noise_floor(v / height);
  float up = v / height - (float)shelf, place = u / width + 17 * noise_cell(shelf, 1, s->seed);
  int book = noise_floor(place);
  float across = place - (float)book;
  // A book's width varies by moving the border to its neighbour.
  if (across > 0.55f + 0.45f * noise_cell(shelf, book, s->seed)) book++, across = 0.1f;
  float tall = 0.62f + 0.25f * noise_cell(shelf, book, s->seed + 1);
  if (up < 0.07f) { // the board
    mix_colours(s->base, s->other, 0.3f, out);
    return;
  }
  bool gone = noise_cell(shelf, book / 5, s->seed + 2) < 0.25f;
  if (up > tall || gone) { // the shelf's back, in its shade
    mix_colours(s->base, s->base, 0, out);
    scale_colour(out, 0.25f + 0.2f * (1 - up));
    return;
  }
  dye(noise_cell(shelf, book, s->seed + 3), s->seed, out);
  float title = line_at(up - 0.35f, 1, 0.12f, footprint / height) * noise_cell((int)(v * 150), book, s->seed + 4);
  for (int c = 0; c < 3; c++) out[c] = mix(out[c], 0.7f, 0.5f * title);
  scale_colour(out, mix(1, 0.45f, visible(width, footprint) * 4 * (across - 0.5f) * (across - 0.5f)));
}

static void keys(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float side = 0.019f * s->scale;
  int row = noise_floor(v / side);
  float shifted = u + 0.3f * side * (float)(row & 3);
  float gap =
      clamp01(line_at(v, side, 0.004f * s->scale, footprint) + line_at(shifted, side, 0.004f * s->scale, footprint));
  float x = shifted / side - (float)noise_floor(shifted / side) - 0.4f, y = v / side - (float)row - 0.6f;
  bool letter =
      fabsf(x) < 0.14f && fabsf(y) < 0.16f && noise_cell((int)(x * 14), (int)(y * 14), s->seed + (uint32_t)row) > 0.4f;
  float legend = letter ? visible(0.006f * s->scale, footprint) : 0;
  for (int c = 0; c < 3; c++) {
    float ink = s->base[c] > 0.3f ? 0.05f : 0.6f;
    out[c] = mix(mix(s->base[c], ink, legend), s->other[c], gap);
  }
}

static void print(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float pitch = 0.011f * s->scale;
  int row = noise_floor(v / pitch);
  float up = v / pitch - (float)row;
  bool heading = noise_cell(row, 5, s->seed) < 0.07f, empty = noise_cell(row, 6, s->seed) < 0.18f;
  float word = noise_at(u * 90 / s->scale, (float)row * 7.7f, s->seed);
  float ink = (up > 0.25f && up < 0.7f && word > 0.36f && !empty) ? 1 : 0;
  ink = mix(0.28f * (1 - empty), ink, visible(pitch, footprint)) * (heading ? 1.0f : 0.75f) * s->contrast;
  mix_colours(s->base, s->other, clamp01(ink), out);
}

static void leaves(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float scale = 14 / s->scale, depth = 0, light = 0;
  // Layers of blobs: the nearest layer that has a leaf here is seen, farther ones are darker.
  for (int layer = 0; layer < 3; layer++) {
    uint32_t seed = s->seed + 31u * (uint32_t)layer;
    float turn = 0.6f + 0.9f * (float)layer;
    float x = u * cosf(turn) - v * sinf(turn), y = u * sinf(turn) + v * cosf(turn);
    float blob = noise_at(x * scale * 1.7f, y * scale * 0.8f, seed);
    if (blob < 0.52f) continue;
    depth = 1 - 0.3f * (float)layer;
    light = clamp01((blob - 0.52f) * 4) * (0.5f + 0.5f * noise_at(x * 3, y * 3, seed + 1));
    break;
  }
  float clumps = noise_octaves(u * 2.2f / s->scale, v * 2.2f / s->scale, 3, footprint, s->seed + 5);
  mix_colours(s->base, s->other, light, out);
  float shade = depth > 0 ? depth * (0.8f + 0.6f * s->contrast * clumps) : 0.18f;
  scale_colour(out, mix(0.55f, shade, visible(1.2f / scale, footprint)));
}

static void lawn(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float blades = noise_octaves(u * 45, v * 12, 3, footprint * 45, s->seed);
  float patches = noise_octaves(u * 1.1f, v * 1.1f, 3, footprint, s->seed + 3);
  mix_colours(s->base, s->other, clamp01(0.5f + 0.7f * patches + 0.2f * blades), out);
  scale_colour(out, 1 + 0.7f * s->contrast * blades);
}

static void cloth(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float pitch = 0.06f * s->scale, stripe = noise_cell(noise_floor(u / pitch), 0, s->seed);
  float cross = noise_cell(noise_floor(v / pitch), 1, s->seed);
  float weave = noise_octaves(u * 260, v * 260, 2, footprint * 260, s->seed + 2);
  float folds = noise_octaves(u * 3.5f, v * 2.2f, 3, footprint * 3, s->seed + 3);
  mix_colours(s->base, s->other, s->contrast * (stripe > 0.6f ? 0.6f : 0) + s->contrast * (cross > 0.7f ? 0.4f : 0),
              out);
  scale_colour(out, clamp01(0.85f + 0.35f * folds + 0.15f * weave));
}

static void picture(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float scale = 5 / s->scale;
  float x = u * scale + 0.8f * noise_octaves(u * scale, v * scale, 2, footprint * scale, s->seed + 1);
  float y = v * scale + 0.8f * noise_octaves(v * scale, u * scale, 2, footprint * scale, s->seed + 2);
  float patch = noise_at(x, y, s->seed),
        detail = noise_octaves(u * scale * 6, v * scale * 6, 3, footprint * scale * 6, s->seed + 4);
  float one[3], two[3];
  dye(noise_cell((int)(patch * 7), 1, s->seed), s->seed, one);
  mix_colours(s->base, s->other, clamp01(2 * patch - 0.5f), two);
  mix_colours(two, one, 0.3f + 0.6f * s->contrast, out);
  scale_colour(out, clamp01(0.8f + 0.5f * detail));
}

static void outside(const struct surface *s, float u, float v, float footprint, float out[3])
{
  float horizon = 1.2f + 0.5f * noise_octaves(u * 1.5f, 0, 3, footprint, s->seed);
  if (v < horizon) {
    struct surface trees = *s;
    trees.scale = 2.5f * s->scale;
    static const float dark[3] = {0.02f, 0.05f, 0.015f}, bright[3] = {0.16f, 0.26f, 0.07f};
    for (int c = 0; c < 3; c++) trees.base[c] = dark[c], trees.other[c] = bright[c];
    leaves(&trees, u, v, footprint, out);
    return;
  }
  float clouds = noise_octaves(u * 0.8f, v * 1.6f, 4, footprint, s->seed + 1);
  mix_colours(s->base, s->other, clamp01(0.5f + clouds), out);
}

void texture_at(const struct surface *surface, float u, float v, float footprint, float out[3])
{
  static void (*const textures[TEXTURE_KINDS])(const struct surface *, float, float, float, float[3]) = {
      [TEXTURE_PAINT] = paint, [TEXTURE_PLANKS] = planks,   [TEXTURE_CARPET] = carpet,   [TEXTURE_BRICKS] = bricks,
      [TEXTURE_TILES] = tiles, [TEXTURE_BLINDS] = blinds,   [TEXTURE_CURTAIN] = curtain, [TEXTURE_BOOKS] = books,
      [TEXTURE_KEYS] = keys,   [TEXTURE_PRINT] = print,     [TEXTURE_LEAVES] = leaves,   [TEXTURE_LAWN] = lawn,
      [TEXTURE_CLOTH] = cloth, [TEXTURE_PICTURE] = picture, [TEXTURE_OUTSIDE] = outside,
  };
  textures[surface->texture](surface, u, v, footprint, out);
  for (int c = 0; c < 3; c++) out[c] = out[c] < 0 ? 0 : out[c];
}
