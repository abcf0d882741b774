// The skeleton that all stages share: options, configuration, manifest, log row, signals, progress, exit status.
//
// To add a stage: write stages/NAME.c with a `struct stage_definition` and a main that calls stage_main (`make` finds
// it); list its keys in config/keys_table.c, what its result depends on in keys/keys.c; add it to PIPELINE in the
// Makefile and to tests/e2e. A stage reads rows, does work, publishes files, writes rows; it never starts or includes
// another stage.
//
//   static enum status work(struct stage *stage, struct error *error) { ... }
//   static const struct stage_definition resize = {
//     .name = "resize", .summary = "...", .example = "build/stages/resize --manifest work/manifest.db --config
//     cnn.yaml", .work = work };
//   int main(int argc, char **argv) { return stage_main(&resize, argc, argv); }
//
// Exit: 0 done or nothing to do, 1 failed, 2 bad usage or configuration, 130 interrupted with all finished work kept.
#ifndef PIPELINE_STAGE_H
#define PIPELINE_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "core/digest.h"
#include "core/progress.h"
#include "core/status.h"
#include "store/db.h"

struct stage;

// An option of one stage's own, beside the shared ones (--manifest --config --set --threads --json --quiet --help
// --help-config --version).
struct stage_option {
  const char *name;     // "run" for --run VALUE; "strict" for --strict
  const char *argument; // "NAME", or NULL for a switch
  const char *help;
};

struct stage_definition {
  const char *name, *summary, *example;
  const struct stage_option *options; // ends with a zeroed one; may be NULL
  const char *const *option_keys;     // the configuration keys that the first options set, over --set; may be NULL
  bool needs_manifest;                // it must be there already; all but ingest, which starts one
  enum status (*work)(struct stage *stage, struct error *error);
};

int stage_main(const struct stage_definition *definition, int argc, char **argv);

struct config *stage_config(struct stage *stage);
struct db *stage_db(struct stage *stage);
const char *stage_folder(const struct stage *stage); // $(WORK): the manifest's folder, absolute
int stage_threads(const struct stage *stage);
bool stage_quiet(const struct stage *stage);
bool stage_json(const struct stage *stage);
const char *stage_option(const struct stage *stage,
                         const char *name); // its value, "" for a switch given, NULL if absent

// True after SIGINT or SIGTERM: finish the step in flight, keep what is done, return INTERRUPTED. Safe in any thread.
bool stage_interrupted(const struct stage *stage);

// Keeps every other process from running the stage `name` on this manifest while this one does its work, until
// stage_release(&held). FAILED at once if one runs.
enum status stage_hold(struct stage *stage, const char *name, int *held, struct error *error);
void stage_release(int *held);

// A line on stderr, unless --quiet. stage_warn prints always.
void stage_say(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stage_warn(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct progress *stage_progress(struct stage *stage, const char *unit, uint64_t total); // starts the stage's bar

// For stage_log: what was worked on, why, and how many images. `--json` prints the closing row on stdout.
void stage_subject(struct stage *stage, const char *subject);
// Adds up where a stage counts more than once. `seconds` is the working time, start-up left out.
void stage_count(struct stage *stage, uint64_t images, double seconds);
void stage_forget_count(struct stage *stage); // of what was done on the way to the stage's own work

// --- the key of derived work -----------------------------------------------------------------------------------------

// A key is the digest of everything that a result depends on, kept as pairs so that a rerun can say which one changed.
// "code" (the making stage's own version number, raised when its output changes) is the first pair. The keys of this
// project's stages are in keys/keys.h.

struct stage_key; // pairs in the order in which they were added

enum status stage_key_new(struct stage_key **out, int code_version, struct error *error);
enum status stage_key_add(struct stage_key *key, const char *name, const char *value, struct error *error);
enum status stage_key_add_config(struct stage_key *key, const struct config *config, const char *config_key,
                                 struct error *error);
enum status stage_key_finish(struct stage_key *key, struct error *error); // no pairs may follow
const char *stage_key_digest(const struct stage_key *key);                // of a finished key: 64 digits
const char *stage_key_parameters(const struct stage_key *key);            // of a finished key: a JSON object
void stage_key_free(struct stage_key *key);

// How a finished key differs from `previous`, the parameters JSON of the nearest earlier result, or NULL: "train.epochs
// changed from 10 to 12, seed changed from 0 to 1", "dataset content changed", "nothing like it was done yet", "an
// earlier execution did not finish".
void stage_key_changes(const struct stage_key *key, const char *previous, char *out, size_t size);

// Says and logs why the stage runs: stage_key_changes.
void stage_runs_because(struct stage *stage, struct stage_key *key, const char *previous);
void stage_runs_for(struct stage *stage, const char *why);    // the same for work that has no key
void stage_resumes(struct stage *stage, const char *what);    // "epoch 4 of 10": says "goes on at epoch 4 of 10"
void stage_up_to_date(struct stage *stage, const char *what); // "8,700 images": says "up to date: 8,700 images"
void stage_uses_key(struct stage *stage, const struct stage_key *key); // logs the key; stage_runs_because does it too

// A number as people read it: 8,700.
enum { STAGE_NUMBER_LIMIT = 32 };
void stage_number(uint64_t number, char out[STAGE_NUMBER_LIMIT]);

#endif
