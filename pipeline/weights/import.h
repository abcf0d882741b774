// A file of ResNet50's weights from elsewhere becomes a safetensors file of ours: the tensors of weights/layout.h in
// their order, fp32, every number finite, with metadata that says what it was and which preprocessing belongs to it:
//
//   format          "asl-imported-weights 1"
//   model           "resnet50"
//   source_format   "Keras HDF5", "safetensors"
//   naming          "Keras", "Keras before 2.2.5", "torchvision"
//   preprocessing   "caffe": BGR minus (103.939, 116.779, 123.68), no division
//                   "torch": RGB / 255, minus (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225)
//   ignored         names that the model has no use for: "fc1000"
//
// torchvision's ResNet50 has its stride on a block's 3x3 convolution, which is no matter of weights: the model must be
// built so, and take images as that does. `stride_on_3x3` says that it is (model.variant v1.5); else such a file is
// refused, and with it one of Keras'.
#ifndef WEIGHTS_IMPORT_H
#define WEIGHTS_IMPORT_H

#include <stdbool.h>

#include "core/status.h"

#define IMPORT_FORMAT "asl-imported-weights 1"
#define IMPORT_CAFFE  "caffe"
#define IMPORT_TORCH  "torch"

struct import_options {
  const char *source, *target; // files
  int width;                   // filters of the first convolution: 64
  bool stride_on_3x3;
};

// Reads the source in this process. For what may be hostile, use import_apart.
enum status import_weights(const struct import_options *options, struct error *error);

// The same in a process of its own, `program` (build/helpers/import_weights), that has limits on memory, time and
// files, shares no descriptor with this one, and can be thrown away: whatever a hostile file does to libhdf5 ends
// there. Not a fork: a stage may have started OpenMP, which does not survive one, and holds the manifest open. `stop`
// (may be NULL) is asked several times a second.
enum status import_apart(const struct import_options *options, const char *program, bool (*stop)(void *), void *self,
                         struct error *error);

// Checks that a file is a finished import for a model of this width: all tensors, their shapes, finite.
enum status import_check(const char *path, int width, struct error *error);

#endif
