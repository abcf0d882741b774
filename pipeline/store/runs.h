// Training runs in the manifest: the run with all that its result depends on, its epochs, predictions and
// metrics.
//
//   running -> done | failed | interrupted        run_insert, run_set_state, run_finish; an interrupted one
//   goes to running again
//
// An old run is never overwritten: another key of the same name gets NAME-2, NAME-3, ...
#ifndef STORE_RUNS_H
#define STORE_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"
#include "core/files.h"
#include "store/db.h"

enum { RUN_NAME_LIMIT = 256 };

// $(WORK)/runs/NAME, the folder of a run.
enum status run_folder(char out[PATH_LIMIT], const char *work, const char *name, struct error *error);

// What a run is, fixed when it starts.
struct run_row {
  const char *name, *key, *parameters, *config, *model;
  int64_t dataset, split, seed; // dataset: the split's first
  const int64_t *tensor_sets;   // that its training images come from, at least one
  size_t tensor_set_count;
  const char *precision, *isa, *host, *versions;
  int threads;
  int64_t parameter_count, trainable_count, epochs_planned;
  int64_t weights; // that it starts from; 0: they are drawn
};

// What later stages need to know of a run.
struct run_found {
  int64_t id, dataset, split, seed; // dataset: the split's first
  char name[RUN_NAME_LIMIT], key[DIGEST_TEXT], state[16], model[64], precision[8];
  char weights_sha256[DIGEST_TEXT], best_sha256[DIGEST_TEXT]; // "" where not known yet
  int best_epoch, epochs_planned, epochs;                     // epochs: rows
  double best_val_accuracy;                                   // NaN where there is none
};

struct epoch_row {
  int epoch;
  double train_loss, train_accuracy, val_loss, val_accuracy; // NaN: no validation
  double lr, seconds, images_per_second;
};

struct run_result {
  int best_epoch;
  double best_val_accuracy; // NaN: no validation
  const char *weights_sha256, *best_sha256;
  int64_t peak_memory;
  const char *stopped; // "epochs", "early stopping"
};

struct prediction_row {
  int64_t image;
  int label, predicted, label_rank; // label -1: the run does not know the image's class
  double confidence, label_confidence, loss;
  int second, third; // -1: there are fewer classes
  double second_confidence, third_confidence;
};

struct metric_row {
  char name[48];
  double value;     // NaN rows are not written
  double low, high; // NaN: no interval
  uint64_t images;
};

// By key, or by name; exactly one of them is given.
enum status run_find(struct db *db, const char *key, const char *name, struct run_found *out, bool *found,
                     struct error *error);

// `base` for suffix 1, else base-2, base-3, ...; BAD_USAGE if it does not fit.
enum status run_name(const char *base, int suffix, char out[RUN_NAME_LIMIT], struct error *error);
enum status run_name_is_free(struct db *db, const char *name, bool *is_free, struct error *error);

// Forgets a run with its epochs, predictions and metrics.
enum status run_forget(struct db *db, int64_t id, struct error *error);

// Of the runs called `base` or base-N that have another key than `except`, the one whose parameters differ in the
// fewest values from `wanted` (a JSON object), of those the longest that is done and shorter than wanted, and its own
// parameters (free them). For saying what changed, and for going on from it.
enum status run_nearest(struct db *db, const char *base, const char *except, const char *wanted, struct run_found *out,
                        char **parameters, bool *found, struct error *error);

// The sets that its training images come from, in their order; free *out.
enum status run_tensor_sets(struct db *db, int64_t id, int64_t **out, size_t *count, struct error *error);

// Inserts the run in state running, with its tensor sets; one transaction.
enum status run_insert(struct db *db, const struct run_row *row, int64_t *id, struct error *error);
enum status run_set_state(struct db *db, int64_t id, const char *state, struct error *error);

// Writes epochs 1 ... count, which replace what is there, and removes later ones: a checkpoint's history is
// the truth after a kill.
enum status run_set_epochs(struct db *db, int64_t id, const struct epoch_row *epochs, size_t count,
                           struct error *error);
enum status run_finish(struct db *db, int64_t id, const struct run_result *result, struct error *error);

// Replaces the predictions and metrics of a run on a part; one transaction.
enum status run_set_evaluation(struct db *db, int64_t id, const char *part, const struct prediction_row *predictions,
                               size_t count, const struct metric_row *metrics, size_t metric_count,
                               struct error *error);

// An outside test: what its row says of it.
#define OUTSIDE_PREFIX "outside:"
enum { OUTSIDE_PART_LIMIT = 300 };

struct outside_row {
  int64_t dataset;
  const char *part; // OUTSIDE_PREFIX and the dataset's name
  const char *fingerprint, *weights_sha256;
  uint64_t images, unknown_images; // unknown: of classes that the run does not know
};

// What can be asked of an outside test before its images are judged. Texts are cut to what fits, at a whole name.
struct outside_facts {
  char unknown_classes[1024], missing_classes[1024]; // names, ", " between them
  size_t unknown_count, missing_count, class_count;  // class_count: of the run
  uint64_t same_as_training;                         // images with the same bytes as a training image
};
enum status run_outside_facts(struct db *db, int64_t id, int64_t dataset, struct outside_facts *out,
                              struct error *error);

// Replaces the predictions, metrics and row of an outside test; one transaction.
enum status run_set_outside(struct db *db, int64_t id, const struct outside_row *row, const struct outside_facts *facts,
                            const struct prediction_row *predictions, size_t count, const struct metric_row *metrics,
                            size_t metric_count, struct error *error);

#endif
