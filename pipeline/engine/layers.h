// What layers are described by: to a net that is built of them, and to the ops that do their work.
#ifndef ENGINE_LAYERS_H
#define ENGINE_LAYERS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/tensor.h"

enum padding { PAD_VALID, PAD_SAME }; // SAME as TensorFlow's: the odd pixel goes to the bottom and the right
enum activation { ACT_LINEAR, ACT_RELU };

struct conv2d {
  int filters, kernel, stride;
  enum padding padding;
  enum activation activation;
};
struct pool2d {
  int size, stride;
  enum padding padding;
};
struct dense {
  int units;
  enum activation activation;
};
struct batch_norm {
  float epsilon;
  float momentum; // of the moving statistics: moving * momentum + batch * (1 - momentum)
  bool zero;      // gamma starts at 0 instead of 1
};
// A part of a row of numbers, as a map: its values first ...
struct slice {
  size_t first;
  struct shape shape;
};
struct preprocess {
  int channel[3]; // of the input, for each channel of the output
  float mean[3], scale[3];
};

#endif
