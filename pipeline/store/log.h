// stage_log: one row per execution of a stage, running while it works.
//
//   log_start -> running -> log_finish -> done | failed | interrupted
//
// A process that was killed leaves `running`; whoever can show that it is gone (the stage's lock is free) calls
// log_close_abandoned.
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/db.h"

struct log_start {
  const char *stage, *arguments; // arguments: a JSON array of texts
  const char *version;
  int threads;
  int64_t pid;
};

struct log_result {
  const char *state;         // "done", "failed", "interrupted"
  const char *subject, *why; // NULL: none
  const char *key, *parameters;
  const char *message; // of a failure; NULL: none
  uint64_t images;     // that were worked on
  double seconds;      // of the work; images_per_second is images / seconds
  int64_t peak_memory; // bytes
};

enum status log_start(struct db *db, const struct log_start *start, int64_t *id, struct error *error);
enum status log_finish(struct db *db, int64_t id, const struct log_result *result, struct error *error);

// Marks as interrupted what `stage` left running, except row `id`.
enum status log_close_abandoned(struct db *db, const char *stage, int64_t id, struct error *error);

// Calls `visit` with the name of each stage that has a row in state running.
enum status log_running_stages(struct db *db, void *self, void (*visit)(void *self, const char *stage),
                               struct error *error);

#endif
