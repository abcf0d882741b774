#include "models/seed_cnn.h"

static int conv(struct net *net, const char *name, int x, int filters)
{
  const struct conv2d same_3x3 = {
      .filters = filters, .kernel = 3, .stride = 1, .padding = PAD_SAME, .activation = ACT_RELU};
  return net_conv2d(net, name, x, &same_3x3);
}

static int separable(struct net *net, const char *name, int x, int filters)
{
  const struct conv2d same_3x3 = {
      .filters = filters, .kernel = 3, .stride = 1, .padding = PAD_SAME, .activation = ACT_RELU};
  return net_separable_conv2d(net, name, x, &same_3x3);
}

static int residual(struct net *net, const char *name, int x, int filters)
{
  const struct conv2d strided_1x1 = {.filters = filters, .kernel = 1, .stride = 2, .padding = PAD_SAME};
  return net_conv2d(net, name, x, &strided_1x1);
}

static int pool(struct net *net, const char *name, int x, enum padding padding)
{
  return net_max_pool2d(net, name, x, &(struct pool2d){.size = 2, .stride = 2, .padding = padding});
}

struct net *seed_cnn(struct shape input, int classes, float dropout)
{
  struct net *net = net_new("seed-cnn", input, DTYPE_U8);
  if (!net) return NULL;

  int x = net_rescale(net, "rescale", NET_INPUT, 1 / 255.0f);
  int a = conv(net, "conv1", x, 64);
  x = separable(net, "sep1", a, 64);
  x = pool(net, "pool1", x, PAD_SAME);
  x = net_add(net, "add1", x, residual(net, "res1", a, 64));
  x = net_dropout(net, "drop1", x, dropout);

  int b = separable(net, "sep2", x, 32);
  x = separable(net, "sep3", b, 32);
  x = pool(net, "pool2", x, PAD_VALID);
  x = net_add(net, "add2", x, residual(net, "res2", b, 32));
  x = net_dropout(net, "drop2", x, dropout);

  x = net_flatten(net, "flatten", x);
  x = net_dense(net, "dense", x, &(struct dense){.units = 32, .activation = ACT_RELU});
  net_dense(net, "predictions", x, &(struct dense){.units = classes});
  return net;
}
