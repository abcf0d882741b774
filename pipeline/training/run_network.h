// The network of a finished run with its best weights, for judging.
#ifndef PIPELINE_RUN_NETWORK_H
#define PIPELINE_RUN_NETWORK_H

#include "stage/stage.h"
#include "store/runs.h"
#include "training/network.h"

// `config` is the run's. MODEL_HEAD is for a run that trained on features (keys/keys.h: features_used), and reads
// those; MODEL_WHOLE reads images, for any run: the frozen part has the weights that the run started from. BAD_DATA
// where the file's weights are not those that the manifest knows. `config` and `run` must outlive it. Release it in any
// case.
enum status run_network_open(struct network *out, struct stage *stage, const struct run_found *run,
                             const struct config *config, enum model_part part, struct error *error);

#endif
