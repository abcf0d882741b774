// Max pool on oneDNN. What forward saves is oneDNN's workspace: the place of each window's maximum.
//
// Until 2025 oneDNN's backward added overlapping windows of bf16 wrongly (oneDNN PR 2386): those gradients go through
// fp32 here. The places are the same for both types.
#include <stdlib.h>

#include "core/mem.h"
#include "engine/ops/native.h"
#include "engine/ops/onednn.h"

struct pool_op {
  struct op op;
  struct onednn onednn;
  const struct kernels *k;
  struct window window;
  enum dtype dtype;
  bool widened; // backward in fp32
  struct call forward, backward;
  size_t dy_at, wide_at, dx_at; // in scratch: dy and dx in fp32, a dx that is still to be added
};

static void pool_free(struct op *op)
{
  struct pool_op *pool = (struct pool_op *)op;
  call_free(&pool->forward);
  call_free(&pool->backward);
  onednn_close(&pool->onednn);
  free(pool);
}

static void pool_forward(const struct op *op, const struct op_run *run)
{
  const struct pool_op *pool = (const struct pool_op *)op;
  void *with_places[] = {(void *)run->x[0], run->y, run->saved, run->scratch};
  void *without[] = {(void *)run->x[0], run->y, run->scratch};
  call_run(&pool->forward, &pool->onednn, run->thread, pool->op.saved_bytes ? with_places : without);
}

static void pool_backward(const struct op *op, const struct op_run *run)
{
  const struct pool_op *pool = (const struct pool_op *)op;
  size_t elements = shape_elements(pool->window.x);
  unsigned char *scratch = run->scratch;
  if (!run->dx[0]) return;
  void *dx = run->add[0] ? scratch + pool->dx_at : run->dx[0];
  void *out = pool->widened ? scratch + pool->wide_at : dx, *dy = run->dy;
  if (pool->widened) {
    dy = scratch + pool->dy_at;
    pool->k->to_f32(shape_elements(pool->window.y), run->dy, dy);
  }
  call_run(&pool->backward, &pool->onednn, run->thread, (void *[]){dy, run->saved, out, scratch});
  if (pool->widened) pool->k->from_f32(elements, out, dx);
  if (run->add[0]) pool->k->add_dropout(elements, run->dx[0], dx, NULL, 1, run->dx[0]);
}

static const struct op_kind pool_kind = {
    .name = "max_pool", .free = pool_free, .forward = pool_forward, .backward = pool_backward};

// Forward; with the description of forward as a hint, backward.
static enum status describe(dnnl_primitive_desc_t *out, const struct pool_op *pool, enum dtype dtype, bool training,
                            const_dnnl_primitive_desc_t hint, struct error *error)
{
  const struct window *w = &pool->window;
  dnnl_dims_t x_dims = {1, w->x.c, w->x.h, w->x.w}, y_dims = {1, w->y.c, w->y.h, w->y.w};
  dnnl_dims_t strides = {w->stride, w->stride}, size = {w->size, w->size}, before, after;
  dnnl_prop_kind_t purpose = training ? dnnl_forward_training : dnnl_forward_inference;
  dnnl_memory_desc_t x, y;
  dnnl_pooling_desc_t what;
  onednn_padding(w, before, after);
  dnnl_status_t status = dnnl_memory_desc_init_by_tag(&x, 4, x_dims, onednn_type(dtype), dnnl_nhwc);
  if (!status) status = dnnl_memory_desc_init_by_tag(&y, 4, y_dims, onednn_type(dtype), dnnl_nhwc);
  if (!status && !hint)
    status = dnnl_pooling_forward_desc_init(&what, purpose, dnnl_pooling_max, &x, &y, strides, size, before, after);
  if (!status && hint)
    status = dnnl_pooling_backward_desc_init(&what, dnnl_pooling_max, &x, &y, strides, size, before, after);
  enum status failed = onednn_check(status, "the shapes of a max pool", error);
  if (failed) return failed;
  return onednn_description(out, &pool->onednn, &what, false, hint, "a max pool", error);
}

static const dnnl_memory_desc_t *places_of(const_dnnl_primitive_desc_t description)
{
  return dnnl_primitive_desc_query_md(description, dnnl_query_workspace_md, 0);
}

// `forward`: the description of the op's forward, whose places backward reads.
static enum status plan_backward(struct pool_op *pool, const struct op_context *context,
                                 const_dnnl_primitive_desc_t forward, struct error *error)
{
  dnnl_primitive_desc_t wide = NULL, description = NULL;
  enum status status = OK;
  if (pool->widened) status = describe(&wide, pool, DTYPE_F32, true, NULL, error);
  if (!status && wide && !dnnl_memory_desc_equal(places_of(wide), places_of(forward)))
    status = fail(error, FAILED, "oneDNN, a max pool: fp32 and bf16 keep different places");
  if (!status)
    status = describe(&description, pool, wide ? DTYPE_F32 : pool->dtype, true, wide ? wide : forward, error);
  if (wide) dnnl_primitive_desc_destroy(wide);
  if (status) return status;
  onednn_note(&pool->op, description);
  return call_new(&pool->backward, &pool->onednn, description, context->threads,
                  (int[]){DNNL_ARG_DIFF_DST, DNNL_ARG_WORKSPACE, DNNL_ARG_DIFF_SRC}, 3, error);
}

static enum status plan(struct pool_op *pool, const struct op_context *context, struct error *error)
{
  dnnl_primitive_desc_t description = NULL;
  enum status status = describe(&description, pool, pool->dtype, context->training, NULL, error);
  if (status) return status;
  onednn_note(&pool->op, description);
  if (context->training) {
    pool->op.saved_bytes = dnnl_memory_desc_get_size(places_of(description));
    status = plan_backward(pool, context, description, error);
  }
  if (status) {
    dnnl_primitive_desc_destroy(description);
    return status;
  }
  return call_new(&pool->forward, &pool->onednn, description, context->threads,
                  (int[]){DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WORKSPACE}, context->training ? 3 : 2, error);
}

static void plan_scratch(struct pool_op *pool)
{
  const struct call *forward = &pool->forward, *backward = &pool->backward;
  size_t x = shape_elements(pool->window.x), y = shape_elements(pool->window.y);
  size_t scratchpad = forward->scratchpad_bytes;
  if (backward->scratchpad_bytes > scratchpad) scratchpad = backward->scratchpad_bytes;
  pool->dy_at = mem_whole(scratchpad);
  pool->wide_at = pool->dy_at + mem_whole(pool->widened ? y * sizeof(float) : 0);
  pool->dx_at = pool->wide_at + mem_whole(pool->widened ? x * sizeof(float) : 0);
  pool->op.scratch_bytes = pool->dx_at + mem_whole(x * dtype_size(pool->dtype));
}

enum status onednn_max_pool(struct op **out, const struct op_context *context, const struct window *window,
                            struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, sizeof(struct pool_op), pool_kind.name, error);
  if (status) return status;
  struct pool_op *pool = (struct pool_op *)*out;
  pool->op.kind = &pool_kind;
  pool->k = native_kernels(context->dtype);
  pool->window = *window;
  pool->dtype = context->dtype;
  pool->widened = context->dtype == DTYPE_BF16 && window->size > window->stride;
  status = onednn_open(&pool->onednn, context, error);
  if (!status) status = plan(pool, context, error);
  if (status) {
    pool_free(*out);
    *out = NULL;
    return status;
  }
  plan_scratch(pool);
  return OK;
}
