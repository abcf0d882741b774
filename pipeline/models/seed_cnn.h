// seed-cnn: the small network of the ASL alphabet's Kaggle notebooks; 656,733 parameters for 100 x 100 x 3
// and 29 classes.
#ifndef MODELS_SEED_CNN_H
#define MODELS_SEED_CNN_H

#include "engine/net/net.h"

// `input` is of uint8 RGB images; half its height and width, rounded up, must be even (the second residual
// meets a VALID pool). NULL: out of memory. Other mistakes are reported by net_plan.
struct net *seed_cnn(struct shape input, int classes, float dropout);

#endif
