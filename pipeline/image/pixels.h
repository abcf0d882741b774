// The loops over pixels that resizing and augmentation spend their time in, compiled for several instruction sets and
// chosen when the program runs. All of them are integer arithmetic: every table gives the same bits.
//
// To add a loop: plain C in pixels.inc over a fixed number of elements, so that compilers turn it into vector code, a
// member here, and a comparison of all tables in tests/unit/test_pixels.c.
#ifndef IMAGE_PIXELS_H
#define IMAGE_PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  PIXEL_CHUNK = 64,     // pixels of a row that augmentation works on at a time
  PIXEL_FRACTION = 16,  // bits of fraction of a coordinate
  PIXEL_UNIT = 1 << 12, // the factor 1 of colours and noise
  MIX_UNIT = 1 << 14,   // what the weights of one output sum to
  NOISE_LANES = 16,
  CURVE_LEVELS = 256
};

// Sqrt(4 * (256^2 - 1) / 12): of a noise sample.
#define NOISE_DEVIATION 147.80054127102265

// Levels with 8 bits of fraction (0..65,280 unless colours or noise carried them beyond), in planes.
struct pixel_chunk {
  int32_t level[3][PIXEL_CHUNK];
  int32_t cover[PIXEL_CHUNK]; // of a source that is not mirrored: how much of the pixel is picture, of 256
};

// An RGB picture to sample from; sides of 2 to 8,192 pixels.
struct pixel_source {
  const uint8_t *pixels;
  int32_t width, height;
  bool mirrored; // outside: mirrored at the edge (the edge pixel doubled), or else the edge pixel
};

// The coordinates of a row's pixels: (x, y) + i * (x_step, y_step) + i^2 * (x_bend, y_bend), PIXEL_FRACTION bits of
// fraction.
struct pixel_line {
  int32_t x, y, x_step, y_step, x_bend, y_bend;
};

// Out: matrix times in, plus offset. The factors of a row sum to less than 30 in magnitude.
struct pixel_colour {
  int32_t matrix[3][3]; // times PIXEL_UNIT
  int32_t offset;       // levels with 8 bits of fraction
};

// Darkness along a row: pixel i's factor is PIXEL_UNIT less strength times (at + i * step), which is clamped to 0..1.
struct pixel_shade {
  int32_t at, step; // PIXEL_FRACTION bits of fraction; within +-2^14 over the row
  int32_t strength; // times PIXEL_UNIT; at most 1
};

// Steps of the coefficients of 8 by 8 pixels, row by row, 1..255: of luma and of chroma.
struct pixel_quantisation {
  int32_t luma[64], chroma[64];
};

// What becomes of each whole level: a level with 8 bits of fraction.
struct pixel_curve {
  uint16_t level[CURVE_LEVELS];
};

// NOISE_LANES generators side by side: Marsaglia's xorshift128, "Xorshift RNGs", Journal of Statistical Software 8,
// 2003. Not all words of a lane are 0.
struct pixel_noise {
  uint32_t word[4][NOISE_LANES];
};

// Along one side of a picture: output o is mixed of the `taps` inputs from first[o] on, by weights[o * pitch ...],
// which sum to MIX_UNIT. `pitch` is `taps`, or one more so that it is even, with a weight of 0: vector instructions
// multiply in pairs.
struct mix {
  int count, taps, pitch;
  int32_t *first;    // [count]
  uint16_t *weights; // [count, pitch]
};
enum { MIX_BEYOND = 64 }; // elements behind a line's last pixel that mix_columns may read

struct pixel_kernels {
  const char *name;

  // out[i] = 256 times the weighted mean of source[i], source[stride + i], ...; i < n. Weights sum to MIX_UNIT.
  void (*mix_rows)(const uint8_t *source, size_t stride, const uint16_t *weights, int taps, size_t n, uint16_t *out);

  // `count` lines of mix->count pixels, `stride` bytes apart at `out`; `rows` have levels times 256, lie `pitch`
  // elements apart, and have MIX_BEYOND elements more than pixels.
  void (*mix_columns)(const uint16_t *rows, size_t pitch, int count, const struct mix *mix, size_t stride,
                      uint8_t *out);

  // Levels times 256 as bytes.
  void (*round_levels)(const uint16_t *levels, size_t n, uint8_t *out);

  // The first `count` bilinear samples, 1 to PIXEL_CHUNK, and perhaps some more, of pixels up to two side's lengths
  // outside the picture; those beyond are some pixel of the picture.
  void (*sample)(const struct pixel_source *source, const struct pixel_line *line, int count,
                 struct pixel_chunk *chunk);
  // Lessens chunk->cover by the shares (levels, 255 << 8 for all) in the mask's first plane.
  void (*mask)(const struct pixel_chunk *mask, struct pixel_chunk *chunk);
  // The first `count` pixels of a row, 1 to PIXEL_CHUNK, as levels.
  void (*load)(const uint8_t *pixels, int count, struct pixel_chunk *chunk);

  // What is no picture becomes `under`.
  void (*lay_over)(const struct pixel_chunk *under, struct pixel_chunk *chunk);
  void (*shade)(const struct pixel_shade *shade, struct pixel_chunk *chunk);
  void (*colour)(const struct pixel_colour *colour, struct pixel_chunk *chunk);
  void (*curve)(const struct pixel_curve *curve, struct pixel_chunk *chunk); // levels are rounded and clamped

  // Adds samples of a bell curve times factor / PIXEL_UNIT: each is the sum of the four bytes of a lane's next number,
  // less its mean 510. Standard deviation NOISE_DEVIATION; within 3.4 standard deviations. Level i of channel c is of
  // lane i % NOISE_LANES, channel after channel.
  void (*add_noise)(struct pixel_noise *noise, int32_t factor, struct pixel_chunk *chunk);

  // What a JPEG of that quality leaves of an RGB picture of any size, in place: colours at half the resolution, blocks
  // of 8 by 8 transformed, rounded to multiples of the tables' steps, and transformed back.
  void (*recompress)(const struct pixel_quantisation *tables, uint8_t *pixels, int width, int height);

  // n bytes: share / 256 of `other`, the rest of what was there.
  void (*blend)(const uint8_t *other, int32_t share, size_t n, uint8_t *bytes);

  // The inverse DCT of libjpeg-turbo ("islow"), to its bits: 64 coefficients in rows times steps become 8 rows of 8
  // levels at `out`, `stride` bytes apart; coefficients are then zero. jpeg_block_half: 4 rows of 4, the means of
  // pairs.
  void (*jpeg_block)(int16_t *coefficients, const uint16_t *steps, size_t stride, uint8_t *out);
  void (*jpeg_block_half)(int16_t *coefficients, const uint16_t *steps, size_t stride, uint8_t *out);
  // A row of colours at half the resolution, 3/4 of `near` and 1/4 of `far`, to 2 * count levels in the same way.
  void (*jpeg_widen)(const uint8_t *near, const uint8_t *far, size_t count, uint8_t *out);
  // YCbCr of JFIF to RGB.
  void (*jpeg_colours)(const uint8_t *luma, const uint8_t *blue, const uint8_t *red, size_t count, uint8_t *out);

  // The first `count` pixels, 1 to PIXEL_CHUNK, rounded and clamped to bytes.
  void (*store)(const struct pixel_chunk *chunk, int count, uint8_t *out);
};

// The best table for this CPU.
const struct pixel_kernels *pixel_kernels(void);

// All tables that run here, the plainest first; at most `limit`.
size_t pixel_kernels_available(const struct pixel_kernels *out[], size_t limit);

#endif
