// Checkpoints: a net's weights, with or without optimizer state, and all that is needed to go on training
// from there or to use the net elsewhere, in one safetensors file.
//
//   last.safetensors   conv1/kernel, conv1/bias, ..., optimizer/m/conv1/kernel, optimizer/v/conv1/kernel, ...
//   best.safetensors   the weights alone
//
// Metadata (strings): format, library, model, variant, classes (JSON list in the order of the outputs), input_size,
// resize_fit, resize_filter, preprocessing, run_key, precision, progress and history (JSON; real numbers as C's
// "%a", so that they come back bit for bit).
//
// A file is not trusted: every name, type and shape must be this net's, every number finite, the model and
// the class names the ones that are asked for. A file that is refused leaves the net as it was.
#ifndef MODELS_CHECKPOINT_H
#define MODELS_CHECKPOINT_H

#include <stddef.h>

#include "core/digest.h"
#include "engine/fit/fit.h"
#include "engine/fit/optimizer.h"
#include "engine/net/net.h"

struct checkpoint_subject {
  const char *model;          // "seed-cnn"
  const char *variant;        // "v1", "v1.5": the same names and shapes, another net
  const char *preprocessing;  // what the model's first layer does to the bytes of a picture; for readers elsewhere
  const char *const *classes; // [class_count] names, in the order of the outputs
  size_t class_count;
  int input_size;
  const char *resize_fit, *resize_filter; // how a picture becomes the input
  const char *run_key;
  const char *library;   // our name and version
  const char *precision; // that the run computes in; the weights are fp32 always
};

// Where training stands and what it did so far: one figure per finished epoch.
struct checkpoint_state {
  struct fit_progress progress;
  struct epoch_figures *history; // [progress.epoch]; owned
};
void checkpoint_state_release(struct checkpoint_state *state);

// Publishes the file. `optimizer` may be NULL: weights alone.
enum status checkpoint_save(const char *path, struct net *net, struct optimizer *optimizer,
                            const struct checkpoint_subject *subject, const struct checkpoint_state *state,
                            struct error *error);

// Reads a file into a planned net, and into `optimizer` and `state` unless they are NULL (`state` is to be
// released). `subject` says what the file must be of; a NULL run_key takes any run's.
enum status checkpoint_load(const char *path, struct net *net, struct optimizer *optimizer,
                            const struct checkpoint_subject *subject, struct checkpoint_state *state,
                            struct error *error);

// SHA-256 over the values of all parameters in their order: equal weights, equal text.
enum status checkpoint_weights_sha256(struct net *net, char sha256[DIGEST_TEXT], struct error *error);

#endif
