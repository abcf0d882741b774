// The weights that fine-tuning starts from: another run's best ones, or a checkpoint's.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keys.h"
#include "keys/parts.h"

static enum status of_file(struct start_found *out, const char *path, struct db *db, struct error *error)
{
  uint64_t bytes = 0;
  if (strlen(path) >= PATH_LIMIT || access(path, F_OK) != 0)
    return fail(error, BAD_USAGE, "model.start: %.200s is neither a run of %s nor a file", path, db_path(db));
  snprintf(out->path, sizeof out->path, "%s", path);
  return digest_of_file(out->sha256, &bytes, path, error);
}

static enum status of_run(struct start_found *out, const struct run_found *run, struct error *error)
{
  if (strcmp(run->state, "done") != 0)
    return fail(error, BAD_DATA, "model.start: run %s is %s: train it to its end first", run->name, run->state);
  memcpy(out->run, run->name, sizeof out->run);
  memcpy(out->sha256, run->best_sha256, sizeof out->sha256);
  return OK;
}

enum status start_wanted(struct start_found *out, struct db *db, const struct config *config, struct error *error)
{
  const char *named = config_text(config, "model.start");
  struct run_found run;
  bool found = false;
  *out = (struct start_found){.any = named[0] != '\0'};
  if (!out->any) return OK;
  if (!weights_are_none(config))
    return fail(error, BAD_USAGE, "model.start and model.weights are both set: training starts from one of them");
  enum status status = run_find(db, NULL, named, &run, &found, error);
  if (status) return status;
  return found ? of_run(out, &run, error) : of_file(out, named, db, error);
}

enum status key_add_start(struct stage_key *key, struct db *db, const struct config *config, struct error *error)
{
  struct start_found start;
  enum status status = start_wanted(&start, db, config, error);
  if (!status && start.any) status = stage_key_add(key, "start weights", start.sha256, error);
  return status;
}
