// Trains the configured model on the split's training images, validates it after each epoch, and keeps the best and the
// last weights. Interrupted, killed or asked for more epochs, it goes on where it stood, bit for bit.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/loader.h"
#include "keys/keys.h"
#include "keys/settings.h"
#include "stage/stage.h"
#include "training/network.h"
#include "training/results.h"
#include "training/training.h"

// What the run is made from.
struct inputs {
  struct split_found split;
  struct tensor_sets resized, training; // training: where its images come from: resized, or augmented copies
  struct tensor_sets seen, validated;   // what the net reads: those and `resized`, or the features of them
  struct weights_row initial;
  bool copies, features;
};

static enum status find_inputs(struct stage *stage, struct inputs *inputs, struct error *error)
{
  struct db *db = stage_db(stage);
  const struct config *config = stage_config(stage);
  inputs->copies = !strcmp(config_text(config, "augment.mode"), "copies");
  enum status status = split_wanted(&inputs->split, db, config, error);
  if (!status) status = resized_wanted(&inputs->resized, db, config, error);
  if (!status) status = weights_wanted(&inputs->initial, db, config, error);
  inputs->training = inputs->resized;
  if (!status && inputs->copies) status = augmented_wanted(&inputs->training, db, config, error);
  inputs->seen = inputs->training;
  inputs->validated = inputs->resized;
  inputs->features = features_used(config);
  if (!status && inputs->features) status = features_wanted(&inputs->seen, inputs->copies, db, config, error);
  if (!status && inputs->features) status = features_wanted(&inputs->validated, false, db, config, error);
  return status;
}

static enum status open_loaders(struct training *training, const struct inputs *inputs, struct error *error)
{
  struct stage *stage = training->stage;
  const struct config *config = stage_config(stage);
  struct augment_recipe recipe = settings_augment(config);
  bool online = !strcmp(config_text(config, "augment.mode"), "online");
  struct loader_options options = {
      .tensor_sets = inputs->seen.ids,
      .tensor_set_count = inputs->seen.count,
      .split = inputs->split.id,
      .part = "train",
      .augment = online ? &recipe : NULL,
      .seed = (uint64_t)config_integer(config, "seed"),
      .mixup = (float)config_real(config, "train.mixup"),
      .verify = true,
  };
  enum status status = loader_open(&training->train, stage_db(stage), stage_folder(stage), &options, error);
  options.tensor_sets = inputs->validated.ids;
  options.tensor_set_count = inputs->validated.count;
  options.part = "val";
  options.augment = NULL;
  options.mixup = 0;
  options.verify = inputs->copies; // else they are the same sets
  if (!status) status = loader_open(&training->validation, stage_db(stage), stage_folder(stage), &options, error);
  return status;
}

// --- what is printed -------------------------------------------------------------------------------------------------

static void say_start(struct training *training)
{
  struct stage *stage = training->stage;
  if (stage_quiet(stage)) return;
  char train[STAGE_NUMBER_LIMIT], validation[STAGE_NUMBER_LIMIT];
  stage_number(loader_images(training->train), train);
  stage_number(loader_images(training->validation), validation);
  stage_say(stage,
            "train: run %s: %s training and %s validation images, %s on %d threads (%s), %zu MiB for the network",
            training->name, train, validation, settings_precision_name(training->precision), stage_threads(stage),
            net_isa(), net_memory(training->network->net) >> 20);
}

static void print_table(const struct training *training)
{
  const struct fit_progress *progress = &training->state.progress;
  char images[STAGE_NUMBER_LIMIT];
  stage_number(training->images, images);
  printf("%-16s %s\n", "run", training->name);
  printf("%-16s %d of %" PRId64 "\n", "epochs", progress->epoch,
         config_integer(stage_config(training->stage), "train.epochs"));
  printf("%-16s %d\n", "best epoch", progress->best_epoch);
  if (!isnan(progress->best_val_accuracy)) {
    printf("%-16s %.4f\n", "val accuracy", progress->best_val_accuracy);
    printf("%-16s %.4f\n", "val loss", progress->best_val_loss);
  }
  if (training->seconds > 0)
    printf("%-16s %s images in %.1f s, %.0f images/s with validation\n", "this execution", images, training->seconds,
           (double)training->images / training->seconds);
  printf("%-16s %s\n", "weights sha256", training->weights_sha256);
  printf("%-16s %s\n", "best sha256", training->best_sha256);
  printf("%-16s %s\n", "folder", training->folder);
}

static void say_up_to_date(struct stage *stage, const struct stage_key *key, const struct run_found *run)
{
  char what[RUN_NAME_LIMIT + 96];
  int used = snprintf(what, sizeof what, "run %s, %d epochs", run->name, run->epochs);
  if (!isnan(run->best_val_accuracy))
    snprintf(what + used, sizeof what - (size_t)used, ", val accuracy %.4f in epoch %d", run->best_val_accuracy,
             run->best_epoch);
  stage_subject(stage, run->name);
  stage_uses_key(stage, key);
  stage_up_to_date(stage, what);
}

// --- the stage -------------------------------------------------------------------------------------------------------

static enum status prepare(struct training *training, struct network *network, const struct inputs *inputs,
                           struct error *error)
{
  struct stage *stage = training->stage;
  const struct config *config = stage_config(stage);
  const struct optimizer_options optimizer = settings_optimizer(config);
  const struct network_options options = {
      .part = inputs->features ? MODEL_HEAD : MODEL_WHOLE,
      .split = inputs->split.id,
      .run_key = stage_key_digest(training->key),
      .precision = training->precision,
      .threads = stage_threads(stage),
      .training = true,
  };
  enum status status = network_open(network, stage_db(stage), config, &options, error);
  if (!status) status = optimizer_new(&training->optimizer, network->net, &optimizer, error);
  return status ? status : open_loaders(training, inputs, error);
}

static enum status train(struct stage *stage, struct stage_key *key, struct error *error)
{
  struct inputs inputs;
  struct network network = {0};
  struct training training = {.stage = stage, .key = key, .network = &network};
  enum status status = find_inputs(stage, &inputs, error);
  if (!status) status = settings_precision(stage_config(stage), &training.precision, error);
  if (!status) status = prepare(&training, &network, &inputs, error);
  training.initial = inputs.initial;
  training.split = inputs.split.id;
  training.dataset = inputs.split.dataset;
  training.tensor_sets = inputs.training.ids;
  training.tensor_set_count = inputs.training.count;
  if (!status && !stage_quiet(stage)) results_summary(stderr, network.net);
  if (!status) status = training_begin(&training, error);
  if (!status) say_start(&training);
  if (!status) status = training_run(&training, error);
  if (!status && !stage_json(stage)) print_table(&training);
  training_release(&training);
  loader_close(training.train);
  loader_close(training.validation);
  optimizer_free(training.optimizer);
  network_release(&network);
  return status;
}

// --again: the run's row goes; its folder stays until the new weights replace the old.
static enum status forget(struct stage *stage, const struct stage_key *key, struct error *error)
{
  struct run_found run;
  char folder[PATH_LIMIT], last[PATH_LIMIT];
  bool found = false;
  enum status status = run_find(stage_db(stage), stage_key_digest(key), NULL, &run, &found, error);
  if (status || !found) return status;
  status = run_folder(folder, stage_folder(stage), run.name, error);
  if (!status) status = path_join(last, folder, "weights/last.safetensors", error);
  if (!status && unlink(last) && access(last, F_OK) == 0) status = fail_errno(error, "cannot remove %s", last);
  return status ? status : run_forget(stage_db(stage), run.id, error);
}

static enum status work(struct stage *stage, struct error *error)
{
  struct stage_key *key = NULL;
  struct run_found run;
  bool done = false;
  enum status status = run_key(&key, stage_db(stage), stage_config(stage), error);
  if (!status && stage_option(stage, "again")) status = forget(stage, key, error);
  if (!status) status = training_is_done(stage, key, &run, &done, error);
  if (!status && done)
    say_up_to_date(stage, key, &run);
  else if (!status)
    status = train(stage, key, error);
  stage_key_free(key);
  return status;
}

int main(int argc, char **argv)
{
  static const struct stage_option options[] = {
      {"again", NULL, "forget the run of this configuration and train it anew"},
      {0},
  };
  static const struct stage_definition definition = {
      .name = "train",
      .summary = "Trains the configured model and keeps its best and last weights; goes on where it was interrupted.",
      .example = "build/stages/train --manifest work/manifest.db --config configs/cnn.yaml --set train.epochs=12",
      .options = options,
      .needs_manifest = true,
      .work = work,
  };
  return stage_main(&definition, argc, argv);
}
