// A file of weights, whatever its format: tensors whose names and shapes are known and checked against the file's size
// before any of their values is read.
//
// Keras' HDF5 layout: attribute `layer_names` of the root (or, in a saved model, of the group `model_weights`), a group
// per layer with the attribute `weight_names`, a data set per weight. h5py, Keras 2: saving.hdf5_format.
#ifndef WEIGHTS_SOURCE_H
#define WEIGHTS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum { SOURCE_RANK_LIMIT = 8 };

struct source_tensor {
  const char *layer; // the group in an HDF5 file; "" in safetensors
  const char *name;  // as the file has it: "conv1_conv/kernel:0", "layer1.0.conv1.weight"
  int rank;
  uint64_t shape[SOURCE_RANK_LIMIT];
  uint64_t count; // of values
  bool fp32;      // else it can be listed but not read
};

struct source {
  const char *format; // "Keras HDF5", "safetensors"
  const struct source_tensor *tensors;
  size_t count;
  enum status (*read)(struct source *source, size_t index, float *values, struct error *error); // an fp32 one
  const char *(*metadata)(const struct source *source, const char *key);                        // NULL if it has none
  void (*close)(struct source *source);
};

// Opens a file as what its first bytes say it is. BAD_DATA for anything malformed, truncated or hostile. An HDF5 file
// is to be opened in a process that can be thrown away: libhdf5 1.10 has memory bugs that a hostile file may reach.
enum status source_open(struct source **out, const char *path, struct error *error);
void source_close(struct source *source); // NULL is allowed

enum status hdf5_source_open(struct source **out, const char *path, struct error *error);
enum status safetensors_source_open(struct source **out, const char *path, struct error *error);

#endif
