// resnet50: Keras' ResNet50 version 1 without its top, and a head of 256 units (He et al., "Deep residual learning for
// image recognition", 2015; keras/applications/resnet.py). The stride is on a block's first 1x1 convolution, every
// convolution has a bias, layers and parameters have Keras' names: "conv2_block1_1_bn/gamma".
//
//   image 224 x 224 x 3, bytes, RGB
//     trunk   conv1_conv ... conv5_block3_2_relu and conv5_block2_out, frozen with TRAIN_LAST4
//     head    conv5_block3_3_conv, conv5_block3_3_bn, conv5_block3_add, conv5_block3_out, flatten, dense 256,
//             dropout, predictions
//
// VARIANT_V1_5 has the stride on the 3x3 convolution, in conv3_block1, conv4_block1 and conv5_block1, behind a layer
// NAME_2_pad, and torchvision's preprocessing; its batch norms keep Keras' epsilon, which is larger by 1e-8.
//
// With TRAIN_HEAD the trunk ends in conv5_block3_out, with TRAIN_ALL there is none.
#ifndef MODELS_RESNET50_H
#define MODELS_RESNET50_H

#include "models/models.h"

// The filters of the narrowest convolutions: 64 in the paper; less for tests.
enum { RESNET50_WIDTH = 64 };

// NULL: out of memory. Other mistakes are reported by net_plan.
struct net *resnet50(const struct model_options *options);

// What the trunk gives out of an image of options->input; MODEL_FEATURE_MAPS at most, the rest is empty. BAD_USAGE for
// TRAIN_ALL.
enum status resnet50_features(const struct model_options *options, struct model_features *features,
                              struct error *error);

#endif
