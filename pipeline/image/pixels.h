// The loops over pixels that resizing and augmentation spend their time in, compiled for several instruction sets and
// chosen when the program runs. All of them are integer arithmetic: every table gives the same bits.
//
// To add a loop: plain C in pixels.inc over a fixed number of elements, so that compilers turn it into vector code, a
// member here, and a comparison of all tables in tests/unit/test_pixels.c.
#ifndef IMAGE_PIXELS_H
#define IMAGE_PIXELS_H

#include <stddef.h>
#include <stdint.h>

enum {
  PIXEL_CHUNK = 64,     // pixels of a row that augmentation works on at a time
  PIXEL_FRACTION = 16,  // bits of fraction of a coordinate
  PIXEL_UNIT = 1 << 12, // the factor 1 of colours and noise
  MIX_UNIT = 1 << 14,   // what the weights of one output sum to
  NOISE_BLOCKS = 48,
  NOISE_SAMPLES = 4 * NOISE_BLOCKS
};

// Sqrt(4 * (256^2 - 1) / 12): of a noise sample.
#define NOISE_DEVIATION 147.80054127102265

// Levels with 8 bits of fraction (0..65,280 unless colours or noise carried them beyond), in planes.
struct pixel_chunk {
  int32_t level[3][PIXEL_CHUNK];
};

// An RGB picture to sample from; sides of 2 to 8,192 pixels.
struct pixel_source {
  const uint8_t *pixels;
  int32_t width, height;
};

// The coordinates of a row's pixels: (x, y) + i * (x_step, y_step), PIXEL_FRACTION bits of fraction.
struct pixel_line {
  int32_t x, y, x_step, y_step;
};

struct pixel_colour {
  int32_t own, luma; // factors of the channel itself and of the pixel's luma
  int32_t offset;    // levels with 8 bits of fraction, times PIXEL_UNIT
};

// Along one side of a picture: output o is mixed of the `taps` inputs from first[o] on, by weights[o * taps ...], which
// sum to MIX_UNIT.
struct mix {
  int count, taps;
  int32_t *first;    // [count]
  uint32_t *weights; // [count, taps]
};

struct pixel_kernels {
  const char *name;

  // out[i] = 256 times the weighted mean of source[i], source[stride + i], ...; i < n. Weights sum to MIX_UNIT.
  void (*mix_rows)(const uint8_t *source, size_t stride, const uint32_t *weights, int taps, size_t n, uint32_t *out);

  // A line of mix->count pixels; `row` has levels times 256, and may be read one element beyond its last pixel.
  void (*mix_columns)(const uint32_t *row, const struct mix *mix, uint8_t *out);

  // PIXEL_CHUNK bilinear samples; pixels of the line that lie up to one side's length outside the picture are mirrored
  // at its edge (the edge pixel doubled), those beyond are some pixel of the picture.
  void (*sample)(const struct pixel_source *source, const struct pixel_line *line, struct pixel_chunk *chunk);
  void (*colour)(const struct pixel_colour *colour, struct pixel_chunk *chunk);

  // Samples of a bell curve: each is the sum of the four bytes of one number of rng_block, less its mean 510. Sample
  // w * NOISE_BLOCKS + j is made of number w of the block at counter {first + j, row, 0, 0}. Standard deviation
  // NOISE_DEVIATION; within 3.4 standard deviations.
  void (*noise)(const uint32_t key[2], uint32_t first, uint32_t row, int32_t samples[NOISE_SAMPLES]);
  void (*add_noise)(const int32_t samples[NOISE_SAMPLES], int32_t factor, struct pixel_chunk *chunk);

  // The first `count` pixels, 1 to PIXEL_CHUNK, rounded and clamped to bytes.
  void (*store)(const struct pixel_chunk *chunk, int count, uint8_t *out);
};

// The best table for this CPU.
const struct pixel_kernels *pixel_kernels(void);

// All tables that run here, the plainest first; at most `limit`.
size_t pixel_kernels_available(const struct pixel_kernels *out[], size_t limit);

#endif
