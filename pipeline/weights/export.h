// Weights of ours for other programs: Keras' HDF5 layout, which Keras 2 reads by load_weights (by name or in order),
// and plain safetensors with Keras' names.
#ifndef WEIGHTS_EXPORT_H
#define WEIGHTS_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

// A tensor "LAYER/WEIGHT". A layer's tensors stand together.
struct export_tensor {
  const char *name;
  int rank;
  uint64_t shape[8];
  const float *values;
};

// Publishes an HDF5 file: attributes layer_names, backend, keras_version; a group per layer with weight_names
// ("LAYER/WEIGHT:0"). Equal tensors give equal bytes.
enum status export_keras(const char *path, const struct export_tensor *tensors, size_t count, struct error *error);

// Publishes a safetensors file with the metadata of a finished import where the tensors are all of ResNet50's trunk, so
// that it can be used in place of one.
// `preprocessing` is that of import.h which belongs to the trunk.
enum status export_safetensors(const char *path, const struct export_tensor *tensors, size_t count,
                               const char *preprocessing, struct error *error);

#endif
