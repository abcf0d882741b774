// Convolution, separable convolution, max pool: layers with a window.
#include "engine/net/net_parts.h"

struct conv_layer {
  struct layer layer;
  struct conv2d conv;
  struct window window; // of the separable one: its depthwise part's
};

struct pool_layer {
  struct layer layer;
  struct window window;
};

static const struct layer_kind pool_kind;

static bool window_of_layer(struct net *net, struct layer *layer, struct window *window, int channels, int size,
                            int stride, enum padding padding)
{
  struct shape x = layer_input(net, layer, 0)->shape;
  if (size < 1 || stride < 1 || channels < 1) {
    layer_fail(net, layer->name, "size %d, stride %d and %d channels: each must be 1 or more", size, stride, channels);
    return false;
  }
  const struct layer *input = layer_input(net, layer, 0);
  if (input->padding > 0) {
    if (padding != PAD_VALID) {
      layer_fail(net, layer->name, "behind a zero padding only VALID makes sense");
      return false;
    }
    if (input->padding >= size) { // a window of zeros alone: kernels count on a pixel in each
      layer_fail(net, layer->name, "a padding of %d: less than the window's %d is allowed", input->padding, size);
      return false;
    }
    if (window_fit_padded(window, layer_input(net, input, 0)->shape, channels, size, stride, input->padding))
      return true;
  } else if (window_fit(window, x, channels, size, stride, padding)) {
    return true;
  }
  layer_fail(net, layer->name, "a %d x %d window does not fit into %d x %d pixels", size, size, x.h, x.w);
  return false;
}

static struct conv_spec spec_of(const struct net *net, const struct layer *layer, struct window window, bool relu)
{
  int x = layer_input(net, layer, 0)->value;
  return (struct conv_spec){.window = window, .relu = relu, .input_gradient = net->values[x].wants_gradient};
}

// What the convolution does, with what it takes over. bytes: on maps of bytes, which is given up where nothing is
// taken over.
static struct conv_spec fused_spec(const struct net *net, const struct layer *layer, struct fusion *fusion, bool *bytes)
{
  const struct conv_layer *conv = (const struct conv_layer *)layer;
  struct conv_spec spec = spec_of(net, layer, conv->window, conv->conv.activation == ACT_RELU);
  *fusion = (struct fusion){.sum = -1};
  *bytes = !spec.relu && int8_covers(net, layer);
  if (!spec.relu) *fusion = fuse_behind(net, layer, *bytes);
  *bytes &= fusion->norm != NULL;
  spec.norm = fusion->norm;
  spec.sum = fusion->add;
  spec.relu |= fusion->relu != NULL;
  if (fusion->norm) spec.epsilon = layer_batch_norm_of(fusion->norm).epsilon;
  return spec;
}

static enum status conv_on_numbers(struct net *net, struct layer *layer, const struct conv_spec *spec, int sum,
                                   struct op **op, struct error *error)
{
  const struct op_context context = plan_context(net, layer);
  enum status status = int8_numbers_of(net, net->layers[layer->inputs[0]], error);
  layer->value = sum;
  if (!status && sum < 0) status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status) status = net->ops->conv(op, &context, spec, error);
  if (!status) net->values[layer->value].nonnegative = spec->relu;
  return status;
}

static enum status conv_on_bytes(struct net *net, struct layer *layer, const struct conv_spec *spec, int sum,
                                 struct op **op, struct error *error)
{
  struct layer *input = net->layers[layer->inputs[0]];
  struct conv_int8_spec bytes = {.conv = *spec, .y = int8_map(net, layer, spec->relu)};
  enum status status = int8_bytes_of(net, input, error);
  layer->value = sum;
  if (status) return status;
  bytes.x_scale = net->values[input->value].scale;
  if (sum < 0) {
    status = int8_value(net, layer->shape, bytes.y, &layer->value, error);
  } else { // the same memory, of other bytes from now on
    struct value *value = &net->values[sum];
    bytes.added = (struct byte_map){value->dtype, value->scale};
    value->dtype = bytes.y.dtype, value->scale = bytes.y.scale, value->nonnegative = spec->relu;
    if (value->twin >= 0) net->values[value->twin].twin = -1; // its numbers are of the bytes that were here
    value->twin = -1;
  }
  return status ? status : net->ops->conv_int8(op, &net->context, &bytes, error);
}

static enum status conv_lower(struct net *net, struct layer *layer, struct error *error)
{
  struct fusion fusion;
  struct op *op = NULL;
  bool bytes = false;
  const struct conv_spec spec = fused_spec(net, layer, &fusion, &bytes);
  enum status status = bytes ? conv_on_bytes(net, layer, &spec, fusion.sum, &op, error)
                             : conv_on_numbers(net, layer, &spec, fusion.sum, &op, error);
  if (status) return status;
  fusion_take(&fusion, layer->value);
  return plan_step(net, layer, op, layer_input(net, layer, 0)->value, fusion.sum, layer->value, layer->first_parameter,
                   fusion.norm ? 6 : 2, error);
}

static const struct layer_kind conv_kind = {
    .name = "Conv2D", .reads_bytes = true, .reads_padded = true, .lower = conv_lower};

int net_conv2d(struct net *net, const char *name, int x, const struct conv2d *conv)
{
  struct conv_layer *layer = (struct conv_layer *)layer_add(net, &conv_kind, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  layer->conv = *conv;
  if (!window_of_layer(net, &layer->layer, &layer->window, conv->filters, conv->kernel, conv->stride, conv->padding))
    return -1;
  layer->layer.shape = layer->window.y;
  int channels = layer->window.x.c;
  if (!layer_parameter(net, &layer->layer, "kernel", 4, (int[]){conv->kernel, conv->kernel, channels, conv->filters}))
    return -1;
  if (!layer_parameter(net, &layer->layer, "bias", 1, (int[]){conv->filters, 0, 0, 0})) return -1;
  return layer->layer.index;
}

// One op for all of it, with the pool behind it if that is its only reader; *fused says whether the table has one.
static enum status separable_fuse(struct net *net, struct layer *layer, bool *fused, struct error *error)
{
  const struct conv_layer *conv = (const struct conv_layer *)layer;
  const struct pool_layer *pool = (const struct pool_layer *)layer_reader_of_kind(net, layer, &pool_kind);
  const bool pooled = pool && pool->window.size == 2 && pool->window.stride == 2;
  struct separable_spec spec = {.window = conv->window,
                                .filters = conv->conv.filters,
                                .relu = conv->conv.activation == ACT_RELU,
                                .pool = pooled,
                                .input_gradient = spec_of(net, layer, conv->window, false).input_gradient};
  struct op *op = NULL;
  enum status status = OK;
  if (net->ops->separable) status = net->ops->separable(&op, &net->context, &spec, error);
  *fused = op != NULL;
  if (!op) return status;
  status = plan_value(net, pooled ? pool->layer.shape : layer->shape, net->context.dtype, &layer->value, error);
  if (status) {
    op_free(op);
    return status;
  }
  layer->pooled = pooled;
  return plan_step(net, layer, op, layer_input(net, layer, 0)->value, -1, layer->value, layer->first_parameter, 3,
                   error);
}

// x --depthwise--> between --1x1 convolution, bias, activation--> y
static enum status separable_lower(struct net *net, struct layer *layer, struct error *error)
{
  const struct conv_layer *conv = (const struct conv_layer *)layer;
  bool fused = false;
  enum status fusing = separable_fuse(net, layer, &fused, error);
  if (fusing || fused) return fusing;
  struct conv_spec depthwise = spec_of(net, layer, conv->window, false);
  struct conv_spec pointwise = {.relu = conv->conv.activation == ACT_RELU, .input_gradient = true};
  window_fit(&pointwise.window, conv->window.y, conv->conv.filters, 1, 1, PAD_VALID);
  int between = -1;
  struct op *op = NULL;
  enum status status = plan_value(net, conv->window.y, net->context.dtype, &between, error);
  if (!status) status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status) status = net->ops->depthwise(&op, &net->context, &depthwise, error);
  if (!status)
    status =
        plan_step(net, layer, op, layer_input(net, layer, 0)->value, -1, between, layer->first_parameter, 1, error);
  if (!status) status = net->ops->conv(&op, &net->context, &pointwise, error);
  if (status) return status;
  return plan_step(net, layer, op, between, -1, layer->value, layer->first_parameter + 1, 2, error);
}

static const struct layer_kind separable_kind = {.name = "SeparableConv2D", .lower = separable_lower};

int net_separable_conv2d(struct net *net, const char *name, int x, const struct conv2d *conv)
{
  struct conv_layer *layer = (struct conv_layer *)layer_add(net, &separable_kind, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  layer->conv = *conv;
  int channels = layer_input(net, &layer->layer, 0)->shape.c;
  if (conv->filters < 1) return layer_fail(net, name, "%d filters: there must be 1 or more", conv->filters);
  if (!window_of_layer(net, &layer->layer, &layer->window, channels, conv->kernel, conv->stride, conv->padding))
    return -1;
  layer->layer.shape = (struct shape){layer->window.y.h, layer->window.y.w, conv->filters};
  if (!layer_parameter(net, &layer->layer, "depthwise_kernel", 4, (int[]){conv->kernel, conv->kernel, channels, 1}))
    return -1;
  if (!layer_parameter(net, &layer->layer, "pointwise_kernel", 4, (int[]){1, 1, channels, conv->filters})) return -1;
  if (!layer_parameter(net, &layer->layer, "bias", 1, (int[]){conv->filters, 0, 0, 0})) return -1;
  return layer->layer.index;
}

static enum status pool_lower(struct net *net, struct layer *layer, struct error *error)
{
  const struct pool_layer *pool = (const struct pool_layer *)layer;
  if (layer_input(net, layer, 0)->pooled) { // by the op before it
    layer->value = layer_input(net, layer, 0)->value;
    return OK;
  }
  struct op *op = NULL;
  const struct op_context context = plan_context(net, layer);
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status) status = net->ops->max_pool(&op, &context, &pool->window, error);
  if (status) return status;
  net->values[layer->value].nonnegative = net->values[layer_input(net, layer, 0)->value].nonnegative;
  return plan_step(net, layer, op, layer_input(net, layer, 0)->value, -1, layer->value, 0, 0, error);
}

static const struct layer_kind pool_kind = {.name = "MaxPooling2D", .reads_padded = true, .lower = pool_lower};

int net_max_pool2d(struct net *net, const char *name, int x, const struct pool2d *pool)
{
  struct pool_layer *layer = (struct pool_layer *)layer_add(net, &pool_kind, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  int channels = layer_input(net, &layer->layer, 0)->shape.c;
  const struct layer *padded = layer_input(net, &layer->layer, 0);
  if (padded->padding > 0 && layer_input(net, padded, 0)->kind != &layer_relu)
    return layer_fail(net, name, "behind a zero padding the map must come from a ReLU");
  if (pool->size > 15) return layer_fail(net, name, "size %d: at most 15 is allowed", pool->size); // a tap fits a byte
  if (!window_of_layer(net, &layer->layer, &layer->window, channels, pool->size, pool->stride, pool->padding))
    return -1;
  layer->layer.shape = layer->window.y;
  return layer->layer.index;
}
