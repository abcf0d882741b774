#include "engine/ops/ops.h"

#include <math.h>

static int extent_out(int in, int size, int stride, enum padding padding)
{
  if (padding == PAD_SAME) return (in + stride - 1) / stride;
  return in < size ? 0 : (in - size) / stride + 1;
}

static int before(int in, int out, int size, int stride, enum padding padding)
{
  int missing = (out - 1) * stride + size - in;
  return padding == PAD_SAME && missing > 0 ? missing / 2 : 0;
}

bool window_fit(struct window *window, struct shape x, int channels, int size, int stride, enum padding padding)
{
  struct shape y = {extent_out(x.h, size, stride, padding), extent_out(x.w, size, stride, padding), channels};
  *window = (struct window){.x = x, .y = y, .size = size, .stride = stride};
  window->top = before(x.h, y.h, size, stride, padding);
  window->left = before(x.w, y.w, size, stride, padding);
  return y.h > 0 && y.w > 0;
}

bool window_fit_padded(struct window *window, struct shape x, int channels, int size, int stride, int pad)
{
  const struct shape padded = {x.h + 2 * pad, x.w + 2 * pad, x.c};
  bool fits = window_fit(window, padded, channels, size, stride, PAD_VALID);
  window->x = x;
  window->top = window->left = pad;
  return fits;
}

bool conv_fold(const struct conv_spec *spec, float *const values[OP_PARAMETERS], float *kernel, float *bias)
{
  const float *gamma = values[2], *beta = values[3], *mean = values[4], *variance = values[5];
  size_t filters = (size_t)spec->window.y.c, taps = (size_t)spec->window.size * (size_t)spec->window.size;
  size_t rows = taps * (size_t)spec->window.x.c;
  enum { TOGETHER = 16 }; // a cache line of filters
  for (size_t first = 0; first < filters; first += TOGETHER) {
    const size_t end = filters - first < TOGETHER ? filters : first + TOGETHER;
    double scale[TOGETHER];
    for (size_t f = first; f < end; f++) {
      scale[f - first] = (double)gamma[f] / sqrt((double)variance[f] + (double)spec->epsilon);
      bias[f] = (float)(((double)values[1][f] - (double)mean[f]) * scale[f - first] + (double)beta[f]);
    }
    for (size_t i = 0; i < rows; i++)
      for (size_t f = first; f < end; f++)
        kernel[i * filters + f] = (float)((double)values[0][i * filters + f] * scale[f - first]);
  }
  return all_finite(kernel, rows * filters) && all_finite(bias, filters);
}

void op_free(struct op *op)
{
  if (op) op->kind->free(op);
}

static struct op_run whole_maps(const struct op *op, const struct op_run *run)
{
  struct op_run whole = *run;
  whole.y_rows = whole.dy_rows = op->reach.y_rows;
  for (int i = 0; i < OP_INPUTS; i++) whole.x_rows[i] = whole.dx_rows[i] = op->reach.x_rows;
  return whole;
}

void op_forward_whole(const struct op *op, const struct op_run *run)
{
  const struct op_run whole = whole_maps(op, run);
  op->kind->forward_rows(op, &whole, 0, op->reach.y_rows);
}

void op_backward_whole(const struct op *op, const struct op_run *run)
{
  const struct op_run whole = whole_maps(op, run);
  op->kind->backward_rows(op, &whole, 0, op->reach.y_rows);
}
