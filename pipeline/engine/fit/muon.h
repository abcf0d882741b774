// Muon (Jordan and others, "Muon: an optimizer for hidden layers in neural networks", 2024): the step of a kernel is
// its momentum made orthogonal, U (U^T U)^(-1/2), in which all singular values are near 1. The directions that all
// images share are no longer than those by which they differ, which is what seed-cnn's 20,000 non-negative inputs of a
// dense layer need (ACCURACY.md).
#ifndef ENGINE_MUON_H
#define ENGINE_MUON_H

#include <stdbool.h>

#include "core/status.h"
#include "engine/net/net.h"

struct muon;

// Kernels of more than one input and output. Others (biases, norms, depthwise kernels) are no matrices.
bool muon_takes(const struct parameter *parameter);

// For all such kernels of the net that train. BAD_USAGE where the net gives a gradient in pieces (net_options.pieces).
enum status muon_new(struct muon **out, struct net *net, struct error *error);
void muon_free(struct muon *muon);

// momenta[parameter of the net] = beta * itself + gradient; then each gradient, [..., inputs, outputs], becomes
// sqrt(max(1, outputs / inputs)) times gradient + beta * momentum made orthogonal: by how much a step of rate 1 would
// move the weights. The same bits for any number of threads. FAILED if a sum of squares is not finite; gradients and
// momenta are changed then.
enum status muon_directions(struct muon *muon, float *const *momenta, float beta, int threads, struct error *error);

#endif
