// Convolutions from bytes to bytes by oneDNN.
//
// What each filter's sum is multiplied by is a binary post-op with a factor per channel, because it follows from the
// weights, which are there only after the primitive was made; oneDNN's own output scales would have to be known then.
#include <stdlib.h>

#include "core/mem.h"
#include "engine/ops/int8.h"
#include "engine/ops/onednn.h"

struct int8_conv {
  struct op op;
  struct onednn onednn;
  struct conv_int8_spec spec;
  struct int8_weights weights;
  struct call forward, pack; // pack: reorder into the layout that forward likes best
  void *packed, *reorder_scratch;
};

static void conv_free(struct op *op)
{
  struct int8_conv *conv = (struct int8_conv *)op;
  call_free(&conv->forward);
  call_free(&conv->pack);
  onednn_close(&conv->onednn);
  int8_weights_free(&conv->weights);
  free(conv->packed);
  free(conv->reorder_scratch);
  free(conv);
}

static void conv_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct int8_conv *conv = (struct int8_conv *)op;
  op->packing = int8_pack(&conv->weights, &conv->spec, values) ? PACKED : PACKING_NOT_FINITE;
  bool packed =
      call_run(&conv->pack, &conv->onednn, 0, (void *[]){conv->weights.kernel, conv->packed, conv->reorder_scratch});
  if (!packed) op->packing = PACKING_REFUSED;
}

static void conv_forward(const struct op *op, const struct op_run *run)
{
  const struct int8_conv *conv = (const struct int8_conv *)op;
  void *data[] = {(void *)run->x[0], conv->packed, run->y, conv->weights.bias, conv->weights.factor, run->scratch};
  call_run(&conv->forward, &conv->onednn, run->thread, data);
}

static const struct op_kind conv_kind = {
    .name = "conv_int8", .free = conv_free, .pack = conv_pack, .forward = conv_forward};

// --- planning --------------------------------------------------------------------------------------------------------

struct shapes {
  dnnl_memory_desc_t x, y, weights, plain, bias, factor;
};

static enum status describe(const struct conv_int8_spec *spec, struct shapes *shapes, struct error *error)
{
  const struct window *w = &spec->conv.window;
  dnnl_dims_t x = {1, w->x.c, w->x.h, w->x.w}, y = {1, w->y.c, w->y.h, w->y.w}, bias = {w->y.c};
  dnnl_dims_t kernel = {w->y.c, w->x.c, w->size, w->size}, factor = {1, w->y.c, 1, 1};
  dnnl_status_t status = dnnl_memory_desc_init_by_tag(&shapes->x, 4, x, dnnl_u8, dnnl_nhwc);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->y, 4, y, onednn_type(spec->y.dtype), dnnl_nhwc);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->weights, 4, kernel, dnnl_s8, dnnl_format_tag_any);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->plain, 4, kernel, dnnl_s8, dnnl_hwio);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->bias, 1, bias, dnnl_f32, dnnl_x);
  if (!status) status = dnnl_memory_desc_init_by_tag(&shapes->factor, 4, factor, dnnl_f32, dnnl_nhwc);
  return onednn_check(status, "the shapes of a convolution", error);
}

// sum * factor, + what is there already, then ReLU
static dnnl_status_t append_after(dnnl_post_ops_t ops, const struct conv_int8_spec *spec, const struct shapes *shapes)
{
  dnnl_status_t status = dnnl_post_ops_append_binary(ops, dnnl_binary_mul, &shapes->factor);
  if (!status && spec->conv.sum)
    status = dnnl_post_ops_append_sum_v2(ops, spec->added.scale / spec->y.scale, onednn_type(spec->added.dtype));
  if (!status && spec->conv.relu) status = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
  return status;
}

static enum status attribute_new(dnnl_primitive_attr_t *out, const struct conv_int8_spec *spec,
                                 const struct shapes *shapes, struct error *error)
{
  dnnl_post_ops_t ops = NULL;
  enum status status = onednn_attribute(out, AFTER_NOTHING, error);
  if (status) return status;
  dnnl_status_t made = dnnl_post_ops_create(&ops);
  if (!made) made = append_after(ops, spec, shapes);
  if (!made) made = dnnl_primitive_attr_set_post_ops(*out, ops);
  if (ops) dnnl_post_ops_destroy(ops);
  if (made) dnnl_primitive_attr_destroy(*out);
  return onednn_check(made, "attributes of a convolution", error);
}

static enum status describe_forward(const struct int8_conv *conv, const struct shapes *shapes,
                                    dnnl_primitive_desc_t *out, struct error *error)
{
  const struct window *w = &conv->spec.conv.window;
  dnnl_convolution_desc_t what;
  dnnl_primitive_attr_t attribute = NULL;
  dnnl_dims_t strides = {w->stride, w->stride}, dilation = {0, 0}, before = {0}, after = {0};
  onednn_padding(w, before, after);
  enum status status = onednn_check(dnnl_dilated_convolution_forward_desc_init(
                                        &what, dnnl_forward_inference, dnnl_convolution_direct, &shapes->x,
                                        &shapes->weights, &shapes->bias, &shapes->y, strides, dilation, before, after),
                                    "a convolution of bytes", error);
  if (!status) status = attribute_new(&attribute, &conv->spec, shapes, error);
  if (status) return status;
  status = onednn_check(dnnl_primitive_desc_create(out, &what, attribute, conv->onednn.engine, NULL),
                        "a convolution of bytes", error);
  dnnl_primitive_attr_destroy(attribute);
  return status;
}

static enum status plan(struct int8_conv *conv, int threads, struct error *error)
{
  static const int kinds[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS,
                              DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1};
  struct shapes shapes;
  dnnl_primitive_desc_t description = NULL;
  enum status status = describe(&conv->spec, &shapes, error);
  if (!status) status = describe_forward(conv, &shapes, &description, error);
  if (status) return status;
  const dnnl_memory_desc_t chosen =
      *dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, DNNL_ARG_WEIGHTS);
  const size_t packed = dnnl_memory_desc_get_size(&chosen);
  onednn_note(&conv->op, description);
  status = call_new(&conv->forward, &conv->onednn, description, threads, kinds, 5, error);
  if (!status) status = reorder_new(&conv->pack, &conv->onednn, &shapes.plain, &chosen, error);
  if (!status) status = mem_aligned(&conv->packed, packed, 1, "packed weights", error);
  if (!status) status = mem_aligned(&conv->reorder_scratch, conv->pack.scratchpad_bytes, 1, "scratchpad", error);
  conv->op.scratch_bytes = mem_whole(conv->forward.scratchpad_bytes);
  conv->op.own_bytes = packed + int8_weights_bytes(&conv->spec);
  return status;
}

enum status onednn_conv_int8(struct op **out, const struct op_context *context, const struct conv_int8_spec *spec,
                             struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, sizeof(struct int8_conv), conv_kind.name, error);
  if (status) return status;
  struct int8_conv *conv = (struct int8_conv *)*out;
  conv->op.kind = &conv_kind;
  conv->spec = *spec;
  status = onednn_open(&conv->onednn, context, error);
  if (!status) status = int8_weights_new(&conv->weights, spec, error);
  if (!status) status = plan(conv, context->threads, error);
  if (!status) return OK;
  conv_free(*out);
  *out = NULL;
  return status;
}
