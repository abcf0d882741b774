// What augment_apply is made of, for its own files and for the tests that compare its parts.
#ifndef IMAGE_AUGMENT_PARTS_H
#define IMAGE_AUGMENT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "image/augment.h"
#include "image/pixels.h"

// augment_apply with a table of kernels that the caller chose.
void augment_apply_by(const struct pixel_kernels *kernels, const struct augment_parameters *parameters,
                      const uint8_t *source, const uint8_t *behind, int width, int height, uint8_t *out);

// Where in the source an output's pixel (x, y) is seen.
struct augment_geometry {
  double x_x, x_y, y_x, y_y; // from the output's pixels about the centre to the source's
  double center_x, center_y, shift_x, shift_y;
  double near_x, near_y;  // how much nearer a pixel to the right (below) is, of the centre's distance
  int64_t x_step, y_step; // along a row, without perspective: PIXEL_FRACTION bits of fraction
  bool moves;             // anything at all
};

struct augment_geometry augment_geometry(const struct augment_parameters *parameters, int width, int height);

// A line of coordinates, wherever it lies: PIXEL_FRACTION bits of fraction.
struct augment_line {
  int64_t x, y, x_step, y_step, x_bend, y_bend;
};

// The same line in a picture of another size that is stretched over the source.
struct augment_line augment_line_in(const struct augment_line *line, int width, int height, int other_width,
                                    int other_height);

// Of the `count` pixels from (x, y) to the right: exact where nothing is perspective, else a parabola through the
// first, the last and the middle.
struct augment_line augment_line(const struct augment_geometry *geometry, int x, int y, int count);

// Whether the kernels can sample all of an output of that size.
bool augment_is_near(const struct augment_geometry *geometry, int width, int height);

// pixel_kernels.sample in plain C, for any line, any picture and `count` pixels: what is used where the kernels cannot,
// and what they are judged by.
void augment_sample(const struct pixel_source *source, const struct augment_line *line, int count,
                    struct pixel_chunk *chunk);

// By the kernels where they can, or else in plain C.
void augment_sample_by(const struct pixel_kernels *kernels, bool near, const struct pixel_source *source,
                       const struct augment_line *line, int count, struct pixel_chunk *chunk);

// Resolution, motion and blur of a whole picture, in place; whether there is anything of it to do.
bool augment_softens(const struct augment_parameters *parameters, int width, int height);
void augment_soften(const struct pixel_kernels *kernels, const struct augment_parameters *parameters, uint8_t *pixels,
                    int width, int height);
void augment_recompress(const struct pixel_kernels *kernels, const struct augment_parameters *parameters,
                        uint8_t *pixels, int width, int height);

#endif
