// The official file of ImageNet's weights for ResNet50 without its top, and where it may lie.
#ifndef WEIGHTS_IMAGENET_H
#define WEIGHTS_IMAGENET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/files.h"
#include "core/status.h"

// keras/applications/resnet.py: BASE_WEIGHTS_PATH, WEIGHTS_HASHES["resnet50"][1].
#define IMAGENET_FILE "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
#define IMAGENET_URL  "https://storage.googleapis.com/tensorflow/keras-applications/resnet/" IMAGENET_FILE
#define IMAGENET_MD5  "4d473c1dd8becc155b73f8504c6f6626"
enum { IMAGENET_BYTES = 94765736 };

enum { IMAGENET_PLACES = 3 };

// Where the file is looked for, in this order: the folder of weights below $(WORK) (`given`), the cache
// ($XDG_CACHE_HOME or ~/.cache, /asl-alphabet), and Keras' own ($KERAS_HOME or ~/.keras, /models). A place that the
// environment does not tell is "". The second is where a download goes; where there is none, the first.
struct imagenet_places {
  char files[IMAGENET_PLACES][PATH_LIMIT];
  char download[PATH_LIMIT];
};
enum status imagenet_places(struct imagenet_places *out, const char *given, struct error *error);

// Whether the file is the official one. BAD_DATA names size or MD5, as they are and as they must be.
enum status imagenet_check(const char *path, struct error *error);

#endif
