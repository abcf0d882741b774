// The network of a run with all that its weights must be kept together with: class names, input, preprocessing.
#ifndef PIPELINE_NETWORK_H
#define PIPELINE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "engine/net.h"
#include "models/checkpoint.h"
#include "store/classes.h"

struct network {
  struct net *net;                   // planned; its weights are zero until they are initialised or loaded
  struct class_names classes;        // in the order of the outputs
  struct checkpoint_subject subject; // of checkpoints; borrows from here and from the configuration
};

struct network_options {
  int64_t split; // whose classes
  const char *run_key;
  enum net_precision precision;
  int threads;
  bool training;
};

// Builds and plans model.name for the split's classes and the configuration's input. BAD_USAGE where model and
// resize.size do not go together. `config` and options->run_key must outlive it. Release it in any case.
enum status network_open(struct network *out, struct db *db, const struct config *config,
                         const struct network_options *options, struct error *error);
void network_release(struct network *network);

#endif
