// The plain version of max pool.
#include <string.h>

#include "engine/ops/reference.h"

struct pool_op {
  struct op op;
  struct window window;
  enum dtype dtype;
};

// saved: uint8 [H, W, C] of the output: the tap that held the maximum.
static void pool_forward(const struct op *op, const struct op_run *run)
{
  const struct pool_op *pool = (const struct pool_op *)op;
  const struct window *w = &pool->window;
  uint8_t *places = run->saved;
  for (int i = 0; i < w->y.h; i++)
    for (int j = 0; j < w->y.w; j++)
      for (int c = 0; c < w->y.c; c++) {
        int a, a_end, b_first, b_end, place = -1;
        float best = 0;
        window_taps(i, w->stride, w->top, w->size, w->x.h, &a, &a_end);
        window_taps(j, w->stride, w->left, w->size, w->x.w, &b_first, &b_end);
        for (; a < a_end; a++)
          for (int b = b_first; b < b_end; b++) {
            float value =
                get(run->x[0], pool->dtype, at(w->x, i * w->stride - w->top + a, j * w->stride - w->left + b, c));
            if (place >= 0 && !(value > best)) continue;
            best = value;
            place = a * w->size + b;
          }
        put(run->y, pool->dtype, at(w->y, i, j, c), best);
        if (places) places[at(w->y, i, j, c)] = (uint8_t)place;
      }
}

static void pool_backward(const struct op *op, const struct op_run *run)
{
  const struct pool_op *pool = (const struct pool_op *)op;
  const struct window *w = &pool->window;
  const uint8_t *places = run->saved;
  if (!run->dx[0]) return;
  if (!run->add[0]) memset(run->dx[0], 0, shape_elements(w->x) * dtype_size(pool->dtype));
  for (int i = 0; i < w->y.h; i++)
    for (int j = 0; j < w->y.w; j++)
      for (int c = 0; c < w->y.c; c++) {
        size_t y = at(w->y, i, j, c);
        int a = places[y] / w->size, b = places[y] % w->size;
        size_t x = at(w->x, i * w->stride - w->top + a, j * w->stride - w->left + b, c);
        put(run->dx[0], pool->dtype, x, get(run->dx[0], pool->dtype, x) + get(run->dy, pool->dtype, y));
      }
}

static const struct op_kind pool_kind = {
    .name = "max_pool", .free = reference_free, .forward = pool_forward, .backward = pool_backward};

enum status reference_max_pool(struct op **out, const struct op_context *context, const struct window *window,
                               struct error *error)
{
  enum status status = reference_op_new(out, sizeof(struct pool_op), &pool_kind, error);
  if (status) return status;
  struct pool_op *pool = (struct pool_op *)*out;
  pool->window = *window;
  pool->dtype = context->dtype;
  pool->op.saved_bytes = context->training ? shape_elements(window->y) : 0;
  return OK;
}
