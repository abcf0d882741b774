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

// Publishes a safetensors file. Its metadata says that the naming is Keras' and, where the first tensor is of
// ResNet50's first layer, which preprocessing (import.h) belongs to the trunk: imported again, it is told from the
// other variant's.
enum status export_safetensors(const char *path, const struct export_tensor *tensors, size_t count,
                               const char *preprocessing, struct error *error);

#endif
