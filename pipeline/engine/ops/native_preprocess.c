// Preprocessing of bytes by a table: 256 values for each channel of the output.
#include <stdlib.h>

#include "engine/ops/native.h"

struct preprocess_op {
  struct op op;
  size_t pixels;
  enum dtype dtype;
  int channel[3];
  float values[3][256];
  uint16_t bf16[3][256];
};

static void preprocess_free(struct op *op)
{
  free(op);
}

static void to_floats(const struct preprocess_op *op, const uint8_t *x, float *y)
{
  const size_t b = (size_t)op->channel[0], g = (size_t)op->channel[1], r = (size_t)op->channel[2];
  for (size_t i = 0; i < op->pixels; i++, x += 3, y += 3) {
    y[0] = op->values[0][x[b]];
    y[1] = op->values[1][x[g]];
    y[2] = op->values[2][x[r]];
  }
}

static void to_bf16(const struct preprocess_op *op, const uint8_t *x, uint16_t *y)
{
  const size_t b = (size_t)op->channel[0], g = (size_t)op->channel[1], r = (size_t)op->channel[2];
  for (size_t i = 0; i < op->pixels; i++, x += 3, y += 3) {
    y[0] = op->bf16[0][x[b]];
    y[1] = op->bf16[1][x[g]];
    y[2] = op->bf16[2][x[r]];
  }
}

static void preprocess_forward(const struct op *op, const struct op_run *run)
{
  const struct preprocess_op *preprocess = (const struct preprocess_op *)op;
  if (preprocess->dtype == DTYPE_BF16)
    to_bf16(preprocess, run->x[0], run->y);
  else
    to_floats(preprocess, run->x[0], run->y);
}

static const struct op_kind preprocess_kind = {
    .name = "preprocess", .free = preprocess_free, .forward = preprocess_forward};

enum status native_preprocess(struct op **out, const struct op_context *context, struct shape shape,
                              const struct preprocess *preprocess, struct error *error)
{
  const struct kernels *kernels = native_kernels(context->dtype);
  if (!kernels) return ops_reference.preprocess(out, context, shape, preprocess, error);
  enum status status = native_op_new(out, sizeof(struct preprocess_op), &preprocess_kind, kernels, error);
  if (status) return status;
  struct preprocess_op *op = (struct preprocess_op *)*out;
  op->pixels = (size_t)shape.h * (size_t)shape.w;
  op->dtype = context->dtype;
  for (int c = 0; c < 3; c++) {
    op->channel[c] = preprocess->channel[c];
    for (int byte = 0; byte < 256; byte++) {
      op->values[c][byte] = ((float)byte - preprocess->mean[c]) * preprocess->scale[c];
      op->bf16[c][byte] = bf16_from_float(op->values[c][byte]);
    }
  }
  return OK;
}
