#include "engine/tensor.h"

size_t dtype_size(enum dtype dtype)
{
  switch (dtype) {
  case DTYPE_F32:
    return 4;
  case DTYPE_BF16:
    return 2;
  case DTYPE_U8:
  case DTYPE_S8:
    return 1;
  }
  return 0;
}

size_t shape_elements(struct shape shape)
{
  return (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
}

bool all_finite(const float *values, size_t n)
{
  float sum = 0; // of zeros, and NaN where a value is not finite
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; i++) sum += values[i] * 0;
  return sum == 0;
}
