// Models by name. A new model: a file that builds it, a row in the table of models.c, a listing in its
// header.
#ifndef MODELS_MODELS_H
#define MODELS_MODELS_H

#include <stdbool.h>

#include "core/status.h"
#include "engine/net.h"

struct model {
  const char *name;                                                     // "seed-cnn"
  struct shape input;                                                   // of uint8 RGB images
  struct net *(*build)(struct shape input, int classes, float dropout); // NULL: out of memory
};

// The model called `name`, or NULL.
const struct model *model_find(const char *name);

// Builds a model for its own input size; BAD_USAGE if the name is unknown. The net is the caller's.
enum status model_build(const char *name, int classes, float dropout, struct net **net, struct error *error);

#endif
