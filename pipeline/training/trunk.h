// The frozen part of a configuration's model, with the weights that a run starts from: images in, rows of features out.
#ifndef PIPELINE_TRUNK_H
#define PIPELINE_TRUNK_H

#include "config/config.h"
#include "engine/net/net.h"
#include "stage/stage.h"

enum { TRUNK_BLOCK = 32 }; // the most images of one call

// Not planned yet; the caller's.
enum status trunk_build(struct net **out, const struct config *config, struct error *error);

// Plans it for the stage's threads (ranges: net_options.ranges, or NULL) and gives it its weights. `source` says where
// those are from. BAD_DATA where an imported file lacks some of them.
enum { TRUNK_SOURCE_LIMIT = 160 };
enum status trunk_start(struct net *trunk, struct stage *stage, enum net_precision precision, const float *ranges,
                        char source[TRUNK_SOURCE_LIMIT], struct error *error);

#endif
