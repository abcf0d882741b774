// The weights that a run starts from: imported ones; another run's best ones, or a checkpoint's (model.start); or,
// where a trunk is frozen, the trunk that goes with those.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keys.h"
#include "keys/parts.h"
#include "keys/settings.h"

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
  if (!weights_are_none(config) && !features_used(config))
    return fail(error, BAD_USAGE, "model.start and model.weights are both set: training starts from one of them");
  enum status status = run_find(db, NULL, named, &run, &found, error);
  if (status) return status;
  return found ? of_run(out, &run, error) : of_file(out, named, db, error);
}

// --- a trunk that stays as it is -------------------------------------------------------------------------------------

// What the manifest knows of the frozen trunk that the head of a run was trained on. `frozen` is features_used() of the
// run's configuration.
struct trunk_found {
  bool frozen; // the run read features: its file has the head alone
  char variant[16];
  struct weights_row initial; // id 0: it was drawn from the seed
};

static enum status find_trunk(struct trunk_found *out, struct db *db, const struct run_found *run, struct error *error)
{
  struct query *query = NULL;
  *out = (struct trunk_found){.frozen = false};
  enum status status = query_open(&query, db,
                                  "SELECT ifnull(json_extract(parameters, '$.\"model.variant\"'), 'v1'),"
                                  " json_extract(parameters, '$.\"model.trainable\"') IS NOT NULL"
                                  " AND json_extract(parameters, '$.\"augment.mode\"') <> 'online'"
                                  " AND CAST(json_extract(parameters, '$.\"train.mixup\"') AS REAL) = 0"
                                  " FROM run WHERE id = ?",
                                  error);
  if (!status) status = query_bind(query, error, "i", run->id);
  if (!status && query_next(query, &status, error)) {
    snprintf(out->variant, sizeof out->variant, "%s", query_text(query, 0));
    out->frozen = query_integer(query, 1);
  }
  query_close(query);
  return status ? status : weights_of_run(db, run->id, &out->initial, error);
}

// `weights`: what model.weights came to, id 0 where it is none; where the run says more, that.
static enum status take_trunk(struct weights_row *weights, const struct trunk_found *trunk, const struct run_found *run,
                              const struct config *config, struct error *error)
{
  const char *variant = config_text(config, "model.variant");
  if (!trunk->frozen)
    return weights->id ? OK
                       : fail(error, BAD_USAGE,
                              "model.start: run %s trained its trunk as well: export that (build/stages/export --run "
                              "%s --trunk --to FILE), and set model.weights to the file",
                              run->name, run->name);
  if (strcmp(trunk->variant, variant) != 0)
    return fail(error, BAD_USAGE, "model.start: run %s is of model.variant %s, not %s", run->name, trunk->variant,
                variant);
  if (weights->id && strcmp(weights->sha256, trunk->initial.sha256) != 0)
    return fail(error, BAD_USAGE,
                "model.start: the head of run %s was trained on another trunk than model.weights has; leave "
                "model.weights at none for the run's",
                run->name);
  if (!trunk->initial.id && run->seed != config_integer(config, "seed"))
    return fail(error, BAD_USAGE, "model.start: the trunk of run %s was drawn from seed %lld: set that seed", run->name,
                (long long)run->seed);
  *weights = trunk->initial;
  return OK;
}

// The trunk of the run that model.start names takes the place of `weights`, what model.weights came to.
static enum status start_trunk(struct weights_row *weights, struct db *db, const struct config *config,
                               struct error *error)
{
  struct start_found start;
  struct trunk_found trunk;
  struct run_found run;
  bool found = false;
  enum status status = start_wanted(&start, db, config, error);
  if (status || !start.any) return status;
  if (!start.run[0])
    return weights->id ? OK
                       : fail(error, BAD_USAGE,
                              "model.start: %s does not tell on which frozen trunk its head was trained: set "
                              "model.weights to that, or start from a run",
                              start.path);
  status = run_find(db, NULL, start.run, &run, &found, error);
  if (!status) status = find_trunk(&trunk, db, &run, error);
  return status ? status : take_trunk(weights, &trunk, &run, config, error);
}

// --- what keys count -------------------------------------------------------------------------------------------------

enum status weights_wanted(struct weights_row *out, struct db *db, const struct config *config, struct error *error)
{
  enum status status = weights_listed(out, db, config, error);
  return status || !features_used(config) ? status : start_trunk(out, db, config, error);
}

enum status key_add_weights(struct stage_key *key, bool *drawn, struct db *db, const struct config *config,
                            struct error *error)
{
  struct weights_row weights;
  enum status status = weights_wanted(&weights, db, config, error);
  *drawn = !status && !weights.id;
  if (!status && weights.id) status = stage_key_add(key, "initial weights", weights.sha256, error);
  // Of imported weights nothing that was drawn is left.
  if (*drawn && config_flag(config, "model.zero_gamma")) status = stage_key_add(key, "model.zero_gamma", "true", error);
  return status;
}

enum status key_add_start(struct stage_key *key, struct db *db, const struct config *config, struct error *error)
{
  struct start_found start;
  enum status status = start_wanted(&start, db, config, error);
  if (!status && start.any) status = stage_key_add(key, "start weights", start.sha256, error);
  return status;
}
