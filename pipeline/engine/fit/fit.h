// The training loop: batches in, epochs out. It knows neither images nor SQL: images come through a
// net_input, epochs and checkpoints go out through callbacks. Same options, data and seed give the same
// weights, bit for bit, for any number of threads and after any interruption that left a checkpoint.
#ifndef ENGINE_FIT_H
#define ENGINE_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "engine/fit/optimizer.h"
#include "engine/fit/schedule.h"
#include "engine/net/net.h"

// A part of the data. `fetch(self, epoch, index, pixels)` writes image `index` as it is seen in `epoch`
// (augmented if training); it is called from many threads at once.
struct fit_data {
  void *self;
  size_t images;
  const int32_t *labels; // [images]
  void (*fetch)(void *self, uint64_t epoch, size_t index, void *pixels);
  // Of an image that fetch mixes with another: the share of its own label, at least 0.5, and the other's label; 1 for
  // one that stands alone. NULL: all do.
  float (*mix)(void *self, uint64_t epoch, size_t index, int32_t *other);
  void (*expect)(void *self, uint64_t epoch, const uint32_t *indices,
                 size_t n); // come next: read ahead; may be NULL
};

struct fit_options {
  int epochs, batch; // batch: at most what the net was planned for; an epoch's last batch may be smaller, and
                     // is trained too
  int threads;
  uint64_t seed;         // of the shuffle of each epoch
  float label_smoothing; // of the training loss; the validation loss is plain cross-entropy
  struct schedule schedule;
  int patience;              // early stopping: epochs without a better validation accuracy; 0: never stop early
  double checkpoint_seconds; // within an epoch, a checkpoint at least this often; 0: at the end of epochs only
};

struct epoch_figures {
  int epoch; // from 1
  double train_loss,
      train_accuracy;                // over the epoch, with dropout and augmentation on, as Keras reports them
  double val_loss, val_accuracy;     // NaN without validation data; of the averaged weights if there are any
  double lr;                         // of the last step
  double seconds, images_per_second; // of the epoch; of its training alone
};

// Where training stands: all that a checkpoint holds beside weights and optimizer state. After the last batch
// of an epoch and before its validation, `batches` is the whole epoch's and `epoch` still the number before
// it.
struct fit_progress {
  int epoch;       // epochs finished
  uint64_t step;   // optimizer steps made
  size_t batches;  // of the epoch in hand
  double loss_sum; // over the images of the epoch in hand
  uint64_t correct;
  double seconds; // spent in training in the epoch in hand
  int best_epoch; // 0: none yet
  double best_val_accuracy, best_val_loss;
};

// `epoch` is called after each epoch's validation, with *progress standing at the next epoch's start; `best`
// says that the weights are the best so far (higher validation accuracy, then lower loss; without validation
// data, the latest). Where the optimizer averages, the averages are what was validated and what is best; the net has
// the weights themselves (optimizer_swap_average). It is to publish the best weights first and the checkpoint after
// them: whoever resumes from a checkpoint finds the best weights that belong to it. `checkpoint` is called within an
// epoch. Both may fail, which ends training with that error.
struct fit_callbacks {
  void *self;
  enum status (*epoch)(void *self, const struct epoch_figures *figures, bool best, const struct fit_progress *progress,
                       struct error *error);
  enum status (*checkpoint)(void *self, const struct fit_progress *progress, struct error *error);
  void (*trained)(void *self, size_t images);   // after each step; may be NULL
  void (*validated)(void *self, size_t images); // after each batch of validation; may be NULL
  bool (*stop)(void *self);                     // the person asked to stop; may be NULL
};

// Trains from *progress (zeroed: from the start) to options->epochs, or until patience is out: then
// progress->epoch is less. `validation` may be NULL. INTERRUPTED after a stop, with a checkpoint of the step
// in flight. FAILED, with the weights as they were before the step, when the loss or a gradient is not
// finite.
enum status fit(struct net *net, struct optimizer *optimizer, const struct fit_data *train,
                const struct fit_data *validation, const struct fit_options *options, struct fit_progress *progress,
                const struct fit_callbacks *callbacks, struct error *error);

// Inference over all images of `data`, `batch` at a time: `each` receives the logits [n, classes] of the
// images first ... first + n - 1, in order. It may end the pass by a status other than OK, which is returned.
enum status fit_predict(struct net *net, const struct fit_data *data, size_t batch,
                        enum status (*each)(void *self, size_t first, size_t n, const float *logits), void *self,
                        struct error *error);

// Of one image: -log softmax(logits)[label], in double.
double fit_cross_entropy(const float *logits, int classes, int label);

int fit_classes(const struct net *net); // the width of the output

#endif
