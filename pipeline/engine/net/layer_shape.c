// Layers without weights that leave the pixels where they are: rescale, preprocess, zero padding, ReLU, add, dropout.
#include "engine/net/net_parts.h"

struct scalar_layer {
  struct layer layer;
  float number; // scale or rate
};

static enum status rescale_lower(struct net *net, struct layer *layer, struct error *error)
{
  int x = layer_input(net, layer, 0)->value;
  struct op *op = NULL;
  if (net->values[x].wants_gradient)
    return fail(error, BAD_USAGE, "%s: layer %s: only the input can be rescaled", net->name, layer->name);
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status)
    status = net->ops->rescale(&op, &net->context, layer->shape, net->values[x].dtype,
                               ((const struct scalar_layer *)layer)->number, error);
  if (status) return status;
  return plan_step(net, layer, op, x, -1, layer->value, 0, 0, error);
}

static const struct layer_kind rescale_kind = {.name = "Rescaling", .takes = TAKES_ANY, .lower = rescale_lower};

static struct scalar_layer *scalar_layer_add(struct net *net, const struct layer_kind *kind, const char *name, int x,
                                             float number)
{
  struct scalar_layer *layer = (struct scalar_layer *)layer_add(net, kind, sizeof *layer, name, x, -1);
  if (!layer) return NULL;
  layer->number = number;
  layer->layer.shape = layer_input(net, &layer->layer, 0)->shape;
  return layer;
}

int net_rescale(struct net *net, const char *name, int x, float scale)
{
  struct scalar_layer *layer = scalar_layer_add(net, &rescale_kind, name, x, scale);
  return layer ? layer->layer.index : -1;
}

struct preprocess_layer {
  struct layer layer;
  struct preprocess preprocess;
};

static enum status preprocess_lower(struct net *net, struct layer *layer, struct error *error)
{
  int x = layer_input(net, layer, 0)->value;
  struct op *op = NULL;
  if (net->values[x].dtype != DTYPE_U8)
    return fail(error, BAD_USAGE, "%s: layer %s: only an input of bytes can be preprocessed", net->name, layer->name);
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status)
    status = net->ops->preprocess(&op, &net->context, layer->shape,
                                  &((const struct preprocess_layer *)layer)->preprocess, error);
  if (status) return status;
  return plan_step(net, layer, op, x, -1, layer->value, 0, 0, error);
}

static const struct layer_kind preprocess_kind = {
    .name = "Preprocessing", .takes = TAKES_ANY, .lower = preprocess_lower};

int net_preprocess(struct net *net, const char *name, int x, const struct preprocess *preprocess)
{
  struct preprocess_layer *layer =
      (struct preprocess_layer *)layer_add(net, &preprocess_kind, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  layer->preprocess = *preprocess;
  layer->layer.shape = layer_input(net, &layer->layer, 0)->shape;
  bool whole = layer->layer.shape.c == 3;
  for (int c = 0; c < 3; c++) whole &= preprocess->channel[c] >= 0 && preprocess->channel[c] < 3;
  return whole ? layer->layer.index : layer_fail(net, name, "it is for three channels");
}

// The map itself has no zeros: who reads it widens its window.
static enum status pad_lower(struct net *net, struct layer *layer, struct error *error)
{
  (void)error;
  layer->value = layer_input(net, layer, 0)->value;
  return OK;
}

static const struct layer_kind pad_kind = {.name = "ZeroPadding2D", .reads_bytes = true, .lower = pad_lower};

int net_zero_pad2d(struct net *net, const char *name, int x, int pixels)
{
  struct layer *layer = layer_add(net, &pad_kind, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  if (pixels < 0 || pixels > 64) return layer_fail(net, name, "%d pixels: from 0 to 64 are allowed", pixels);
  struct shape shape = layer_input(net, layer, 0)->shape;
  layer->shape = (struct shape){shape.h + 2 * pixels, shape.w + 2 * pixels, shape.c};
  layer->padding = pixels;
  return layer->index;
}

static enum status relu_lower(struct net *net, struct layer *layer, struct error *error)
{
  struct op *op = NULL;
  const struct op_context context = plan_context(net, layer);
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status) status = net->ops->relu(&op, &context, layer->shape, error);
  if (status) return status;
  net->values[layer->value].nonnegative = true;
  return plan_step(net, layer, op, layer_input(net, layer, 0)->value, -1, layer->value, 0, 0, error);
}

const struct layer_kind layer_relu = {.name = "Activation", .lower = relu_lower};

int net_relu(struct net *net, const char *name, int x)
{
  struct layer *layer = layer_add(net, &layer_relu, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  layer->shape = layer_input(net, layer, 0)->shape;
  return layer->index;
}

static enum status dropout_lower(struct net *net, struct layer *layer, struct error *error)
{
  int x = layer_input(net, layer, 0)->value;
  float rate = ((const struct scalar_layer *)layer)->number;
  struct op *op = NULL;
  layer->value = x; // without training it does nothing
  if (!net->options.training || rate <= 0) return OK;
  struct op_context context = net->context;
  context.dtype = net->values[x].dtype;
  enum status status = plan_value(net, layer->shape, context.dtype, &layer->value, error);
  if (!status) status = net->ops->dropout(&op, &context, layer->shape, rate, layer->index, error);
  if (status) return status;
  return plan_step(net, layer, op, x, -1, layer->value, 0, 0, error);
}

static const struct layer_kind dropout_kind = {.name = "Dropout", .takes = TAKES_FLOATS, .lower = dropout_lower};

int net_dropout(struct net *net, const char *name, int x, float rate)
{
  if (!(rate >= 0 && rate <= 0.99f)) return layer_fail(net, name, "rate %g: from 0 to 0.99 is allowed", (double)rate);
  struct scalar_layer *layer = scalar_layer_add(net, &dropout_kind, name, x, rate);
  if (layer && layer->layer.index > 255)
    return layer_fail(net, name, "dropout in layer %d: at most 255", layer->layer.index);
  return layer ? layer->layer.index : -1;
}

static enum status add_lower(struct net *net, struct layer *layer, struct error *error)
{
  struct op *op = NULL;
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status) status = net->ops->add(&op, &net->context, layer->shape, error);
  if (status) return status;
  return plan_step(net, layer, op, layer_input(net, layer, 0)->value, layer_input(net, layer, 1)->value, layer->value,
                   0, 0, error);
}

const struct layer_kind layer_add_kind = {.name = "Add", .lower = add_lower};

int net_add(struct net *net, const char *name, int a, int b)
{
  struct layer *layer = layer_add(net, &layer_add_kind, sizeof *layer, name, a, b);
  if (!layer) return -1;
  if (layer->input_count != 2) return layer_fail(net, name, "needs two inputs");
  struct shape p = layer_input(net, layer, 0)->shape, q = layer_input(net, layer, 1)->shape;
  if (p.h != q.h || p.w != q.w || p.c != q.c)
    return layer_fail(net, name, "%d x %d x %d and %d x %d x %d cannot be added", p.h, p.w, p.c, q.h, q.w, q.c);
  layer->shape = p;
  return layer->index;
}
