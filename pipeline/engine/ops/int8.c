#include "engine/ops/int8.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

static size_t kernel_count(const struct conv_int8_spec *spec)
{
  const struct window *w = &spec->conv.window;
  return (size_t)w->size * (size_t)w->size * (size_t)w->x.c * (size_t)w->y.c;
}

enum status int8_weights_new(struct int8_weights *out, const struct conv_int8_spec *spec, struct error *error)
{
  const size_t count = kernel_count(spec), filters = (size_t)spec->conv.window.y.c;
  *out = (struct int8_weights){NULL};
  enum status status = mem_aligned((void **)&out->folded, count, sizeof(float), "weights", error);
  if (!status) status = mem_aligned((void **)&out->kernel, count, 1, "weights", error);
  if (!status) status = mem_aligned((void **)&out->bias, filters, sizeof(float), "biases", error);
  if (!status) status = mem_aligned((void **)&out->factor, filters, sizeof(float), "scales", error);
  return status;
}

void int8_weights_free(struct int8_weights *weights)
{
  free(weights->folded);
  free(weights->kernel);
  free(weights->bias);
  free(weights->factor);
}

size_t int8_weights_bytes(const struct conv_int8_spec *spec)
{
  return kernel_count(spec) * (sizeof(float) + 1) + 2 * (size_t)spec->conv.window.y.c * sizeof(float);
}

bool int8_pack(struct int8_weights *weights, const struct conv_int8_spec *spec, float *const values[OP_PARAMETERS])
{
  const size_t filters = (size_t)spec->conv.window.y.c, rows = kernel_count(spec) / filters;
  const float *kernel = values[0], *bias = values[1];
  if (spec->conv.norm) {
    if (!conv_fold(&spec->conv, values, weights->folded, weights->bias)) return false;
    kernel = weights->folded, bias = weights->bias;
  }
  float *scale = weights->factor; // first each filter's largest weight, then its scale, then its factor
  memset(scale, 0, filters * sizeof *scale);
  for (size_t i = 0; i < rows; i++)
    for (size_t f = 0; f < filters; f++) {
      const float size = fabsf(kernel[i * filters + f]);
      if (size > scale[f]) scale[f] = size;
    }
  // A filter of zeros is its bias alone, in any unit.
  for (size_t f = 0; f < filters; f++)
    scale[f] = scale[f] > 0 ? scale[f] / INT8_WEIGHT_LIMIT : spec->y.scale / spec->x_scale;
  for (size_t i = 0; i < rows; i++)
    for (size_t f = 0; f < filters; f++)
      weights->kernel[i * filters + f] = (int8_t)lrintf(kernel[i * filters + f] / scale[f]);
  for (size_t f = 0; f < filters; f++) {
    weights->bias[f] = bias[f] / (spec->x_scale * scale[f]);
    weights->factor[f] = spec->x_scale * scale[f] / spec->y.scale;
  }
  return all_finite(weights->bias, filters) && all_finite(weights->factor, filters);
}

// --- quantise --------------------------------------------------------------------------------------------------------

struct quantise_op {
  struct op op;
  size_t elements;
  enum dtype from;
  struct byte_map y;
};

static void quantise_free(struct op *op)
{
  free(op);
}

static void quantise_forward(const struct op *op, const struct op_run *run)
{
  const struct quantise_op *q = (const struct quantise_op *)op;
  const float unit = 1 / q->y.scale;
  uint8_t *y = run->y; // S8 has the same bits
  for (size_t i = 0; i < q->elements; i++) {
    float x = q->from == DTYPE_F32 ? ((const float *)run->x[0])[i] : bf16_to_float(((const uint16_t *)run->x[0])[i]);
    y[i] = (uint8_t)int8_round(x * unit, q->y.dtype);
  }
}

static const struct op_kind quantise_kind = {.name = "quantise", .free = quantise_free, .forward = quantise_forward};

enum status int8_quantise(struct op **out, const struct op_context *context, struct shape shape, struct byte_map y,
                          struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, sizeof(struct quantise_op), "quantise", error);
  if (status) return status;
  struct quantise_op *q = (struct quantise_op *)*out;
  q->op.kind = &quantise_kind;
  q->op.implementation = "plain";
  q->elements = shape_elements(shape);
  q->from = context->dtype;
  q->y = y;
  return OK;
}
