// What the files of ops_reference share (reference_*.c). Sums are in double, maps are read and written through `get`
// and `put`, weights are rounded to the net's dtype as the fast kernels' are: what remains between the two is the order
// of additions.
#ifndef ENGINE_REFERENCE_H
#define ENGINE_REFERENCE_H

#include "engine/ops/ops.h"

static inline float get(const void *map, enum dtype dtype, size_t i)
{
  switch (dtype) {
  case DTYPE_F32:
    return ((const float *)map)[i];
  case DTYPE_BF16:
    return bf16_to_float(((const uint16_t *)map)[i]);
  case DTYPE_U8:
    return ((const uint8_t *)map)[i];
  case DTYPE_S8:
    return ((const int8_t *)map)[i];
  }
  return 0;
}

static inline void put(void *map, enum dtype dtype, size_t i, float value)
{
  if (dtype == DTYPE_F32)
    ((float *)map)[i] = value;
  else
    ((uint16_t *)map)[i] = bf16_from_float(value);
}

static inline void put_gradient(const struct op_run *run, int input, enum dtype dtype, size_t i, float value)
{
  put(run->dx[input], dtype, i, run->add[input] ? get(run->dx[input], dtype, i) + value : value);
}

static inline float rounded(float value, enum dtype dtype)
{
  return dtype == DTYPE_BF16 ? bf16_to_float(bf16_from_float(value)) : value;
}

static inline size_t at(struct shape shape, int row, int column, int channel)
{
  return ((size_t)row * (size_t)shape.w + (size_t)column) * (size_t)shape.c + (size_t)channel;
}

// A zeroed op of `size` bytes; freed by reference_free if it owns nothing.
enum status reference_op_new(struct op **out, size_t size, const struct op_kind *kind, struct error *error);
void reference_free(struct op *op);

// Makers of the table.
op_maker_conv reference_conv, reference_depthwise;
enum status reference_conv_int8(struct op **out, const struct op_context *context, const struct conv_int8_spec *spec,
                                struct error *error);
enum status reference_rescale(struct op **out, const struct op_context *context, struct shape shape, enum dtype from,
                              float scale, struct error *error);
enum status reference_preprocess(struct op **out, const struct op_context *context, struct shape shape,
                                 const struct preprocess *preprocess, struct error *error);
enum status reference_relu(struct op **out, const struct op_context *context, struct shape shape, struct error *error);
enum status reference_norm(struct op **out, const struct op_context *context, const struct norm_spec *spec,
                           struct error *error);
enum status reference_max_pool(struct op **out, const struct op_context *context, const struct window *window,
                               struct error *error);
enum status reference_add(struct op **out, const struct op_context *context, struct shape shape, struct error *error);
enum status reference_dropout(struct op **out, const struct op_context *context, struct shape shape, float rate,
                              int layer, struct error *error);
enum status reference_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                            struct error *error);

#endif
