// A run in training: begun, resumed or carried on from a shorter one, trained, finished.
//
//   no row -> running      training_begin     a new name, the row, args.yaml; or what an earlier execution left
//   running -> no row | failed                training_begin, where it cannot start: a new row goes again
//   running -> interrupted | failed           training_run, by the person or by an error; resumed by the next execution
//   running -> done        training_run       with the weights' digests
//
// After each epoch: best.safetensors where it is the best, last.safetensors, then the epoch's row and results.csv. What
// a kill leaves between these is mended from last.safetensors, which holds the history: it is the truth of an
// unfinished run.
#ifndef PIPELINE_TRAINING_H
#define PIPELINE_TRAINING_H

#include "core/digest.h"
#include "core/files.h"
#include "data/loader.h"
#include "stage/stage.h"
#include "store/runs.h"
#include "store/weights.h"
#include "training/network.h"

struct training {
  // Given.
  struct stage *stage;
  struct stage_key *key;
  struct network *network;
  struct optimizer *optimizer;
  struct loader *train, *validation; // validation: may be without images
  int64_t split, dataset;            // dataset: the split's first
  const int64_t *tensor_sets;        // of the training images
  size_t tensor_set_count;
  enum net_precision precision;
  struct weights_row initial; // what a new run starts from; id 0: weights are drawn
  // Found and made.
  int64_t run;
  char name[RUN_NAME_LIMIT];
  char folder[PATH_LIMIT], best[PATH_LIMIT], last[PATH_LIMIT];
  struct checkpoint_state state;
  char weights_sha256[DIGEST_TEXT], best_sha256[DIGEST_TEXT];
  int first_epoch; // that this execution trains, from 1
  uint64_t images; // that this execution trained on
  double started, seconds;
  struct progress *bar;
  bool bar_validates; // it shows validation
};

// Whether the run of this key is done and its weights are there; BAD_DATA names weights that are missing.
enum status training_is_done(struct stage *stage, const struct stage_key *key, struct run_found *run, bool *done,
                             struct error *error);

// Finds or makes the run's row and puts the net where training has to start.
enum status training_begin(struct training *training, struct error *error);

// Trains to the end. INTERRUPTED keeps everything up to the step in flight.
enum status training_run(struct training *training, struct error *error);

void training_release(struct training *training);

#endif
