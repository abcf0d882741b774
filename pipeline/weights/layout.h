// What ResNet50 without its top is made of, tensor by tensor: 318 of them, in the order of Keras' layers, with the
// names that they have in three places. A file is matched against this list by name and shape, and nothing of it is
// read before that.
//
//   name here and in Keras since 2.2.5      Keras before that           torchvision
//   conv1_conv/kernel                       conv1 kernel (or W)         conv1.weight
//   conv1_bn/moving_variance                bn_conv1 running_std        bn1.running_var
//   conv2_block1_0_conv/kernel              res2a_branch1 kernel        layer1.0.downsample.0.weight
//   conv4_block6_3_bn/gamma                 bn4f_branch2c gamma         layer3.5.bn3.weight
#ifndef WEIGHTS_LAYOUT_H
#define WEIGHTS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum { LAYOUT_TENSORS = 318, LAYOUT_NAME = 48, LAYOUT_WIDTH = 64 }; // 53 convolutions of 2, 53 batch norms of 4

enum layout_weight { KERNEL, BIAS, GAMMA, BETA, MOVING_MEAN, MOVING_VARIANCE, LAYOUT_WEIGHTS };

struct layout_tensor {
  char name[LAYOUT_NAME];      // "conv2_block1_1_conv/kernel"
  char layer[LAYOUT_NAME];     // "conv2_block1_1_conv"
  char old_layer[LAYOUT_NAME]; // "res2a_branch2a"
  char torch[LAYOUT_NAME];     // "layer1.0.conv1.weight"; "": torchvision's convolutions have no bias
  enum layout_weight weight;
  int rank;
  uint64_t shape[4]; // Keras': a kernel is [height, width, channels in, channels out]
};

// The list for a net whose first convolution has `width` filters (64; less in tests); free() it.
enum status layout_new(struct layout_tensor **out, int width, struct error *error);

uint64_t layout_count(const struct layout_tensor *tensor); // of values
// BAD_DATA names file, layer, weight and place of the first value that is not finite, or a variance below 0.
enum status layout_check_values(const struct layout_tensor *tensor, const float *values, const char *path,
                                struct error *error);

const char *layout_weight_name(enum layout_weight weight); // "moving_variance"

#endif
