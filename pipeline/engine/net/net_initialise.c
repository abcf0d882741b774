// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, as
// Keras counts fans.
#include <math.h>

#include "core/rng.h"
#include "engine/net/net_parts.h"

// Keras' compute_fans: a kernel's last two axes are inputs and outputs, the axes before them the receptive
// field.
static double glorot_limit(const struct parameter *parameter)
{
  double field = 1;
  for (int i = 0; i + 2 < parameter->rank; i++) field *= parameter->shape[i];
  double fan_in = field * parameter->shape[parameter->rank - 2],
         fan_out = field * parameter->shape[parameter->rank - 1];
  return sqrt(6 / (fan_in + fan_out));
}

void net_initialise(struct net *net, uint64_t seed)
{
  for (size_t i = 0; i < net->parameter_count; i++) {
    struct parameter *parameter = &net->parameters[i];
    for (size_t k = 0; parameter->rank < 2 && k < parameter->count; k++) parameter->value[k] = parameter->initial;
    if (parameter->rank < 2) continue;
    float limit = (float)glorot_limit(parameter);
    struct rng rng = rng_at(seed, RNG_INITIALISE, i, 0);
    for (size_t k = 0; k < parameter->count; k++) parameter->value[k] = rng_uniform(&rng, -limit, limit);
  }
  net_parameters_changed(net);
}
