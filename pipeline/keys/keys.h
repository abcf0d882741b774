// What derived work depends on, and where it is found: one function per kind, used by the stage that makes it and by
// the stages that use it, so that they cannot disagree.
//
//   dataset --+--> split ----------+--> augmented --+
//             |                    |                |
//             +--> resized --------+----------------+--> run
//
// An arrow: the digest at its start is a pair of the key at its end.
//
//   struct stage_key *key = NULL;
//   status = resized_key(&key, stage_db(stage), stage_config(stage), error); // finished; free with stage_key_free
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

// Raised when a stage makes another result of the same inputs: all of its work is then made anew.
enum { SPLIT_CODE = 1, RESIZED_CODE = 2, AUGMENTED_CODE = 2, RUN_CODE = 2 };

struct dataset_found {
  int64_t id;
  char fingerprint[DIGEST_TEXT];
  char name[256];
  uint64_t images; // usable ones
};

// dataset.train as an absolute path without links: dataset.root. BAD_USAGE if it is unset or not a folder.
enum status dataset_root(const struct config *config, char out[PATH_LIMIT], struct error *error);

// The dataset of the configuration, or the manifest's only one where dataset.train is unset. BAD_DATA says to ingest
// first.
enum status dataset_find(struct dataset_found *out, struct db *db, const struct config *config, struct error *error);

enum status split_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error);
enum status resized_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error);
enum status augmented_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error);
// train.precision counts as what it resolves to on this CPU; train.checkpoint_seconds does not count.
enum status run_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error);

// What the configuration asks for, finished. BAD_DATA says which stage to run first.
enum status split_wanted(struct split_found *out, struct db *db, const struct config *config, struct error *error);
enum status resized_wanted(struct tensor_set *out, struct db *db, const struct config *config, struct error *error);
enum status augmented_wanted(struct tensor_set *out, struct db *db, const struct config *config, struct error *error);
// A run in any state; `name` (may be NULL) finds it by its name instead.
enum status run_wanted(struct run_found *out, struct db *db, const struct config *config, const char *name,
                       struct error *error);

#endif
