// What derived work depends on, and where it is found: one function per kind, used by the stage that makes it and by
// the stages that use it, so that they cannot disagree.
//
//   datasets --+--> split ----------+--> augmented --+
//              |                    |                |
//              +--> resized --------+----------------+--> run
//                                weights ---------------+
//
// Where a part of the model is frozen, features stand between resized or augmented images and the run; in int8 they
// also depend on a calibration, and that on split, resized images and weights.
//
// An arrow: the digest at its start is a pair of the key at its end. A run may train on several datasets
// (dataset.train); each has a resized set of its own, which any combination uses again.
//
//   struct stage_key *key = NULL;
//   status = split_key(&key, stage_db(stage), stage_config(stage), error); // finished; free with stage_key_free
//   ...
//   status = split_wanted(&split, stage_db(stage), stage_config(stage), error); // or "run build/stages/split first"
#ifndef PIPELINE_KEYS_H
#define PIPELINE_KEYS_H

#include <stdint.h>

#include "config/config.h"
#include "core/digest.h"
#include "core/files.h"
#include "core/status.h"
#include "stage/stage.h"
#include "store/db.h"
#include "store/runs.h"
#include "store/splits.h"
#include "store/tensors.h"
#include "store/weights.h"

// Raised when a stage makes another result of the same inputs: all of its work is then made anew.
enum {
  SPLIT_CODE = 2,
  RESIZED_CODE = 2,
  AUGMENTED_CODE = 2,
  WEIGHTS_CODE = 1,
  FEATURES_CODE = 1,
  CALIBRATION_CODE = 1,
  RUN_CODE = 9
};

enum { DATASETS_LIMIT = 64, SUBJECT_LIMIT = 1024 };

struct dataset_found {
  int64_t id;
  char fingerprint[DIGEST_TEXT];
  // What keys count: the fingerprint; and where splits or tensors of another dataset with the same images are in the
  // manifest, which are its rows' and would go with them, also whose it is.
  char content[DIGEST_TEXT + 32];
  char name[256];
  uint64_t images; // usable ones
};

// In the order in which the configuration names them.
struct datasets {
  struct dataset_found list[DATASETS_LIMIT];
  int64_t ids[DATASETS_LIMIT];
  size_t count;
};

// Item `index` of dataset.train or dataset.test (`key`) as an absolute path without links: dataset.root. BAD_USAGE if
// it is not a folder.
enum status dataset_root(const struct config *config, const char *key, size_t index, char out[PATH_LIMIT],
                         struct error *error);

// BAD_USAGE where dataset.train is unset, or where two of the folders of dataset.train and dataset.test are the same or
// lie one within the other: images would count twice, or be trained on and tested on.
enum status datasets_check(const struct config *config, struct error *error);

// The datasets of dataset.train, or where that is unset the manifest's only one that is not an outside test. BAD_DATA
// says to ingest first, or that two hold the same images.
enum status datasets_find(struct datasets *out, struct db *db, const struct config *config, struct error *error);

// Those of dataset.test, of which there may be none.
enum status datasets_find_tests(struct datasets *out, struct db *db, const struct config *config, struct error *error);

// The dataset of that id.
enum status dataset_of(struct dataset_found *out, struct db *db, int64_t id, struct error *error);

// "phone29/train + kaggle64/train", cut to what fits in SUBJECT_LIMIT or so: what a stage's log row names as its
// subject.
void datasets_name(const struct datasets *datasets, char *out, size_t size);

enum status split_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error);
enum status resized_key(struct stage_key **out, const struct dataset_found *dataset, const struct config *config,
                        struct error *error);
enum status augmented_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error);
// Imported weights: `source_sha256` is of the file that they are read from.
enum status weights_key(struct stage_key **out, const struct config *config, const char *source_sha256,
                        struct error *error);
// What a byte stands for in a frozen part that works on bytes (features.precision int8): observed over images of the
// split's training part.
enum status calibration_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error);
// Of a dataset's resized images or, where `dataset` is NULL, of the augmented copies.
enum status features_key(struct stage_key **out, const struct dataset_found *dataset, struct db *db,
                         const struct config *config, struct error *error);
// train.precision counts as what it resolves to on this CPU; train.checkpoint_seconds does not count.
enum status run_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error);

// Tensor sets with images of one shape, for the loader.
struct tensor_sets {
  int64_t ids[DATASETS_LIMIT];
  size_t count;
  int height, width, channels;
};

// What the configuration asks for, finished. BAD_DATA says which stage to run first.
enum status split_wanted(struct split_found *out, struct db *db, const struct config *config, struct error *error);
enum status resized_wanted(struct tensor_sets *out, struct db *db, const struct config *config, struct error *error);
enum status augmented_wanted(struct tensor_sets *out, struct db *db, const struct config *config, struct error *error);
// The resized images of one dataset.
enum status resized_of(struct tensor_set *out, const struct dataset_found *dataset, struct db *db,
                       const struct config *config, struct error *error);
enum status features_wanted(struct tensor_sets *out, bool augmented, struct db *db, const struct config *config,
                            struct error *error);
// The weights to start from: what model.weights came to or, where a trunk is frozen, that of the run that model.start
// names; out->id is 0 where they are drawn. BAD_USAGE where the two do not go together, or the start does not tell its
// trunk.
enum { WEIGHTS_WANTED_LIMIT = 2048 }; // of model.weights as text
enum { WEIGHTS_MODEL_LIMIT = 64 };
void weights_model(const struct config *config, char out[WEIGHTS_MODEL_LIMIT]); // "resnet50", "resnet50 v1.5"
bool weights_are_none(const struct config *config); // model.weights is [none]: nothing to look up
enum status weights_wanted(struct weights_row *out, struct db *db, const struct config *config, struct error *error);
// What model.start names: another run's best weights, or a checkpoint.
struct start_found {
  bool any;                 // model.start is set
  char run[RUN_NAME_LIMIT]; // "" for a path
  char path[PATH_LIMIT];    // "" for a run
  char sha256[DIGEST_TEXT]; // of a run's best weights; of the whole file at a path
};
// BAD_USAGE where it is neither a run nor a file, or where model.weights is set too and nothing is frozen; BAD_DATA
// where the run did not finish.
enum status start_wanted(struct start_found *out, struct db *db, const struct config *config, struct error *error);
// A run in any state; `name` (may be NULL) finds it by its name instead.
enum status run_wanted(struct run_found *out, struct db *db, const struct config *config, const char *name,
                       struct error *error);

#endif
