// Rows of features as bytes: half the disk of bf16.
//
// 256 numbers that follow each other share a scale, their largest over 255 (block quantisation, as in ggml's Q8_0):
// neighbours are channels of one place of a map, which differ less than places or images do. Numbers are not negative,
// as behind a ReLU, so that all 256 values of a byte are used.
//
//   [count] bytes      number = byte * scale of its group
//   [groups] float32   the scales, little-endian; groups = ceil(count / 256)
//
// Measured on ResNet50's two maps of 267 photographs (tests/tools/feature_error.py), the root mean square of what is
// lost over that of the numbers: 0.0032 and 0.0037 so, for 1.6 % more bytes; with a scale for each row 0.0055 and
// 0.0087, for each channel 0.0062 and 0.0070, for each map 0.0135 and 0.0179; bf16 itself loses 0.0011.
#ifndef PIPELINE_FEATURE_ROWS_H
#define PIPELINE_FEATURE_ROWS_H

#include <stddef.h>
#include <stdint.h>

enum { FEATURE_GROUP = 256 };

size_t feature_row_bytes(size_t count);  // of a row of `count` numbers
size_t feature_row_values(size_t bytes); // of a row of `bytes`; 0: no row has so many

// [count] numbers, 0 or more and finite, to a row of feature_row_bytes(count).
void feature_row_pack(const float *values, size_t count, uint8_t *row);

// A row to [count] numbers in bf16, the nearest ones.
void feature_row_unpack(const uint8_t *row, size_t count, uint16_t *values);

#endif
