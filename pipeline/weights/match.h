// Finds ResNet50's tensors in a file by name and shape, in any of three namings, before a value is read.
#ifndef WEIGHTS_MATCH_H
#define WEIGHTS_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "weights/layout.h"
#include "weights/source.h"

enum naming { NAMING_KERAS, NAMING_OLD_KERAS, NAMING_TORCHVISION };

enum { MATCH_EXTRAS = 400 };

struct match {
  enum naming naming;
  size_t from[LAYOUT_TENSORS]; // index in the source; SIZE_MAX: none, zeros (torchvision's convolutions have no bias)
  // What the file holds that the model has no use for, the top or an optimizer's state: "fc1000, probs"; cut with "..."
  char extras[MATCH_EXTRAS];
};

const char *naming_text(enum naming naming); // "Keras", "Keras before 2.2.5", "torchvision"

// BAD_DATA names the file, the layer, the weight, what it is and what is allowed, for the first that is missing, there
// twice, of another shape or not fp32.
enum status match_tensors(struct match *out, const struct source *source, const struct layout_tensor *layout,
                          const char *path, struct error *error);

#endif
