// The plain version of a convolution from bytes to bytes.
#include <stdlib.h>

#include "engine/ops/int8.h"
#include "engine/ops/reference.h"

struct conv_op {
  struct op op;
  struct conv_int8_spec spec;
  struct int8_weights weights;
};

static void conv_free(struct op *op)
{
  struct conv_op *conv = (struct conv_op *)op;
  int8_weights_free(&conv->weights);
  free(conv);
}

static void conv_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct conv_op *conv = (struct conv_op *)op;
  op->packing = int8_pack(&conv->weights, &conv->spec, values) ? PACKED : PACKING_NOT_FINITE;
}

// The sum over the taps of filter f at output pixel (i, j): exact.
static int32_t sum_of(const struct conv_op *conv, const uint8_t *x, int i, int j, int f)
{
  const struct window *w = &conv->spec.conv.window;
  int32_t sum = 0;
  int a, a_end, b_first, b_end;
  window_taps(i, w->stride, w->top, w->size, w->x.h, &a, &a_end);
  window_taps(j, w->stride, w->left, w->size, w->x.w, &b_first, &b_end);
  for (; a < a_end; a++)
    for (int b = b_first; b < b_end; b++)
      for (int c = 0; c < w->x.c; c++) {
        size_t tap = (size_t)(a * w->size + b) * (size_t)w->x.c + (size_t)c;
        sum += x[at(w->x, i * w->stride - w->top + a, j * w->stride - w->left + b, c)] *
               conv->weights.kernel[tap * (size_t)w->y.c + (size_t)f];
      }
  return sum;
}

static void conv_forward(const struct op *op, const struct op_run *run)
{
  const struct conv_op *conv = (const struct conv_op *)op;
  const struct conv_int8_spec *spec = &conv->spec;
  const struct window *w = &spec->conv.window;
  uint8_t *y = run->y; // S8 has the same bits
  for (int i = 0; i < w->y.h; i++)
    for (int j = 0; j < w->y.w; j++)
      for (int f = 0; f < w->y.c; f++) {
        const size_t place = at(w->y, i, j, f);
        float sum = ((float)sum_of(conv, run->x[0], i, j, f) + conv->weights.bias[f]) * conv->weights.factor[f];
        if (spec->conv.sum) sum += get(run->y, spec->added.dtype, place) * (spec->added.scale / spec->y.scale);
        if (spec->conv.relu && sum < 0) sum = 0;
        y[place] = (uint8_t)int8_round(sum, spec->y.dtype);
      }
}

static const struct op_kind conv_kind = {
    .name = "conv_int8", .free = conv_free, .pack = conv_pack, .forward = conv_forward};

enum status reference_conv_int8(struct op **out, const struct op_context *context, const struct conv_int8_spec *spec,
                                struct error *error)
{
  (void)context;
  enum status status = reference_op_new(out, sizeof(struct conv_op), &conv_kind, error);
  if (status) return status;
  struct conv_op *conv = (struct conv_op *)*out;
  conv->spec = *spec;
  conv->op.own_bytes = int8_weights_bytes(spec);
  status = int8_weights_new(&conv->weights, spec, error);
  if (!status) return OK;
  conv_free(*out);
  *out = NULL;
  return status;
}
