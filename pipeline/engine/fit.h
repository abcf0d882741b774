// The training loop: batches in, epochs out. It knows neither images nor SQL: images come through a net_input, epochs and
// checkpoints go out through callbacks. Same options, data and seed give the same weights, bit for bit, for any number of
// threads and after any interruption that left a checkpoint.
#ifndef ENGINE_FIT_H
#define ENGINE_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "engine/net.h"
#include "engine/optimizer.h"
#include "engine/schedule.h"

// A part of the data. `fetch(self, epoch, index, pixels)` writes image `index` as it is seen in `epoch` (augmented if training).
struct fit_data {
  void *self;
  size_t images;
  const int32_t *labels; // [images]
  void (*fetch)(void *self, uint64_t epoch, size_t index, void *pixels);
  void (*expect)(void *self, const uint32_t *indices, size_t n); // these come next: read ahead; may be NULL
};

struct fit_options {
  int epochs, batch;
  uint64_t seed; // of the shuffle of each epoch
  float label_smoothing;
  struct optimizer_options optimizer;
  struct schedule schedule;
  int patience; // early stopping: epochs without a better validation accuracy; 0: never stop early
  double checkpoint_seconds; // within an epoch, a checkpoint at least this often; 0: at the end of epochs only
};

struct epoch_figures {
  int epoch; // from 1
  double train_loss, train_accuracy; // over the epoch, with dropout and augmentation on, as Keras reports them
  double val_loss, val_accuracy;     // NaN without validation data
  double lr;                         // of the last step
  double seconds, images_per_second; // of the epoch; of its training alone
};

// Where training stands: all that a checkpoint holds beside weights and optimizer state.
struct fit_progress {
  int epoch;            // epochs finished
  uint64_t step;        // optimizer steps made
  size_t batches;       // of the epoch in hand
  double loss_sum;      // over the epoch in hand
  uint64_t correct;
  int best_epoch;
  double best_val_accuracy, best_val_loss;
};

struct fit_callbacks {
  void *self;
  void (*batch)(void *self, size_t images, double loss);                       // after each step; may be NULL
  enum status (*epoch)(void *self, const struct epoch_figures *figures, bool best, struct error *error);
  enum status (*checkpoint)(void *self, const struct fit_progress *progress, struct error *error);
  bool (*stop)(void *self); // the person asked to stop
};

// Trains from *progress (zeroed: from the start) to options->epochs; `best` in the epoch callback says that the weights are the best so far
// (higher validation accuracy, then lower loss). Calls checkpoint after each epoch's callback order: checkpoint first, then epoch. INTERRUPTED after a stop,
// with a checkpoint of the step in flight.
enum status fit(struct net *net, struct optimizer *optimizer, const struct fit_data *train,
                const struct fit_data *validation, const struct fit_options *options, struct fit_progress *progress,
                const struct fit_callbacks *callbacks, struct error *error);

#endif
