// Convolutions by oneDNN, depthwise ones too.
//
// Maps are NHWC; weights have the layout that each primitive likes best and are reordered into it after each update.
// The gradient of one image goes to scratch and is added to the lane in oneDNN's layout; only the sum of all lanes is
// brought into Keras' order.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"
#include "engine/ops/onednn.h"

struct library_conv {
  struct op op;
  struct onednn onednn;
  const struct kernels *k;
  struct conv_spec spec;
  enum dtype dtype;
  bool depthwise;
  int weight_rank;
  dnnl_dims_t x_dims, y_dims, weight_dims, strides, dilation, before, after;
  struct call forward, backward_input, backward_weights;
  struct call
      group_weights; // backward_weights of `group` images that lie together; 0: each image by itself, into lanes
  size_t group;
  struct call pack_forward, pack_backward, unpack; // reorders from and to Keras' layout
  void *weights, *backward_weights_copy, *reorder_scratch;
  float *bias, *plain;                         // plain: a sum of gradients or folded weights, in Keras' layout
  size_t biases, kernel_count, lane_kernel;    // floats in Keras' and in oneDNN's layout
  size_t scratchpad_bytes, dx_at, gradient_at; // in scratch
};

static void library_free(struct op *op)
{
  struct library_conv *conv = (struct library_conv *)op;
  struct call *calls[7] = {&conv->group_weights, &conv->forward,       &conv->backward_input, &conv->backward_weights,
                           &conv->pack_forward,  &conv->pack_backward, &conv->unpack};
  for (size_t i = 0; i < 7; i++) call_free(calls[i]);
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
  op->packing = PACKED;
  if (conv->spec.norm) {
    kernel = conv->plain;
    if (!conv_fold(&conv->spec, values, kernel, conv->bias)) op->packing = PACKING_NOT_FINITE;
  }
  bool packed =
      call_run(&conv->pack_forward, &conv->onednn, 0, (void *[]){kernel, conv->weights, conv->reorder_scratch});
  if (conv->backward_weights_copy)
    packed &= call_run(&conv->pack_backward, &conv->onednn, 0,
                       (void *[]){values[0], conv->backward_weights_copy, conv->reorder_scratch});
  if (!packed) op->packing = PACKING_REFUSED;
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
  call_run(&conv->forward, &conv->onednn, run->thread, conv->depthwise ? without : with_bias);
}

// The gradient of the weights over the images that `call` is for.
static void weights_gradient(const struct library_conv *conv, const struct call *call, int thread, const void *x,
                             void *dy, float *gradient, void *scratch)
{
  void *with_bias[] = {(void *)x, dy, gradient, gradient + conv->lane_kernel, scratch};
  void *without[] = {(void *)x, dy, gradient, scratch};
  call_run(call, &conv->onednn, thread, conv->depthwise ? without : with_bias);
}

static void add_to(float *sum, const float *values, size_t count)
{
#pragma omp simd
  for (size_t i = 0; i < count; i++) sum[i] += values[i];
}

static void library_backward(const struct op *op, const struct op_run *run)
{
  const struct library_conv *conv = (const struct library_conv *)op;
  const struct window *w = &conv->spec.window;
  if (conv->spec.relu) conv->k->relu_gradient(shape_elements(w->y), run->y, run->dy);
  if (conv->group == 0 && !conv->spec.maps_only) {
    float *gradient = (float *)(void *)((unsigned char *)run->scratch + conv->gradient_at);
    weights_gradient(conv, &conv->backward_weights, run->thread, run->x[0], run->dy, gradient, run->scratch);
    add_to(run->lane, gradient, conv->op.lane_floats);
  }
  if (!run->dx[0]) return;

  void *dx = run->add[0] ? (unsigned char *)run->scratch + conv->dx_at : run->dx[0];
  call_run(&conv->backward_input, &conv->onednn, run->thread,
           (void *[]){run->dy, conv->backward_weights_copy, dx, run->scratch});
  if (run->add[0]) conv->k->add_dropout(shape_elements(w->x), run->dx[0], dx, NULL, 1, run->dx[0]);
}

// Lane l has the groups l, l + BATCH_LANES, ... of `group` images, and so of the images that are no whole group.
static void library_batch_lane(const struct op *op, const struct op_batch *batch)
{
  const struct library_conv *conv = (const struct library_conv *)op;
  size_t x_bytes = map_bytes(conv, conv->spec.window.x), y_bytes = map_bytes(conv, conv->spec.window.y);
  size_t floats = conv->op.batch_lane_floats, groups = batch->n / conv->group, whole = groups * conv->group;
  float *lane = batch->lanes + batch->part * floats;
  float *gradient = (float *)(void *)((unsigned char *)batch->scratch + conv->gradient_at), *out = lane;
  for (size_t turn = batch->part; turn < groups + batch->n - whole; turn += BATCH_LANES) {
    size_t image = turn < groups ? turn * conv->group : whole + turn - groups;
    weights_gradient(conv, turn < groups ? &conv->group_weights : &conv->backward_weights, batch->thread,
                     (const unsigned char *)batch->x + image * x_bytes, (unsigned char *)batch->dy + image * y_bytes,
                     out, batch->scratch);
    if (out != lane) add_to(lane, out, floats);
    out = gradient;
  }
  if (out == lane) memset(lane, 0, floats * sizeof *lane);
}

static void library_gradient(const struct op *op, float *sum, float *const gradients[OP_PARAMETERS])
{
  const struct library_conv *conv = (const struct library_conv *)op;
  call_run(&conv->unpack, &conv->onednn, 0, (void *[]){sum, conv->plain, conv->reorder_scratch});
  memcpy(gradients[0], conv->plain, conv->kernel_count * sizeof(float));
  if (gradients[1]) memcpy(gradients[1], sum + conv->lane_kernel, (size_t)conv->spec.window.y.c * sizeof(float));
}

static const struct op_kind conv_kind = {.name = "conv",
                                         .free = library_free,
                                         .pack = library_pack,
                                         .forward = library_forward,
                                         .backward = library_backward,
                                         .gradient = library_gradient};

static void library_batch_gradient(const struct op *op, const struct op_batch *batch,
                                   float *const gradients[OP_PARAMETERS])
{
  const struct library_conv *conv = (const struct library_conv *)op;
  size_t floats = conv->op.batch_lane_floats;
  if (batch->part > 0) return;
  for (size_t lane = 1; lane < BATCH_LANES; lane++) add_to(batch->lanes, batch->lanes + lane * floats, floats);
  library_gradient(op, batch->lanes, gradients);
}

static const struct op_kind batch_conv_kind = {.name = "conv",
                                               .free = library_free,
                                               .pack = library_pack,
                                               .forward = library_forward,
                                               .backward = library_backward,
                                               .batch_lane = library_batch_lane,
                                               .batch_gradient = library_batch_gradient};

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

// The descriptions of forward (a hint) and of the weights' gradient over `images` images.
static enum status describe_weights_gradient(const struct library_conv *conv, dnnl_dim_t images, struct shapes shapes,
                                             dnnl_primitive_desc_t *out, struct error *error)
{
  dnnl_convolution_desc_t forward, backward;
  dnnl_primitive_desc_t hint = NULL;
  const dnnl_memory_desc_t *bias = conv->depthwise ? NULL : &shapes.bias;
  dnnl_dims_t x = {images}, y = {images};
  for (int i = 1; i < 4; i++) x[i] = conv->x_dims[i], y[i] = conv->y_dims[i];
  dnnl_data_type_t type = onednn_type(conv->dtype);
  dnnl_status_t made = dnnl_memory_desc_init_by_tag(&shapes.x, 4, x, type, dnnl_nhwc);
  if (!made) made = dnnl_memory_desc_init_by_tag(&shapes.y, 4, y, type, dnnl_nhwc);
  if (!made)
    made = dnnl_dilated_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct,
                                                      &shapes.x, &shapes.weights, bias, &shapes.y, conv->strides,
                                                      conv->dilation, conv->before, conv->after);
  if (!made)
    made = dnnl_dilated_convolution_backward_weights_desc_init(&backward, dnnl_convolution_direct, &shapes.x,
                                                               &shapes.gradient, bias, &shapes.y, conv->strides,
                                                               conv->dilation, conv->before, conv->after);
  enum status status = onednn_check(made, "a convolution's backward", error);
  if (!status) status = onednn_description(&hint, &conv->onednn, &forward, AFTER_NOTHING, NULL, "a convolution", error);
  if (!status) status = onednn_description(out, &conv->onednn, &backward, AFTER_NOTHING, hint, "a convolution", error);
  if (hint) dnnl_primitive_desc_destroy(hint);
  return status;
}

static const int weights_gradient_arguments[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS,
                                                 DNNL_ARG_DIFF_BIAS};

// The weights' gradient of one image and, for large ones, of a group of images in the same layout.
static enum status plan_weights_gradient(struct library_conv *conv, const struct op_context *context,
                                         struct shapes *shapes, struct error *error)
{
  const int arguments = conv->depthwise ? 3 : 4;
  dnnl_primitive_desc_t description = NULL;
  size_t bytes = 0;
  enum status status = describe_weights_gradient(conv, 1, *shapes, &description, error);
  if (status) return status;
  shapes->gradient = *dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, DNNL_ARG_DIFF_WEIGHTS);
  status = plan_call(conv, context, description, &conv->backward_weights, weights_gradient_arguments, arguments,
                     DNNL_ARG_DIFF_WEIGHTS, &conv->unpack, &bytes, shapes, error);
  conv->lane_kernel = (bytes + 63) / 64 * 16;
  if (status || conv->group == 0) return status;
  status = describe_weights_gradient(conv, (dnnl_dim_t)conv->group, *shapes, &description, error);
  if (status) return status;
  onednn_note(&conv->op, description);
  status = call_new(&conv->group_weights, &conv->onednn, description, context->threads, weights_gradient_arguments,
                    arguments, error);
  if (conv->group_weights.scratchpad_bytes > conv->scratchpad_bytes)
    conv->scratchpad_bytes = conv->group_weights.scratchpad_bytes;
  return status;
}

static enum status plan_backward(struct library_conv *conv, const struct op_context *context, struct shapes *shapes,
                                 const_dnnl_primitive_desc_t hint, size_t *weight_bytes, struct error *error)
{
  dnnl_convolution_desc_t what;
  dnnl_primitive_desc_t description = NULL;
  enum status status = conv->spec.maps_only ? OK : plan_weights_gradient(conv, context, shapes, error);
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
  size_t reorder_bytes = 0, at = mem_whole(conv->scratchpad_bytes);
  for (int i = 0; i < 3; i++)
    if (reorders[i]->scratchpad_bytes > reorder_bytes) reorder_bytes = reorders[i]->scratchpad_bytes;
  if (context->training) {
    const size_t floats = conv->spec.maps_only ? 0 : conv->lane_kernel + conv->biases;
    *(conv->group > 0 ? &conv->op.batch_lane_floats : &conv->op.lane_floats) = floats;
    conv->gradient_at = at;
    at += mem_whole(floats * sizeof(float));
    conv->dx_at = at;
    if (conv->spec.input_gradient) at += mem_whole(map_bytes(conv, w->x));
  }
  conv->op.scratch_bytes = at;
  const size_t plain = (context->training && !conv->spec.maps_only) || conv->spec.norm ? conv->kernel_count : 0;
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
  conv->op.backward_reads_x = !spec->maps_only;
  conv->op.backward_reads_y = spec->relu;
  conv->k = native_kernels(context->dtype);
  conv->spec = *spec;
  conv->dtype = context->dtype;
  conv->depthwise = kind == &depthwise_kind;
  conv->kernel_count = taps * (size_t)w->x.c * (conv->depthwise ? 1 : (size_t)w->y.c);
  conv->biases = conv->depthwise ? 0 : (size_t)w->y.c;
  if (kind == &conv_kind && context->training && !spec->maps_only && conv->kernel_count >= BATCH_CONV_WEIGHTS) {
    conv->group = context->batch < BATCH_LANES ? 1 : (size_t)context->batch / BATCH_LANES;
    conv->op.kind = &batch_conv_kind;
    conv->op.batch_reads_x = conv->op.batch_reads_dy = true;
  }
  set_dims(conv);
  status = onednn_open(&conv->onednn, context, error);
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
