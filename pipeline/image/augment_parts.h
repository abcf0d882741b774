// What augment_apply is made of, for the tests that compare its parts.
#ifndef IMAGE_AUGMENT_PARTS_H
#define IMAGE_AUGMENT_PARTS_H

#include <stdint.h>

#include "image/augment.h"
#include "image/pixels.h"

// augment_apply with a table of kernels that the caller chose.
void augment_apply_by(const struct pixel_kernels *kernels, const struct augment_parameters *parameters,
                      const uint8_t *source, int width, int height, uint8_t *out);

// A line of coordinates, wherever it lies: PIXEL_FRACTION bits of fraction.
struct augment_line {
  int64_t x, y, x_step, y_step;
};

// pixel_kernels.sample in plain C, for any line, any picture and `count` pixels: what is used where the kernels cannot,
// and what they are judged by.
void augment_sample(const struct pixel_source *source, const struct augment_line *line, int count,
                    struct pixel_chunk *chunk);

#endif
