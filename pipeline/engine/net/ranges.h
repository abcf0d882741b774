// How large the numbers of a net's maps become, observed over images: from it follows what a byte of each map stands
// for (net_options.ranges).
#ifndef ENGINE_RANGES_H
#define ENGINE_RANGES_H

#include "engine/net/net.h"

struct ranges;

// For the maps of a planned net. Free with ranges_free.
enum status ranges_new(struct ranges **out, const struct net *net, struct error *error);
void ranges_free(struct ranges *ranges); // NULL is harmless

// Adds `count` numbers of the map that `layer` writes, seen on `thread`.
void ranges_add(struct ranges *ranges, int thread, int layer, const float *numbers, size_t count);

// out: [net_layer_count]: the magnitude that the largest byte of the layer's map is to stand for, 0 where the layer
// writes no map of its own. It is where the squared error is least, of rounding what lies below and of cutting off what
// lies above. What is chosen does not depend on threads or on the order of images.
// FAILED names a layer with numbers that are not finite.
enum status ranges_choose(const struct ranges *ranges, const struct net *net, float *out, struct error *error);

#endif
