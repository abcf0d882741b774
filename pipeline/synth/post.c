#include "synth/post.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum { BLUR_REACH = 24, CURVE_STEPS = 4096 };
static const float reference_side = 200; // of the settings that are in pixels

struct post {
  int size;
  float *copy, *row;              // [size, size, 3]; [size + 2 BLUR_REACH, 3]
  uint8_t curve[CURVE_STEPS + 1]; // from sqrt of linear light to sRGB
};

static uint8_t srgb(float linear)
{
  float value = linear <= 0.0031308f ? 12.92f * linear : 1.055f * powf(linear, 1 / 2.4f) - 0.055f;
  return (uint8_t)(value * 255 + 0.5f);
}

enum status post_new(struct post **out, int size, struct error *error)
{
  void *post = NULL, *copy = NULL, *row = NULL;
  enum status status = mem_zeroed(&post, 1, sizeof **out, "a camera", error);
  if (!status) status = mem_aligned(&copy, (size_t)size * (size_t)size, 3 * sizeof(float), "a camera's picture", error);
  if (!status) status = mem_aligned(&row, (size_t)size + 2 * BLUR_REACH, 3 * sizeof(float), "a camera's row", error);
  if (status) {
    free(post), free(copy), free(row);
    return status;
  }
  *out = post;
  **out = (struct post){.size = size, .copy = copy, .row = row};
  for (int i = 0; i <= CURVE_STEPS; i++) {
    float root = (float)i / CURVE_STEPS;
    (*out)->curve[i] = srgb(root * root);
  }
  return OK;
}

void post_free(struct post *post)
{
  if (!post) return;
  free(post->copy);
  free(post->row);
  free(post);
}

// --- focus and motion ----------------------------------------------------------------------------------------------

static int gaussian(float sigma, float weights[2 * BLUR_REACH + 1])
{
  int reach = (int)ceilf(2.5f * sigma);
  if (reach > BLUR_REACH) reach = BLUR_REACH;
  float sum = 0;
  for (int i = -reach; i <= reach; i++) sum += weights[i + reach] = expf(-0.5f * (float)(i * i) / (sigma * sigma));
  for (int i = 0; i <= 2 * reach; i++) weights[i] /= sum;
  return reach;
}

// The row with its ends repeated `reach` times, blurred back into its place.
static void blur_row(float *restrict row, float *restrict wide, int size, const float *weights, int reach)
{
  for (int i = 0; i < reach; i++) {
    memcpy(wide + 3 * i, row, 3 * sizeof *row);
    memcpy(wide + 3 * (reach + size + i), row + 3 * (size - 1), 3 * sizeof *row);
  }
  memcpy(wide + 3 * reach, row, 3 * sizeof *row * (size_t)size);
  memset(row, 0, 3 * sizeof *row * (size_t)size);
  for (int k = 0; k <= 2 * reach; k++) {
    const float *from = wide + 3 * k;
    for (int i = 0; i < 3 * size; i++) row[i] += weights[k] * from[i];
  }
}

void post_blur(struct post *post, float *pixels, float sigma)
{
  float weights[2 * BLUR_REACH + 1] = {0};
  if (sigma < 0.2f) return;
  int size = post->size, reach = gaussian(sigma, weights);
  size_t stride = 3 * (size_t)size;
  for (int y = 0; y < size; y++) blur_row(pixels + (size_t)y * stride, post->row, size, weights, reach);
  memcpy(post->copy, pixels, (size_t)size * stride * sizeof *pixels);
  for (int y = 0; y < size; y++) {
    float *restrict row = pixels + (size_t)y * stride;
    memset(row, 0, stride * sizeof *row);
    for (int k = -reach; k <= reach; k++) {
      int line = y + k < 0 ? 0 : y + k >= size ? size - 1 : y + k;
      const float *restrict from = post->copy + (size_t)line * stride;
      for (size_t i = 0; i < stride; i++) row[i] += weights[k + reach] * from[i];
    }
  }
}

// The mean of the picture at places along a line: whole pixels, since a blur follows or went before.
static void move(struct post *post, float *pixels, float length, float heading)
{
  int size = post->size, taps = (int)(length + 1.5f);
  if (taps < 2) return;
  size_t stride = 3 * (size_t)size;
  memcpy(post->copy, pixels, (size_t)size * stride * sizeof *pixels);
  memset(pixels, 0, (size_t)size * stride * sizeof *pixels);
  float share = 1 / (float)taps;
  for (int t = 0; t < taps; t++) {
    float along = (float)t - 0.5f * (float)(taps - 1);
    int dx = (int)lroundf(along * cosf(heading)), dy = (int)lroundf(along * sinf(heading));
    for (int y = 0; y < size; y++) {
      int line = y + dy < 0 ? 0 : y + dy >= size ? size - 1 : y + dy;
      const float *from = post->copy + (size_t)line * stride;
      float *row = pixels + (size_t)y * stride;
      for (int x = 0; x < size; x++) {
        int column = x + dx < 0 ? 0 : x + dx >= size ? size - 1 : x + dx;
        for (int c = 0; c < 3; c++) row[3 * x + c] += share * from[3 * column + c];
      }
    }
  }
}

// --- light to numbers ----------------------------------------------------------------------------------------------

static float mean_light(const float *pixels, int size)
{
  double sum = 0; // a picture's middle counts more, as cameras weigh it
  double weights = 0;
  for (int y = 0; y < size; y++) {
    for (int x = 0; x < size; x++, pixels += 3) {
      float dx = 2 * (float)x / (float)size - 1, dy = 2 * (float)y / (float)size - 1;
      float weight = 1.5f - 0.5f * (dx * dx + dy * dy);
      float light = 0.2126f * pixels[0] + 0.7152f * pixels[1] + 0.0722f * pixels[2];
      sum += (double)(weight * (light < 4 ? light : 4));
      weights += (double)weight;
    }
  }
  return (float)(sum / weights);
}

// Below 0.8 light stays as it is; above, it bends towards 1 and never gets there.
static float shoulder(float light)
{
  return light < 0.8f ? light : 1 - 0.04f / (light - 0.6f);
}

// Two numbers with mean 0 and standard deviation 1 out of 32 bits: differences of two bytes each.
static void two_grains(uint32_t bits, float out[2])
{
  static const float unit = 1 / 104.5f; // the deviation of the difference of two bytes
  out[0] = (float)((int)(bits & 255) - (int)(bits >> 8 & 255)) * unit;
  out[1] = (float)((int)(bits >> 16 & 255) - (int)(bits >> 24)) * unit;
}

struct developer {
  const struct post *post;
  const struct camera_settings *settings;
  float gains[3];
  struct rng noise;
};

static void develop_row(struct developer *developer, int y, const float *pixels, uint8_t *out)
{
  const struct camera_settings *s = developer->settings;
  int size = developer->post->size;
  float half = 0.5f * (float)size, dy = ((float)y + 0.5f) / half - 1, grains[4];
  float read = s->read_noise * s->read_noise, shot = s->shot_noise * s->shot_noise;
  for (int x = 0; x < size; x++, pixels += 3, out += 3) {
    float dx = ((float)x + 0.5f) / half - 1, fall = 1 - 0.5f * s->vignette * (dx * dx + dy * dy);
    float light[3], grey;
    two_grains(rng_bits(&developer->noise), grains);
    two_grains(rng_bits(&developer->noise), grains + 2);
    for (int c = 0; c < 3; c++) {
      float exposed = pixels[c] * developer->gains[c] * fall;
      light[c] = exposed + grains[c] * sqrtf(read + shot * (exposed < 1 ? exposed : 1));
    }
    grey = 0.2126f * light[0] + 0.7152f * light[1] + 0.0722f * light[2];
    for (int c = 0; c < 3; c++) {
      float value = shoulder(grey + s->saturation * (light[c] - grey));
      float root = sqrtf(value > 0 ? value : 0);
      root += s->contrast * (root - 0.5f) * (1 - root) * root * 2; // an S around the middle
      int step = (int)(root * CURVE_STEPS);
      out[c] = developer->post->curve[step < 0 ? 0 : step > CURVE_STEPS ? CURVE_STEPS : step];
    }
  }
}

void post_expose(struct post *post, const struct camera_settings *settings, struct rng noise, float *pixels,
                 struct image *out)
{
  int size = post->size;
  float scale = (float)size / reference_side;
  post_blur(post, pixels, settings->blur * scale);
  move(post, pixels, settings->motion * scale, settings->heading);
  float gain = exp2f(settings->stops) * powf(0.3f / fmaxf(mean_light(pixels, size), 0.005f), settings->metering);
  struct developer developer = {.post = post, .settings = settings, .noise = noise};
  for (int c = 0; c < 3; c++) developer.gains[c] = gain * settings->white[c];
  for (int y = 0; y < size; y++) {
    size_t at = 3 * (size_t)size * (size_t)y;
    develop_row(&developer, y, pixels + at, out->pixels + at);
  }
}
