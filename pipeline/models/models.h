// Models by name. A new model: a file that builds it, a row in the table of models.c, a listing in its
// header.
//
// Where most of a net is frozen, that part needs to see an image once:
//
//   struct model_options options = {.name = "resnet50", .classes = 29, .dropout = 0.5f, .trainable = TRAIN_LAST4};
//   options.part = MODEL_TRUNK;           // images in, feature rows out: net_infer's "logits" are the rows, as floats
//   model_build(&options, &trunk, error);
//   options.part = MODEL_HEAD;            // rows in (feature_dtype), logits out
//   model_build(&options, &head, error);
//   model_features(&options, &features, error);  // what a row holds: its maps, one behind the other
//
// A row of a net in bf16 is exact in bf16 (`bf16_from_float`). Trunk and head have the whole net's parameter names:
// weights of one are the other's or the whole net's by name.
#ifndef MODELS_MODELS_H
#define MODELS_MODELS_H

#include <stdbool.h>

#include "core/status.h"
#include "engine/net/net.h"

enum model_part { MODEL_WHOLE, MODEL_TRUNK, MODEL_HEAD };
// All weights; the last four layers of the trunk and the layers behind it; those behind it alone.
enum model_trainable { TRAIN_ALL, TRAIN_LAST4, TRAIN_HEAD };
// Of resnet50. v1 is Keras': a block's stride is on its first 1x1 convolution; images are BGR minus ImageNet's mean.
// v1.5 is torchvision's: the stride is on the 3x3 convolution; images are RGB, scaled to mean 0 and deviation 1.
enum model_variant { VARIANT_V1, VARIANT_V1_5 };

enum { MODEL_FEATURE_MAPS = 2 };

struct model_options {
  const char *name;   // "seed-cnn", "resnet50"
  struct shape input; // of uint8 RGB images; zeroed: the model's own
  int width;          // filters of the narrowest layer, for tests; 0: the model's own
  int classes;
  float dropout;
  enum model_part part;
  enum model_trainable trainable;
  enum model_variant variant;
  // Of resnet50, drawn: the last batch norm of each block starts with a gamma of 0, so that a block begins as its
  // shortcut (Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017).
  bool zero_gamma;
  enum dtype feature_dtype; // of MODEL_HEAD's input rows: DTYPE_F32 or DTYPE_BF16
};

// A feature row: maps[0], then maps[1], ..., each [H, W, C]. No value is negative.
struct model_features {
  int count;     // of maps
  size_t values; // of a row
  struct {
    const char *layer; // whose output it is
    struct shape shape;
  } maps[MODEL_FEATURE_MAPS];
};

struct model {
  const char *name;
  struct shape input;                                        // of uint8 RGB images
  const char *preprocessing[2];                              // what its first layer does to them, by enum model_variant
  struct net *(*build)(const struct model_options *options); // NULL: out of memory
  // What its trunk gives out; NULL: it has no trunk, and all of it trains.
  enum status (*features)(const struct model_options *options, struct model_features *features, struct error *error);
};

// The model called `name`, or NULL.
const struct model *model_find(const char *name);

// BAD_USAGE if the name is unknown or the model has no such part. The net is the caller's; what else is wrong net_plan
// says.
enum status model_build(const struct model_options *options, struct net **net, struct error *error);

// BAD_USAGE where nothing is frozen: such a model has no trunk.
enum status model_features(const struct model_options *options, struct model_features *features, struct error *error);

#endif
