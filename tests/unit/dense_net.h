// A net of one dense layer, "out", that is to be trained: what optimizers are tested on.
#ifndef TESTS_DENSE_NET_H
#define TESTS_DENSE_NET_H

#include "engine/net/net.h"

#include "check.h"

static inline struct net *dense_net(int inputs, int units)
{
  struct error error = {0};
  struct net *net = net_new("one", (struct shape){1, 1, inputs}, DTYPE_F32);
  net_dense(net, "out", NET_INPUT, &(struct dense){.units = units});
  struct net_options options = {.kernels = KERNELS_NATIVE, .threads = 1, .batch = 1, .training = true};
  if (net_plan(net, &options, &error)) fail_msg("%s", error.text);
  net_initialise(net, 1);
  return net;
}

#endif
