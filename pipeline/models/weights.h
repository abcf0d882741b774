// Weights from elsewhere into a net: stage weights has imported and checked them (pipeline/weights/import.h), under the
// names that the net's parameters have.
#ifndef MODELS_WEIGHTS_H
#define MODELS_WEIGHTS_H

#include <stddef.h>

#include "core/status.h"
#include "engine/net/net.h"

// Copies every tensor of the file that has the name of one of the net's parameters; *loaded is the number of those. The
// others (a head that the file has not) keep their values. BAD_DATA for a file that is malformed, or whose tensor has
// another shape or a number that is not finite; the net is then as it was.
enum status weights_load(const char *path, struct net *net, size_t *loaded, struct error *error);

#endif
