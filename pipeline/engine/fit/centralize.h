// Gradient centralization (Yong, Huang, Hua, Zhang: "Gradient Centralization", ECCV 2020): a kernel's gradient without
// its mean over the inputs of each output, so that a step never moves all of a unit's weights the same way.
//
// Why it is here: maps behind ReLU are not negative, and seed-cnn's dense layer has 20,000 of them. Adam's first steps
// are as long for each weight as the rate allows and have the sign that the mean image gives, so that 20,000 of them
// add up, a unit is off for every image, and training stays at ln(classes).
#ifndef ENGINE_CENTRALIZE_H
#define ENGINE_CENTRALIZE_H

#include "engine/net/net.h"

// Changes the gradient of one parameter of the net, [..., inputs, outputs]; none but kernels of rank 2 or more with
// more than one output (biases, norms and depthwise kernels stay as they are). The same bits for any number of threads.
void centralize_gradient(struct parameter *parameter, int threads);

#endif
