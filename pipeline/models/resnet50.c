#include "models/resnet50.h"

#include <stdio.h>

static const struct batch_norm keras_norm = {.epsilon = 1.001e-5f, .momentum = 0.99f};
static const int stage_blocks[4] = {3, 4, 6, 3}; // conv2 ... conv5

// "conv2_block1" + "_1_conv"
struct name {
  char text[40];
};

static struct name name_of(int stage, int block, const char *part)
{
  struct name name;
  snprintf(name.text, sizeof name.text, "conv%d_block%d_%s", stage, block, part);
  return name;
}

struct convolution {
  int filters, kernel, stride;
  enum padding padding;
  bool zero; // its batch norm starts with a gamma of 0
};

// NAME_conv and NAME_bn.
static int convolve(struct net *net, int stage, int block, int number, int x, struct convolution c)
{
  char conv[8], norm[8];
  snprintf(conv, sizeof conv, "%d_conv", number);
  snprintf(norm, sizeof norm, "%d_bn", number);
  const struct conv2d conv2d = {.filters = c.filters, .kernel = c.kernel, .stride = c.stride, .padding = c.padding};
  struct batch_norm batch_norm = keras_norm;
  batch_norm.zero = c.zero;
  x = net_conv2d(net, name_of(stage, block, conv).text, x, &conv2d);
  return net_batch_norm(net, name_of(stage, block, norm).text, x, &batch_norm);
}

// The shortcut of a block that reads x.
static int shortcut_of(struct net *net, int stage, int block, int x, int filters, int stride)
{
  return block == 1 ? convolve(net, stage, block, 0, x, (struct convolution){4 * filters, 1, stride, PAD_VALID, false})
                    : x;
}

// The first two convolutions of a block with their ReLUs: the output of NAME_2_relu. Padding before a stride on the 3x3
// convolution is the same on all sides, as PyTorch has it, and a layer of its own, as in Keras' ResNet50V2.
static int block_inside(struct net *net, int stage, int block, int x, int filters, int stride,
                        enum model_variant variant)
{
  bool late = variant == VARIANT_V1_5 && stride > 1;
  x = convolve(net, stage, block, 1, x, (struct convolution){filters, 1, late ? 1 : stride, PAD_VALID, false});
  x = net_relu(net, name_of(stage, block, "1_relu").text, x);
  if (late) x = net_zero_pad2d(net, name_of(stage, block, "2_pad").text, x, 1);
  x = convolve(net, stage, block, 2, x,
               (struct convolution){filters, 3, late ? stride : 1, late ? PAD_VALID : PAD_SAME, false});
  return net_relu(net, name_of(stage, block, "2_relu").text, x);
}

// The rest of a block: the last convolution, the sum with the shortcut, the ReLU.
static int block_end(struct net *net, int stage, int block, int x, int shortcut, int filters, bool zero)
{
  x = convolve(net, stage, block, 3, x, (struct convolution){4 * filters, 1, 1, PAD_VALID, zero});
  x = net_add(net, name_of(stage, block, "add").text, shortcut, x);
  return net_relu(net, name_of(stage, block, "out").text, x);
}

static int stem(struct net *net, enum model_variant variant, int width)
{
  static const struct preprocess preprocess[] = {
      [VARIANT_V1] = {{2, 1, 0}, {103.939f, 116.779f, 123.68f}, {1, 1, 1}},
      [VARIANT_V1_5] = {{0, 1, 2},
                        {255 * 0.485f, 255 * 0.456f, 255 * 0.406f},
                        {1 / (255 * 0.229f), 1 / (255 * 0.224f), 1 / (255 * 0.225f)}},
  };
  int x = net_preprocess(net, "preprocess_input", NET_INPUT, &preprocess[variant]);
  x = net_zero_pad2d(net, "conv1_pad", x, 3);
  x = net_conv2d(net, "conv1_conv", x, &(struct conv2d){.filters = width, .kernel = 7, .stride = 2});
  x = net_batch_norm(net, "conv1_bn", x, &keras_norm);
  x = net_relu(net, "conv1_relu", x);
  x = net_zero_pad2d(net, "pool1_pad", x, 1);
  return net_max_pool2d(net, "pool1_pool", x, &(struct pool2d){.size = 3, .stride = 2});
}

// Everything before conv5_block3_3_conv: its two inputs, the outputs of conv5_block3_2_relu and conv5_block2_out.
static void trunk(struct net *net, const struct model_options *options, int width, int inputs[2])
{
  int x = stem(net, options->variant, width), filters = width;
  for (int stage = 2; stage <= 5; stage++, filters *= 2)
    for (int block = 1; block <= stage_blocks[stage - 2]; block++) {
      int stride = stage > 2 && block == 1 ? 2 : 1;
      int shortcut = shortcut_of(net, stage, block, x, filters, stride);
      x = block_inside(net, stage, block, x, filters, stride, options->variant);
      inputs[0] = x;
      inputs[1] = shortcut;
      if (stage < 5 || block < 3) x = block_end(net, stage, block, x, shortcut, filters, options->zero_gamma);
    }
}

static void head(struct net *net, const struct model_options *options, int x)
{
  x = net_flatten(net, "flatten", x);
  x = net_dense(net, "dense", x, &(struct dense){.units = 256});
  x = net_dropout(net, "dropout", x, options->dropout);
  net_dense(net, "predictions", x, &(struct dense){.units = options->classes});
}

// The maps of a feature row as layers of the net that reads it.
static void unpack(struct net *net, const struct model_features *features, int maps[MODEL_FEATURE_MAPS])
{
  size_t at = 0;
  for (int i = 0; i < features->count; i++) {
    const struct slice slice = {at, features->maps[i].shape};
    maps[i] = net_slice(net, features->maps[i].layer, NET_INPUT, &slice);
    at += shape_elements(features->maps[i].shape);
  }
}

static int width_of(const struct model_options *options)
{
  return options->width > 0 ? options->width : RESNET50_WIDTH;
}

static int last_layer(const struct net *net)
{
  return (int)net_layer_count(net) - 1;
}

struct net *resnet50(const struct model_options *options)
{
  const bool last4 = options->trainable == TRAIN_LAST4;
  const int filters = 8 * width_of(options);
  int maps[MODEL_FEATURE_MAPS] = {0};
  struct model_features features = {.count = 0};
  struct shape input = options->input;
  struct error ignored; // model_features tells it to the caller
  if (options->trainable != TRAIN_ALL) (void)resnet50_features(options, &features, &ignored);
  if (options->part == MODEL_HEAD) input = (struct shape){1, 1, (int)features.values};
  struct net *net = net_new("resnet50", input, options->part == MODEL_HEAD ? options->feature_dtype : DTYPE_U8);
  if (!net) return NULL;

  if (options->part == MODEL_HEAD)
    unpack(net, &features, maps);
  else
    trunk(net, options, width_of(options), maps);
  if (last4 && options->part != MODEL_HEAD) net_freeze(net, 0, last_layer(net));
  if (options->part == MODEL_TRUNK && last4) {
    net_row(net, "features", maps[0], maps[1]);
    return net;
  }
  int x = maps[0];
  if (last4 || options->part != MODEL_HEAD) x = block_end(net, 5, 3, maps[0], maps[1], filters, options->zero_gamma);
  if (options->trainable == TRAIN_HEAD) net_freeze(net, 0, last_layer(net));
  if (options->part == MODEL_TRUNK)
    net_flatten(net, "features", x);
  else
    head(net, options, x);
  return net;
}

enum status resnet50_features(const struct model_options *options, struct model_features *features, struct error *error)
{
  struct shape shape = {options->input.h, options->input.w, 0};
  int width = width_of(options);
  if (shape.h < 1 || shape.w < 1 || shape.h > 4096 || shape.w > 4096 || width > 4096)
    return fail(error, BAD_USAGE, "resnet50: images of %d x %d: from 1 to 4096 pixels", shape.w, shape.h);
  for (int halving = 0; halving < 5; halving++) { // conv1, pool1, conv3, conv4, conv5: each rounds up
    shape.h = (shape.h + 1) / 2;
    shape.w = (shape.w + 1) / 2;
  }
  *features = (struct model_features){.count = options->trainable == TRAIN_LAST4 ? 2 : 1};
  features->maps[0].layer = options->trainable == TRAIN_LAST4 ? "conv5_block3_2_relu" : "conv5_block3_out";
  features->maps[0].shape = (struct shape){shape.h, shape.w, (options->trainable == TRAIN_LAST4 ? 8 : 32) * width};
  features->maps[1].layer = "conv5_block2_out";
  features->maps[1].shape = (struct shape){shape.h, shape.w, 32 * width};
  for (int i = 0; i < features->count; i++) features->values += shape_elements(features->maps[i].shape);
  return OK;
}
