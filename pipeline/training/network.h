// The network of a run with all that its weights must be kept together with: class names, input, preprocessing.
#ifndef PIPELINE_NETWORK_H
#define PIPELINE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "engine/net/net.h"
#include "models/checkpoint.h"
#include "models/models.h"
#include "store/classes.h"
#include "store/weights.h"

struct network {
  struct net *net;                   // planned; its weights are zero until they are initialised or loaded
  struct class_names classes;        // in the order of the outputs
  struct checkpoint_subject subject; // of checkpoints; borrows from here and from the configuration
};

struct network_options {
  enum model_part part; // MODEL_HEAD reads rows of features instead of images
  int64_t split;        // whose classes
  const char *run_key;
  const char *calibration; // key of the one that the frozen part computes with; NULL, "": on numbers
  enum net_precision precision;
  int threads;
  bool training;
};

// Builds and plans model.name for the split's classes and the configuration's input. BAD_USAGE where model and
// resize.size do not go together. `config` and options->run_key must outlive it. Release it in any case.
enum status network_open(struct network *out, struct db *db, const struct config *config,
                         const struct network_options *options, struct error *error);
void network_release(struct network *network);

// The part of model.name that the configuration asks for. BAD_USAGE where model and resize.size do not go together.
enum status network_model(struct model_options *out, const struct config *config, int classes, enum model_part part,
                          struct error *error);

// What the bytes of the net's maps stand for, as the calibration with that key has it: [net_layer_count], free it.
// BAD_DATA: the manifest has no such calibration. The net need not be planned.
enum status network_ranges(float **out, const struct net *net, struct db *db, const char *calibration,
                           struct error *error);

// The weights that a run starts from: drawn from the seed and, where `initial` has an id, those of the imported file
// (below `folder`, checked against its row) over them; what the file has not, the head, keeps what was drawn. *loaded:
// tensors of the file that the net has.
enum status network_start(struct net *net, uint64_t seed, const struct weights_row *initial, const char *folder,
                          size_t *loaded, struct error *error);

#endif
