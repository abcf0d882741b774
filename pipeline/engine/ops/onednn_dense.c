// Dense layers on oneDNN: inner products per image, their weights in the layout that oneDNN likes best; the weights'
// gradient after the batch by one matrix product per part, in fp32, so that the parts alone decide the bits.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"
#include "engine/ops/onednn.h"

struct dense_op {
  struct op op;
  struct onednn onednn;
  const struct kernels *k;
  struct dense_spec spec;
  size_t inputs, units;
  struct call forward, backward, pack_forward, pack_backward;
  void *weights, *backward_weights, *reorder_scratch;
  float *bias;
  float *x, *dy;       // of the batch: [N, C], [N, U]; dy after ReLU
  size_t dy_at, dx_at; // in scratch: dy in the input's dtype, a dx that is still to be added
};

static void dense_free(struct op *op)
{
  struct dense_op *dense = (struct dense_op *)op;
  struct call *calls[4] = {&dense->forward, &dense->backward, &dense->pack_forward, &dense->pack_backward};
  for (size_t i = 0; i < 4; i++) call_free(calls[i]);
  onednn_close(&dense->onednn);
  free(dense->weights);
  free(dense->backward_weights);
  free(dense->reorder_scratch);
  free(dense->bias);
  free(dense->x);
  free(dense->dy);
  free(dense);
}

static void dense_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct dense_op *dense = (struct dense_op *)op;
  bool packed =
      call_run(&dense->pack_forward, &dense->onednn, 0, (void *[]){values[0], dense->weights, dense->reorder_scratch});
  if (dense->backward_weights)
    packed &= call_run(&dense->pack_backward, &dense->onednn, 0,
                       (void *[]){values[0], dense->backward_weights, dense->reorder_scratch});
  op->packing = packed ? PACKED : PACKING_REFUSED;
  memcpy(dense->bias, values[1], dense->units * sizeof(float));
}

static void dense_forward(const struct op *op, const struct op_run *run)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  call_run(&dense->forward, &dense->onednn, run->thread,
           (void *[]){(void *)run->x[0], dense->weights, dense->bias, run->y, run->scratch});
  if (run->training) dense->k->to_f32(dense->inputs, run->x[0], dense->x + run->image * dense->inputs);
}

static void dense_backward(const struct op *op, const struct op_run *run)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  const float *y = run->y;
  float *gradient = run->dy;
  for (size_t u = 0; dense->spec.relu && u < dense->units; u++)
    if (!(y[u] > 0)) gradient[u] = 0;
  memcpy(dense->dy + run->image * dense->units, gradient, dense->units * sizeof *gradient);
  if (!run->dx[0]) return;
  void *dy = (unsigned char *)run->scratch + dense->dy_at;
  void *dx = run->add[0] ? (unsigned char *)run->scratch + dense->dx_at : run->dx[0];
  dense->k->from_f32(dense->units, gradient, dy);
  call_run(&dense->backward, &dense->onednn, run->thread, (void *[]){dy, dense->backward_weights, dx, run->scratch});
  if (run->add[0]) dense->k->add_dropout(dense->inputs, run->dx[0], dx, NULL, 1, run->dx[0]);
}

// dW[rows of this part, U] = x^T * dy over the batch.
static void dense_batch_gradient(const struct op *op, const struct op_batch *batch,
                                 float *const gradients[OP_PARAMETERS])
{
  const size_t n = batch->n, part = batch->part, parts = batch->parts;
  const struct dense_op *dense = (const struct dense_op *)op;
  size_t first = dense->inputs * part / parts, rows = dense->inputs * (part + 1) / parts - first;
  dnnl_dim_t inputs = (dnnl_dim_t)dense->inputs, units = (dnnl_dim_t)dense->units;
  if (rows > 0) {
    float *out = gradients[0] + first * dense->units;
    onednn_done(&dense->onednn, dnnl_sgemm('T', 'N', (dnnl_dim_t)rows, units, (dnnl_dim_t)n, 1, dense->x + first,
                                           inputs, dense->dy, units, 0, out, units));
  }
  if (part > 0) return;
  memset(gradients[1], 0, dense->units * sizeof(float));
  for (size_t i = 0; i < n; i++)
    for (size_t u = 0; u < dense->units; u++) gradients[1][u] += dense->dy[i * dense->units + u];
}

static const struct op_kind dense_kind = {.name = "dense",
                                          .free = dense_free,
                                          .pack = dense_pack,
                                          .forward = dense_forward,
                                          .backward = dense_backward,
                                          .batch_gradient = dense_batch_gradient};

// --- planning --------------------------------------------------------------------------------------------------------

// What a primitive is described by. dy is y in the input's dtype; `keras`: the weights' layout outside.
struct shapes {
  dnnl_memory_desc_t x, y, dy, weights, bias, keras;
};

static enum status describe(const struct dense_op *dense, struct shapes *shapes, struct error *error)
{
  dnnl_data_type_t type = onednn_type(dense->spec.input_dtype);
  dnnl_dims_t x = {1, dense->spec.inputs}, y = {1, dense->spec.units}, bias = {dense->spec.units};
  dnnl_dims_t weights = {dense->spec.units, dense->spec.inputs};
  dnnl_status_t status = dnnl_memory_desc_init_by_tag(&shapes->x, 2, x, type, dnnl_nc);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->y, 2, y, dnnl_f32, dnnl_nc);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->dy, 2, y, type, dnnl_nc);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->weights, 2, weights, type, dnnl_format_tag_any);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->bias, 1, bias, dnnl_f32, dnnl_x);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->keras, 2, weights, dnnl_f32, dnnl_io);
  return onednn_check(status, "the shapes of a dense layer", error);
}

// A call, its reorder of weights and their memory; takes over `description`.
static enum status plan_call(struct dense_op *dense, const struct op_context *context,
                             dnnl_primitive_desc_t description, const struct shapes *shapes, struct call *call,
                             const int *kinds, int count, struct call *reorder, void **weights, struct error *error)
{
  dnnl_memory_desc_t chosen = *dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, DNNL_ARG_WEIGHTS);
  size_t bytes = dnnl_memory_desc_get_size(&chosen);
  onednn_note(&dense->op, description);
  enum status status = call_new(call, &dense->onednn, description, context->threads, kinds, count, error);
  if (!status) status = reorder_new(reorder, &dense->onednn, &shapes->keras, &chosen, error);
  if (!status) status = mem_aligned(weights, bytes, 1, "packed weights", error);
  dense->op.own_bytes += bytes;
  return status;
}

static enum status plan_primitives(struct dense_op *dense, const struct op_context *context, struct error *error)
{
  struct shapes shapes;
  dnnl_inner_product_desc_t what;
  dnnl_primitive_desc_t description = NULL, hint = NULL;
  dnnl_prop_kind_t purpose = context->training ? dnnl_forward_training : dnnl_forward_inference;
  enum status status = describe(dense, &shapes, error);
  if (!status)
    status = onednn_check(
        dnnl_inner_product_forward_desc_init(&what, purpose, &shapes.x, &shapes.weights, &shapes.bias, &shapes.y),
        "a dense layer", error);
  if (!status)
    status = onednn_description(&hint, &dense->onednn, &what, dense->spec.relu, NULL, "a dense layer", error);
  if (!status) status = onednn_check(dnnl_primitive_desc_clone(&description, hint), "a copy", error);
  if (!status)
    status = plan_call(dense, context, description, &shapes, &dense->forward,
                       (int[]){DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST}, 4, &dense->pack_forward,
                       &dense->weights, error);
  if (!status && context->training) {
    status = onednn_check(dnnl_inner_product_backward_data_desc_init(&what, &shapes.x, &shapes.weights, &shapes.dy),
                          "a dense layer's backward", error);
    if (!status)
      status = onednn_description(&description, &dense->onednn, &what, false, hint, "a dense layer's backward", error);
    if (!status)
      status = plan_call(dense, context, description, &shapes, &dense->backward,
                         (int[]){DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC}, 3, &dense->pack_backward,
                         &dense->backward_weights, error);
  }
  if (hint) dnnl_primitive_desc_destroy(hint);
  return status;
}

static enum status plan_memory(struct dense_op *dense, const struct op_context *context, struct error *error)
{
  size_t element = dtype_size(dense->spec.input_dtype), batch = (size_t)context->batch;
  dense->dy_at = mem_whole(mem_larger(dense->forward.scratchpad_bytes, dense->backward.scratchpad_bytes));
  dense->dx_at = dense->dy_at + mem_whole(dense->units * element);
  dense->op.scratch_bytes = dense->dx_at + mem_whole(dense->inputs * element);
  size_t reorder = mem_larger(dense->pack_forward.scratchpad_bytes, dense->pack_backward.scratchpad_bytes);
  enum status status = mem_aligned(&dense->reorder_scratch, reorder, 1, "oneDNN's scratchpad", error);
  if (!status) status = mem_aligned((void **)&dense->bias, dense->units, sizeof(float), "biases", error);
  if (status || !context->training) return status;
  dense->op.own_bytes += batch * (dense->inputs + dense->units) * sizeof(float);
  status = mem_aligned((void **)&dense->x, batch * dense->inputs, sizeof(float), "dense inputs", error);
  if (!status) status = mem_aligned((void **)&dense->dy, batch * dense->units, sizeof(float), "gradients", error);
  return status;
}

enum status onednn_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                         struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, sizeof(struct dense_op), dense_kind.name, error);
  if (status) return status;
  struct dense_op *dense = (struct dense_op *)*out;
  dense->op.kind = &dense_kind;
  dense->op.backward_reads_y = spec->relu;
  dense->k = native_kernels(spec->input_dtype);
  dense->spec = *spec;
  dense->inputs = (size_t)spec->inputs;
  dense->units = (size_t)spec->units;
  status = onednn_open(&dense->onednn, context, error);
  if (!status) status = plan_primitives(dense, context, error);
  if (!status) status = plan_memory(dense, context, error);
  if (!status) return OK;
  dense_free(*out);
  *out = NULL;
  return status;
}
