#include "training/training.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/version.h"
#include "keys/keys.h"
#include "keys/settings.h"
#include "training/results.h"

// --- where a run is --------------------------------------------------------------------------------------------------

static enum status set_paths(struct training *training, struct error *error)
{
  enum status status = run_folder(training->folder, stage_folder(training->stage), training->name, error);
  if (!status) status = path_join(training->best, training->folder, "weights/best.safetensors", error);
  if (!status) status = path_join(training->last, training->folder, "weights/last.safetensors", error);
  return status;
}

static bool exists(const char *path)
{
  return access(path, F_OK) == 0;
}

enum status training_is_done(struct stage *stage, const struct stage_key *key, struct run_found *run, bool *done,
                             struct error *error)
{
  static const char *const files[] = {"weights/best.safetensors", "weights/last.safetensors"};
  char folder[PATH_LIMIT], path[PATH_LIMIT];
  bool found = false;
  enum status status = run_find(stage_db(stage), stage_key_digest(key), NULL, run, &found, error);
  *done = !status && found && !strcmp(run->state, "done");
  if (*done) status = run_folder(folder, stage_folder(stage), run->name, error);
  for (size_t i = 0; *done && !status && i < sizeof files / sizeof *files; i++) {
    status = path_join(path, folder, files[i], error);
    if (!status && !exists(path))
      status = fail(error, BAD_DATA, "run %s is done, but %s is missing: restore it, or train anew by --again",
                    run->name, path);
  }
  return status;
}

// --- the run's row ---------------------------------------------------------------------------------------------------

static void add_counts(struct run_row *row, struct net *net)
{
  for (size_t p = 0; p < net_parameter_count(net); p++) {
    const struct parameter *parameter = net_parameter(net, p);
    row->parameter_count += (int64_t)parameter->count;
    if (parameter->trainable) row->trainable_count += (int64_t)parameter->count;
  }
}

// Of the whole model, also where this run's network is only what is behind a frozen trunk: all runs are told alike.
static enum status count_parameters(const struct training *training, struct run_row *row, struct error *error)
{
  const struct config *config = stage_config(training->stage);
  struct model_options model;
  struct net *whole = NULL;
  if (!features_used(config)) {
    add_counts(row, training->network->net);
    return OK;
  }
  enum status status = network_model(&model, config, (int)training->network->classes.count, MODEL_WHOLE, error);
  if (!status) status = model_build(&model, &whole, error);
  if (!status) add_counts(row, whole);
  net_free(whole);
  return status;
}

static enum status versions_json(char **out, struct error *error)
{
  char onednn[32];
  net_library_version(onednn);
  json_t *versions = json_pack("{s:s, s:s, s:s, s:s}", "pipeline", PIPELINE_VERSION, "oneDNN", onednn, "SQLite",
                               db_library_version(), "compiler", __VERSION__);
  *out = versions ? json_dumps(versions, JSON_COMPACT) : NULL;
  json_decref(versions);
  return *out ? OK : fail_memory(error, "versions", 0);
}

static enum status config_yaml(const struct config *config, char **out, struct error *error)
{
  size_t size;
  *out = NULL;
  FILE *memory = open_memstream(out, &size);
  if (!memory) return fail_errno(error, "cannot write the configuration");
  enum status status = config_write(config, memory, error);
  if (fclose(memory) && !status) status = fail_errno(error, "cannot write the configuration");
  return status;
}

static enum status insert_row(struct training *training, const char *yaml, const char *versions, struct error *error)
{
  const struct config *config = stage_config(training->stage);
  char host[512];
  results_host(host, sizeof host);
  struct run_row row = {
      .name = training->name,
      .key = stage_key_digest(training->key),
      .parameters = stage_key_parameters(training->key),
      .config = yaml,
      .model = config_text(config, "model.name"),
      .dataset = training->dataset,
      .split = training->split,
      .tensor_sets = training->tensor_sets,
      .tensor_set_count = training->tensor_set_count,
      .seed = config_integer(config, "seed"),
      .precision = settings_precision_name(training->precision),
      .isa = net_isa(),
      .host = host,
      .versions = versions,
      .threads = stage_threads(training->stage),
      .epochs_planned = config_integer(config, "train.epochs"),
      .weights = training->initial.id,
  };
  enum status status = count_parameters(training, &row, error);
  return status ? status : run_insert(stage_db(training->stage), &row, &training->run, error);
}

static enum status write_args(const struct training *training, const char *yaml, struct error *error)
{
  char path[PATH_LIMIT];
  struct publication file = {0};
  enum status status = path_join(path, training->folder, "args.yaml", error);
  if (!status) status = publication_open(&file, path, error);
  if (!status) {
    fputs(yaml, file.stream);
    status = publication_commit(&file, error);
  }
  publication_discard(&file);
  return status;
}

static enum status make_folder(const struct training *training, struct error *error)
{
  char weights[PATH_LIMIT];
  enum status status = path_join(weights, training->folder, "weights", error);
  if (!status) status = folder_make(weights, error);
  if (!status) status = publications_collect(training->folder, error);
  return status ? status : publications_collect(weights, error);
}

// A name that neither a row nor a folder with weights has: what an older manifest left is not overwritten either.
static enum status choose_name(struct training *training, const char *base, struct error *error)
{
  for (int suffix = 1;; suffix++) {
    bool free_name = false;
    enum status status = run_name(base, suffix, training->name, error);
    if (!status) status = run_name_is_free(stage_db(training->stage), training->name, &free_name, error);
    if (!status) status = set_paths(training, error);
    if (status || (free_name && !exists(training->last))) return status;
  }
}

static enum status insert_run(struct training *training, const char *base, struct error *error)
{
  char *yaml = NULL, *versions = NULL;
  enum status status = choose_name(training, base, error);
  if (!status) status = config_yaml(stage_config(training->stage), &yaml, error);
  if (!status) status = versions_json(&versions, error);
  if (!status) status = make_folder(training, error);
  if (!status) status = write_args(training, yaml, error);
  if (!status) status = insert_row(training, yaml, versions, error);
  free(yaml);
  free(versions);
  return status;
}

static enum status take_run(struct training *training, const struct run_found *run, struct error *error)
{
  training->run = run->id;
  snprintf(training->name, sizeof training->name, "%s", run->name);
  enum status status = set_paths(training, error);
  if (!status) status = make_folder(training, error);
  return status ? status : run_set_state(stage_db(training->stage), run->id, "running", error);
}

// --- where training starts -------------------------------------------------------------------------------------------

static enum status write_history(struct training *training, struct error *error)
{
  struct epoch_row *rows = NULL;
  char path[PATH_LIMIT];
  size_t count = (size_t)training->state.progress.epoch;
  enum status status = mem_zeroed((void **)&rows, count + 1, sizeof *rows, "epochs", error);
  for (size_t e = 0; !status && e < count; e++) {
    const struct epoch_figures *f = &training->state.history[e];
    rows[e] = (struct epoch_row){f->epoch,        f->train_loss, f->train_accuracy, f->val_loss,
                                 f->val_accuracy, f->lr,         f->seconds,        f->images_per_second};
  }
  if (!status) status = run_set_epochs(stage_db(training->stage), training->run, rows, count, error);
  if (!status) status = path_join(path, training->folder, "results.csv", error);
  if (!status) status = results_csv(path, training->state.history, count, error);
  free(rows);
  return status;
}

static void say_where(struct training *training, const char *from)
{
  const struct fit_progress *progress = &training->state.progress;
  char what[RUN_NAME_LIMIT + 96];
  snprintf(what, sizeof what, "epoch %d of %" PRId64 ", step %" PRIu64 "%s%s", progress->epoch + 1,
           config_integer(stage_config(training->stage), "train.epochs"), progress->step + 1,
           *from ? ", from run " : "", from);
  stage_resumes(training->stage, what);
}

static enum status resume(struct training *training, struct error *error)
{
  struct network *network = training->network;
  enum status status =
      checkpoint_load(training->last, network->net, training->optimizer, &network->subject, &training->state, error);
  if (status) return fail_within(error, "cannot resume; remove the file to train the run anew");
  say_where(training, "");
  return write_history(training, error);
}

// Two runs' parameters are the same but for train.epochs, of which the later has more.
static bool differs_in_epochs_only(const char *before, const char *after)
{
  static const char epochs[] = "train.epochs";
  json_t *a = json_loads(before, 0, NULL), *b = json_loads(after, 0, NULL);
  const char *fewer = json_string_value(json_object_get(a, epochs));
  const char *more = json_string_value(json_object_get(b, epochs));
  bool longer = fewer && more && strtol(fewer, NULL, 10) < strtol(more, NULL, 10);
  json_object_del(a, epochs);
  json_object_del(b, epochs);
  bool same = longer && json_equal(a, b);
  json_decref(a);
  json_decref(b);
  return same;
}

// Takes over the best and the last weights of a shorter run: as if this run had made them.
static enum status carry_on(struct training *training, const struct run_found *shorter, struct error *error)
{
  struct network *network = training->network;
  struct checkpoint_subject theirs = network->subject;
  struct checkpoint_state best_state = {0};
  char folder[PATH_LIMIT], best[PATH_LIMIT], last[PATH_LIMIT];
  theirs.run_key = shorter->key;
  enum status status = run_folder(folder, stage_folder(training->stage), shorter->name, error);
  if (!status) status = path_join(best, folder, "weights/best.safetensors", error);
  if (!status) status = path_join(last, folder, "weights/last.safetensors", error);
  if (!status) status = checkpoint_load(best, network->net, NULL, &theirs, &best_state, error);
  if (!status) status = checkpoint_save(training->best, network->net, NULL, &network->subject, &best_state, error);
  checkpoint_state_release(&best_state);
  if (!status) status = checkpoint_load(last, network->net, training->optimizer, &theirs, &training->state, error);
  if (!status)
    status =
        checkpoint_save(training->last, network->net, training->optimizer, &network->subject, &training->state, error);
  if (status) return status;
  say_where(training, shorter->name);
  return write_history(training, error);
}

// Cosine's rates depend on where it ends: a longer run's epochs are others from the first on.
static bool epochs_change_the_end_only(const struct training *training)
{
  return strcmp(config_text(stage_config(training->stage), "train.schedule"), "cosine") != 0;
}

// Fine-tuning: all weights of another run of the same model and the same classes.
static enum status load_start(struct training *training, struct error *error)
{
  struct stage *stage = training->stage;
  struct network *network = training->network;
  struct checkpoint_subject theirs = network->subject;
  struct start_found found;
  char folder[PATH_LIMIT], path[PATH_LIMIT], sha256[DIGEST_TEXT];
  enum status status = start_wanted(&found, stage_db(stage), stage_config(stage), error);
  if (status || !found.any) return status;
  theirs.run_key = NULL; // any run's
  memcpy(path, found.path, sizeof path);
  if (found.run[0]) status = run_folder(folder, stage_folder(stage), found.run, error);
  if (!status && found.run[0]) status = path_join(path, folder, "weights/best.safetensors", error);
  if (!status) status = checkpoint_load(path, network->net, NULL, &theirs, NULL, error);
  if (status) return fail_within(error, "model.start");
  status = checkpoint_weights_sha256(network->net, sha256, error);
  if (!status && found.run[0] && strcmp(sha256, found.sha256) != 0)
    status = fail(error, BAD_DATA, "model.start: %s holds weights %.12s..., the manifest says %.12s...", path, sha256,
                  found.sha256);
  if (!status) stage_say(stage, "train: starts from the weights of %s", path);
  return status;
}

static enum status start(struct training *training, const struct run_found *previous, const char *parameters,
                         struct error *error)
{
  struct error why = {0};
  bool shorter = previous && !strcmp(previous->state, "done") && epochs_change_the_end_only(training) &&
                 differs_in_epochs_only(parameters, stage_key_parameters(training->key));
  if (shorter) {
    enum status status = carry_on(training, previous, &why);
    if (!status) return OK;
    checkpoint_state_release(&training->state);
    training->state = (struct checkpoint_state){0};
    stage_warn(training->stage, "%s; training starts anew", why.text);
  }
  size_t loaded = 0, all = net_parameter_count(training->network->net);
  uint64_t seed = (uint64_t)config_integer(stage_config(training->stage), "seed");
  enum status status =
      network_start(training->network->net, seed, &training->initial, stage_folder(training->stage), &loaded, error);
  if (!status && loaded)
    stage_say(training->stage, "train: %zu of %zu tensors start from %s", loaded, all, training->initial.path);
  if (!status) status = load_start(training, error);
  return status ? status : write_history(training, error);
}

// What cannot start must not be left 'running'. A row that this execution made goes, and gives back its name: nothing
// was trained under it.
static void give_up(struct training *training, bool made)
{
  struct db *db = stage_db(training->stage);
  if (made) // as in training_run, the error at hand says more than one of this row
    (void)run_forget(db, training->run, NULL);
  else
    (void)run_set_state(db, training->run, "failed", NULL);
}

enum status training_begin(struct training *training, struct error *error)
{
  struct stage *stage = training->stage;
  const struct config *config = stage_config(stage);
  const char *base = *config_text(config, "name") ? config_text(config, "name") : config_name(config);
  const char *digest = stage_key_digest(training->key);
  struct run_found run, previous;
  char *parameters = NULL;
  bool found = false, has_previous = false;
  enum status status = run_find(stage_db(stage), digest, NULL, &run, &found, error);
  if (!status)
    status = run_nearest(stage_db(stage), base, digest, stage_key_parameters(training->key), &previous, &parameters,
                         &has_previous, error);
  if (!status) stage_runs_because(stage, training->key, found ? stage_key_parameters(training->key) : parameters);
  if (!status) status = found ? take_run(training, &run, error) : insert_run(training, base, error);
  if (!status) stage_subject(stage, training->name);
  if (!status && found && exists(training->last))
    status = resume(training, error);
  else if (!status)
    status = start(training, has_previous ? &previous : NULL, parameters, error);
  if (status && training->run) give_up(training, !found);
  training->first_epoch = training->state.progress.epoch + 1;
  free(parameters);
  return status;
}

// --- while it trains -------------------------------------------------------------------------------------------------

static void start_bar(struct training *training, bool validates)
{
  size_t images = loader_images(validates ? training->validation : training->train);
  training->bar = stage_progress(training->stage, "images", images);
  training->bar_validates = validates;
}

static void add_to_bar(struct training *training, bool validates, size_t images)
{
  if (!training->bar || training->bar_validates != validates) start_bar(training, validates);
  progress_add(training->bar, images);
}

static void on_trained(void *self, size_t images)
{
  struct training *training = self;
  training->images += images;
  add_to_bar(training, false, images);
}

static void on_validated(void *self, size_t images)
{
  add_to_bar(self, true, images);
}

static bool on_stop(void *self)
{
  const struct training *training = self;
  return stage_interrupted(training->stage);
}

static enum status save(struct training *training, const char *path, struct optimizer *optimizer, struct error *error)
{
  struct network *network = training->network;
  return checkpoint_save(path, network->net, optimizer, &network->subject, &training->state, error);
}

static enum status on_checkpoint(void *self, const struct fit_progress *progress, struct error *error)
{
  struct training *training = self;
  training->state.progress = *progress;
  return save(training, training->last, training->optimizer, error);
}

static enum status append_figures(struct checkpoint_state *state, const struct epoch_figures *figures,
                                  const struct fit_progress *progress, struct error *error)
{
  size_t epochs = (size_t)progress->epoch, capacity = epochs - 1;
  enum status status = mem_grow((void **)&state->history, &capacity, epochs, sizeof *state->history, "history", error);
  if (status) return status;
  state->history[epochs - 1] = *figures;
  state->progress = *progress;
  return OK;
}

static enum status on_epoch(void *self, const struct epoch_figures *figures, bool best,
                            const struct fit_progress *progress, struct error *error)
{
  struct training *training = self;
  char line[256];
  enum status status = append_figures(&training->state, figures, progress, error);
  if (best) optimizer_swap_average(training->optimizer);
  if (!status && best) status = save(training, training->best, NULL, error);
  if (best) optimizer_swap_average(training->optimizer);
  if (!status) status = save(training, training->last, training->optimizer, error);
  if (!status) status = write_history(training, error);
  int epochs = (int)config_integer(stage_config(training->stage), "train.epochs");
  bool averaged = config_real(stage_config(training->stage), "train.ema") > 0;
  results_epoch_line(line, sizeof line, figures, epochs, best, averaged);
  if (training->bar) progress_stop(training->bar);
  training->bar = NULL;
  if (!status) stage_say(training->stage, "%s", line);
  return status;
}

// --- the end ---------------------------------------------------------------------------------------------------------

static int64_t peak_memory(void)
{
  struct rusage usage = {0};
  getrusage(RUSAGE_SELF, &usage);
  return (int64_t)usage.ru_maxrss * 1024;
}

// The last weights are in the net; the best ones are read back, which also proves that the file can be.
static enum status digest_weights(struct training *training, struct error *error)
{
  struct network *network = training->network;
  enum status status = checkpoint_weights_sha256(network->net, training->weights_sha256, error);
  if (!status) status = checkpoint_load(training->best, network->net, NULL, &network->subject, NULL, error);
  return status ? status : checkpoint_weights_sha256(network->net, training->best_sha256, error);
}

static enum status finish(struct training *training, struct error *error)
{
  const struct fit_progress *progress = &training->state.progress;
  bool early = progress->epoch < config_integer(stage_config(training->stage), "train.epochs");
  enum status status = digest_weights(training, error);
  const struct run_result result = {
      .best_epoch = progress->best_epoch,
      .best_val_accuracy = progress->best_val_accuracy,
      .weights_sha256 = training->weights_sha256,
      .best_sha256 = training->best_sha256,
      .peak_memory = peak_memory(),
      .stopped = early ? "early stopping" : "epochs",
  };
  return status ? status : run_finish(stage_db(training->stage), training->run, &result, error);
}

enum status training_run(struct training *training, struct error *error)
{
  struct fit_options options = settings_fit(stage_config(training->stage), stage_threads(training->stage));
  struct fit_data train = loader_fit_data(training->train), validation = loader_fit_data(training->validation);
  const struct fit_callbacks callbacks = {
      .self = training,
      .epoch = on_epoch,
      .checkpoint = on_checkpoint,
      .trained = on_trained,
      .validated = on_validated,
      .stop = on_stop,
  };
  struct fit_progress progress = training->state.progress;
  double started = clock_seconds();
  enum status status =
      fit(training->network->net, training->optimizer, &train, &validation, &options, &progress, &callbacks, error);
  training->seconds = clock_seconds() - started;
  if (training->bar) progress_stop(training->bar);
  stage_count(training->stage, training->images, training->seconds);
  if (!status) status = finish(training, error);
  if (status) // the error at hand says more than one of this row
    (void)run_set_state(stage_db(training->stage), training->run, status == INTERRUPTED ? "interrupted" : "failed",
                        NULL);
  return status;
}

void training_release(struct training *training)
{
  checkpoint_state_release(&training->state);
}
