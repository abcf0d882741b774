// A tensor's description and memory. Letters, everywhere in the engine: N images, H rows, W columns, C
// channels; NHWC order.
#ifndef ENGINE_TENSOR_H
#define ENGINE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dtype { DTYPE_F32, DTYPE_BF16, DTYPE_U8, DTYPE_S8 };

size_t dtype_size(enum dtype dtype);

// One image's feature map: H x W x C. A vector is 1 x 1 x C.
struct shape {
  int h, w, c;
};

size_t shape_elements(struct shape shape);

// Whether none of n values is NaN or infinite.
bool all_finite(const float *values, size_t n);

// bf16: the upper half of a float, rounded to nearest even. NaN stays NaN.
static inline float bf16_to_float(uint16_t bits)
{
  union {
    uint32_t u;
    float f;
  } value = {.u = (uint32_t)bits << 16};
  return value.f;
}

static inline uint16_t bf16_from_float(float number)
{
  union {
    float f;
    uint32_t u;
  } value = {.f = number};
  if ((value.u & 0x7fffffff) > 0x7f800000) return (uint16_t)((value.u >> 16) | 0x40);
  return (uint16_t)((value.u + 0x7fff + ((value.u >> 16) & 1)) >> 16);
}

#endif
