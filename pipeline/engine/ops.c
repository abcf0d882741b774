#include "engine/ops.h"

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

void op_free(struct op *op)
{
  if (op) op->kind->free(op);
}
