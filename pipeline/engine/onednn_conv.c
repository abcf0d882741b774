// Convolutions by oneDNN, depthwise ones too.
//
// Maps are NHWC; weights have the layout that each primitive likes best and are reordered into it after each update.
// The gradient of one image goes to scratch and is added to the lane in oneDNN's layout; only the sum of all lanes is
// brought into Keras' order.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/native.h"
#include "engine/onednn.h"

struct library_conv {
  struct op op;
  struct onednn onednn;
  struct conv_spec spec;
  enum dtype dtype;
  bool depthwise;
  int weight_rank;
  dnnl_dims_t x_dims, y_dims, weight_dims, strides, dilation, before, after;
  struct call forward, backward_input, backward_weights;
  struct call pack_forward, pack_backward, unpack; // reorders from and to Keras' layout
  void *weights, *backward_weights_copy, *reorder_scratch;
  float *bias, *plain;                         // plain: a sum of gradients or folded weights, in Keras' layout
  size_t kernel_count, lane_kernel;            // floats in Keras' and in oneDNN's layout
  size_t scratchpad_bytes, dx_at, gradient_at; // in scratch
};

static void library_free(struct op *op)
{
  struct library_conv *conv = (struct library_conv *)op;
  struct call *calls[6] = {&conv->forward,      &conv->backward_input, &conv->backward_weights,
                           &conv->pack_forward, &conv->pack_backward,  &conv->unpack};
  for (size_t i = 0; i < 6; i++) call_free(calls[i]);
  onednn_close(&conv->onednn);
  free(conv->weights);
  free(conv->backward_weights_copy);
  free(conv->reorder_scratch);
  free(conv->bias);
  free(conv->plain);
  free(conv);
}

static void library_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct library_conv *conv = (struct library_conv *)op;
  float *kernel = values[0];
  if (conv->spec.norm) {
    kernel = conv->plain;
    conv_fold(&conv->spec, values, kernel, conv->bias);
  }
  call_run(&conv->pack_forward, &conv->onednn, 0, (void *[]){kernel, conv->weights, conv->reorder_scratch});
  if (conv->backward_weights_copy)
    call_run(&conv->pack_backward, &conv->onednn, 0,
             (void *[]){values[0], conv->backward_weights_copy, conv->reorder_scratch});
  if (values[1] && !conv->spec.norm) memcpy(conv->bias, values[1], (size_t)conv->spec.window.y.c * sizeof(float));
}

static size_t map_bytes(const struct library_conv *conv, struct shape shape)
{
  return shape_elements(shape) * dtype_size(conv->dtype);
}

static void library_forward(const struct op *op, const struct op_run *run)
{
  const struct library_conv *conv = (const struct library_conv *)op;
  void *with_bias[] = {(void *)run->x[0], conv->weights, run->y, conv->bias, run->scratch};
  void *without[] = {(void *)run->x[0], conv->weights, run->y, run->scratch};
  bool done = call_run(&conv->forward, &conv->onednn, run->thread, conv->depthwise ? without : with_bias);
  onednn_poison_unless(done, run->y, map_bytes(conv, conv->spec.window.y));
}

static void library_backward(const struct op *op, const struct op_run *run)
{
  const struct library_conv *conv = (const struct library_conv *)op;
  const struct kernels *kernels = native_kernels(conv->dtype);
  const struct window *w = &conv->spec.window;
  float *gradient = (float *)(void *)((unsigned char *)run->scratch + conv->gradient_at);
  if (conv->spec.relu) kernels->relu_gradient(shape_elements(w->y), run->y, run->dy);

  void *with_bias[] = {(void *)run->x[0], run->dy, gradient, gradient + conv->lane_kernel, run->scratch};
  void *without[] = {(void *)run->x[0], run->dy, gradient, run->scratch};
  bool done = call_run(&conv->backward_weights, &conv->onednn, run->thread, conv->depthwise ? without : with_bias);
  onednn_poison_unless(done, gradient, conv->op.lane_floats * sizeof(float));
  for (size_t i = 0; i < conv->op.lane_floats; i++) run->lane[i] += gradient[i];
  if (!run->dx[0]) return;

  void *dx = run->add[0] ? (unsigned char *)run->scratch + conv->dx_at : run->dx[0];
  done = call_run(&conv->backward_input, &conv->onednn, run->thread,
                  (void *[]){run->dy, conv->backward_weights_copy, dx, run->scratch});
  onednn_poison_unless(done, dx, map_bytes(conv, w->x));
  if (run->add[0]) kernels->add_dropout(shape_elements(w->x), run->dx[0], dx, NULL, 1, run->dx[0]);
}

static void library_gradient(const struct op *op, float *sum, float *const gradients[OP_PARAMETERS])
{
  const struct library_conv *conv = (const struct library_conv *)op;
  bool done = call_run(&conv->unpack, &conv->onednn, 0, (void *[]){sum, conv->plain, conv->reorder_scratch});
  onednn_poison_unless(done, conv->plain, conv->kernel_count * sizeof(float));
  memcpy(gradients[0], conv->plain, conv->kernel_count * sizeof(float));
  if (gradients[1]) memcpy(gradients[1], sum + conv->lane_kernel, (size_t)conv->spec.window.y.c * sizeof(float));
}

static const struct op_kind conv_kind = {.name = "conv",
                                         .free = library_free,
                                         .pack = library_pack,
                                         .forward = library_forward,
                                         .backward = library_backward,
                                         .gradient = library_gradient};

static const struct op_kind depthwise_kind = {.name = "depthwise",
                                              .free = library_free,
                                              .pack = library_pack,
                                              .forward = library_forward,
                                              .backward = library_backward,
                                              .gradient = library_gradient};

// --- planning --------------------------------------------------------------------------------------------------------

static unsigned after_of(const struct conv_spec *spec)
{
  return (spec->relu ? AFTER_RELU : AFTER_NOTHING) | (spec->sum ? AFTER_SUM : AFTER_NOTHING);
}

// What a primitive is described by.
struct shapes {
  dnnl_memory_desc_t x, y, weights, bias, gradient, plain;
};

static void set_dims(struct library_conv *conv)
{
  const struct window *w = &conv->spec.window;
  int channels = w->x.c, filters = w->y.c;
  memcpy(conv->x_dims, (dnnl_dims_t){1, channels, w->x.h, w->x.w}, sizeof(dnnl_dims_t));
  memcpy(conv->y_dims, (dnnl_dims_t){1, filters, w->y.h, w->y.w}, sizeof(dnnl_dims_t));
  if (conv->depthwise)
    memcpy(conv->weight_dims, (dnnl_dims_t){channels, 1, 1, w->size, w->size}, sizeof(dnnl_dims_t));
  else
    memcpy(conv->weight_dims, (dnnl_dims_t){filters, channels, w->size, w->size}, sizeof(dnnl_dims_t));
  conv->weight_rank = conv->depthwise ? 5 : 4;
  for (int i = 0; i < 2; i++) conv->strides[i] = w->stride;
  onednn_padding(w, conv->before, conv->after);
}

static enum status describe(const struct library_conv *conv, struct shapes *shapes, struct error *error)
{
  dnnl_data_type_t type = onednn_type(conv->dtype);
  dnnl_dims_t bias = {conv->spec.window.y.c};
  int rank = conv->weight_rank;
  dnnl_status_t status = dnnl_memory_desc_init_by_tag(&shapes->x, 4, conv->x_dims, type, dnnl_nhwc);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->y, 4, conv->y_dims, type, dnnl_nhwc);
  if (!status)
    status = dnnl_memory_desc_init_by_tag(&shapes->weights, rank, conv->weight_dims, type, dnnl_format_tag_any);
  if (!status)
    status = dnnl_memory_desc_init_by_tag(&shapes->gradient, rank, conv->weight_dims, dnnl_f32, dnnl_format_tag_any);
  if (!status)
    status = dnnl_memory_desc_init_by_tag(&shapes->plain, rank, conv->weight_dims, dnnl_f32,
                                          conv->depthwise ? dnnl_hwigo : dnnl_hwio);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->bias, 1, bias, dnnl_f32, dnnl_x);
  return onednn_check(status, "the shapes of a convolution", error);
}

// A call, and a reorder between Keras' layout and the one it chose for its argument `weights`.
static enum status plan_call(struct library_conv *conv, const struct op_context *context,
                             dnnl_primitive_desc_t description, struct call *call, const int *kinds, int count,
                             int weights, struct call *reorder, size_t *weight_bytes, const struct shapes *shapes,
                             struct error *error)
{
  dnnl_memory_desc_t chosen = *dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, weights);
  *weight_bytes = dnnl_memory_desc_get_size(&chosen);
  onednn_note(&conv->op, description);
  enum status status = call_new(call, &conv->onednn, description, context->threads, kinds, count, error);
  if (status) return status;
  if (call->scratchpad_bytes > conv->scratchpad_bytes) conv->scratchpad_bytes = call->scratchpad_bytes;
  bool is_gradient = weights == DNNL_ARG_DIFF_WEIGHTS;
  return reorder_new(reorder, &conv->onednn, is_gradient ? &chosen : &shapes->plain,
                     is_gradient ? &shapes->plain : &chosen, error);
}

static enum status plan_backward(struct library_conv *conv, const struct op_context *context, struct shapes *shapes,
                                 const_dnnl_primitive_desc_t hint, size_t *weight_bytes, struct error *error)
{
  dnnl_convolution_desc_t what;
  dnnl_primitive_desc_t description = NULL;
  size_t gradient_bytes = 0;
  enum status status = onednn_check(
      dnnl_dilated_convolution_backward_weights_desc_init(&what, dnnl_convolution_direct, &shapes->x, &shapes->gradient,
                                                          conv->depthwise ? NULL : &shapes->bias, &shapes->y,
                                                          conv->strides, conv->dilation, conv->before, conv->after),
      "a convolution's backward", error);
  if (!status) status = onednn_description(&description, &conv->onednn, &what, false, hint, "a convolution", error);
  if (!status)
    status = plan_call(conv, context, description, &conv->backward_weights,
                       (int[]){DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS},
                       conv->depthwise ? 3 : 4, DNNL_ARG_DIFF_WEIGHTS, &conv->unpack, &gradient_bytes, shapes, error);
  conv->lane_kernel = (gradient_bytes + 63) / 64 * 16;
  if (status || !conv->spec.input_gradient) return status;
  status = onednn_check(dnnl_dilated_convolution_backward_data_desc_init(&what, dnnl_convolution_direct, &shapes->x,
                                                                         &shapes->weights, &shapes->y, conv->strides,
                                                                         conv->dilation, conv->before, conv->after),
                        "a convolution's backward", error);
  if (!status) status = onednn_description(&description, &conv->onednn, &what, false, hint, "a convolution", error);
  if (status) return status;
  return plan_call(conv, context, description, &conv->backward_input,
                   (int[]){DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC}, 3, DNNL_ARG_WEIGHTS,
                   &conv->pack_backward, weight_bytes, shapes, error);
}

static enum status plan_primitives(struct library_conv *conv, const struct op_context *context, size_t *forward_bytes,
                                   size_t *backward_bytes, struct error *error)
{
  struct shapes shapes;
  dnnl_convolution_desc_t what;
  dnnl_primitive_desc_t description = NULL, hint = NULL;
  dnnl_prop_kind_t purpose = context->training ? dnnl_forward_training : dnnl_forward_inference;
  enum status status = describe(conv, &shapes, error);
  if (!status)
    status = onednn_check(
        dnnl_dilated_convolution_forward_desc_init(&what, purpose, dnnl_convolution_direct, &shapes.x, &shapes.weights,
                                                   conv->depthwise ? NULL : &shapes.bias, &shapes.y, conv->strides,
                                                   conv->dilation, conv->before, conv->after),
        "a convolution", error);
  if (!status)
    status =
        onednn_description(&description, &conv->onednn, &what, after_of(&conv->spec), NULL, "a convolution", error);
  if (status) return status;
  status = onednn_check(dnnl_primitive_desc_clone(&hint, description), "a copy", error);
  if (status) {
    dnnl_primitive_desc_destroy(description);
    return status;
  }
  status = plan_call(conv, context, description, &conv->forward,
                     (int[]){DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS}, conv->depthwise ? 3 : 4,
                     DNNL_ARG_WEIGHTS, &conv->pack_forward, forward_bytes, &shapes, error);
  if (!status && context->training) status = plan_backward(conv, context, &shapes, hint, backward_bytes, error);
  dnnl_primitive_desc_destroy(hint);
  return status;
}

static enum status plan_memory(struct library_conv *conv, const struct op_context *context, size_t forward_bytes,
                               size_t backward_bytes, struct error *error)
{
  const struct window *w = &conv->spec.window;
  const struct call *reorders[] = {&conv->pack_forward, &conv->pack_backward, &conv->unpack};
  size_t reorder_bytes = 0, biases = conv->depthwise ? 0 : (size_t)w->y.c, at = native_aligned(conv->scratchpad_bytes);
  for (int i = 0; i < 3; i++)
    if (reorders[i]->scratchpad_bytes > reorder_bytes) reorder_bytes = reorders[i]->scratchpad_bytes;
  if (context->training) {
    conv->op.lane_floats = conv->lane_kernel + biases;
    conv->gradient_at = at;
    at += native_aligned(conv->op.lane_floats * sizeof(float));
    conv->dx_at = at;
    if (conv->spec.input_gradient) at += native_aligned(map_bytes(conv, w->x));
  }
  conv->op.scratch_bytes = at;
  const size_t plain = context->training || conv->spec.norm ? conv->kernel_count : 0;
  conv->op.own_bytes = forward_bytes + backward_bytes + plain * sizeof(float);
  enum status status = mem_aligned(&conv->weights, forward_bytes, 1, "packed weights", error);
  if (!status && backward_bytes)
    status = mem_aligned(&conv->backward_weights_copy, backward_bytes, 1, "packed weights", error);
  if (!status) status = mem_aligned(&conv->reorder_scratch, reorder_bytes, 1, "oneDNN's scratchpad", error);
  if (!status) status = mem_aligned((void **)&conv->bias, (size_t)w->y.c, sizeof(float), "biases", error);
  if (!status) status = mem_aligned((void **)&conv->plain, plain, sizeof(float), "weights", error);
  return status;
}

static enum status library_new(struct op **out, const struct op_kind *kind, const struct op_context *context,
                               const struct conv_spec *spec, struct error *error)
{
  const struct window *w = &spec->window;
  size_t forward_bytes = 0, backward_bytes = 0, taps = (size_t)w->size * (size_t)w->size;
  enum status status = mem_zeroed((void **)out, 1, sizeof(struct library_conv), kind->name, error);
  if (status) return status;
  struct library_conv *conv = (struct library_conv *)*out;
  conv->op.kind = kind;
  conv->op.backward_reads_x = true;
  conv->op.backward_reads_y = spec->relu;
  conv->spec = *spec;
  conv->dtype = context->dtype;
  conv->depthwise = kind == &depthwise_kind;
  conv->kernel_count = taps * (size_t)w->x.c * (conv->depthwise ? 1 : (size_t)w->y.c);
  set_dims(conv);
  status = onednn_open(&conv->onednn, error);
  if (!status) status = plan_primitives(conv, context, &forward_bytes, &backward_bytes, error);
  if (!status) status = plan_memory(conv, context, forward_bytes, backward_bytes, error);
  if (!status) return OK;
  library_free(*out);
  *out = NULL;
  return status;
}

enum status onednn_conv(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                        struct error *error)
{
  return library_new(out, &conv_kind, context, spec, error);
}

enum status onednn_depthwise(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                             struct error *error)
{
  return library_new(out, &depthwise_kind, context, spec, error);
}
