// Runs the frozen part of the model once over all images, and keeps what it gives as tensor files: an epoch then costs
// only what trains. Resized images (those of all parts) and, with augment.mode copies, the copies; `train` and
// `evaluate` read them.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "data/feature_rows.h"
#include "data/loader.h"
#include "data/materialise.h"
#include "engine/net/net.h"
#include "keys/keys.h"
#include "keys/settings.h"
#include "models/models.h"
#include "stage/stage.h"
#include "training/calibration.h"
#include "training/network.h"
#include "training/trunk.h"

enum { BLOCK = TRUNK_BLOCK };

// The net, made when the first set needs it.
struct trunk {
  struct stage *stage;
  struct net *net;
  size_t values; // of a row
  float *floats; // [BLOCK, values]
  bool bytes;    // features.storage is u8
  uint8_t *rows; // [BLOCK]: as they are kept
};

// A set of images, and the features that belong to it.
struct images {
  struct tensor_set source, features;
  struct stage_key *key; // of the features
  bool done;
};

struct everything {
  struct images list[DATASETS_LIMIT + 1]; // the last may be augmented copies
  size_t count;
  uint64_t missing; // rows
};

// One set in the making: row r is image r / copies, variant r % copies (+ 1 for augmented copies).
struct work {
  struct trunk *trunk;
  struct loader *loader;
  size_t copies;
  bool augmented;
};

// --- the net ---------------------------------------------------------------------------------------------------------

static void trunk_release(struct trunk *trunk)
{
  net_free(trunk->net);
  free(trunk->floats);
  free(trunk->rows);
}

static size_t row_bytes(const struct trunk *trunk)
{
  return trunk->bytes ? feature_row_bytes(trunk->values) : trunk->values * sizeof(uint16_t);
}

static enum status count_values(struct trunk *trunk, struct error *error)
{
  struct model_options model;
  struct model_features features;
  enum status status = network_model(&model, stage_config(trunk->stage), 2, MODEL_TRUNK, error);
  if (!status) status = model_features(&model, &features, error);
  if (!status) trunk->values = features.values;
  return status;
}

// Of features.precision int8: calibration_make made them.
static enum status ranges_wanted(float **out, const struct trunk *trunk, struct error *error)
{
  struct db *db = stage_db(trunk->stage);
  struct stage_key *key = NULL;
  enum status status = calibration_key(&key, db, stage_config(trunk->stage), error);
  if (!status) status = network_ranges(out, trunk->net, db, stage_key_digest(key), error);
  stage_key_free(key);
  return status;
}

static enum status open_net(struct trunk *trunk, struct error *error)
{
  struct stage *stage = trunk->stage;
  const struct config *config = stage_config(stage);
  enum net_precision precision = NET_FP32;
  char source[TRUNK_SOURCE_LIMIT];
  float *ranges = NULL;
  enum status status = settings_precision(config, &precision, error);
  if (!status) status = trunk_build(&trunk->net, config, error);
  if (!status && settings_features_int8(config)) status = ranges_wanted(&ranges, trunk, error);
  if (!status) status = trunk_start(trunk->net, stage, precision, ranges, source, error);
  if (!status)
    stage_say(stage, "features: %s on %d threads (%s%s), %zu MiB for the network", source, stage_threads(stage),
              net_isa(), ranges ? ", int8" : "", net_memory(trunk->net) >> 20);
  free(ranges);
  return status;
}

static enum status open_trunk(struct trunk *trunk, struct error *error)
{
  if (trunk->net) return OK;
  enum status status = open_net(trunk, error);
  if (!status) status = mem_aligned((void **)&trunk->floats, BLOCK * trunk->values, sizeof(float), "features", error);
  if (!status) status = mem_aligned((void **)&trunk->rows, BLOCK, row_bytes(trunk), "features", error);
  return status;
}

// --- rows ------------------------------------------------------------------------------------------------------------

struct block {
  const struct work *work;
  uint64_t first;
};

static void fetch(void *self, size_t index, void *pixels)
{
  const struct block *block = self;
  uint64_t row = block->first + index;
  const struct work *work = block->work;
  loader_fetch(work->loader, row % work->copies + 1, row / work->copies, pixels);
}

static void keep_row(struct trunk *trunk, size_t index)
{
  const float *values = trunk->floats + index * trunk->values;
  uint8_t *row = trunk->rows + index * row_bytes(trunk);
  uint16_t *halves = (uint16_t *)(void *)row; // the memory is aligned, and such a row has an even number of bytes
  if (trunk->bytes)
    feature_row_pack(values, trunk->values, row);
  else
    for (size_t i = 0; i < trunk->values; i++) halves[i] = bf16_from_float(values[i]);
}

static enum status draw_block(void *self, uint64_t first, uint64_t count, const void **rows, struct error *error)
{
  struct work *work = self;
  struct trunk *trunk = work->trunk;
  struct block block = {work, first};
  const struct net_input input = {&block, fetch};
  enum status status = net_infer(trunk->net, &input, count, trunk->floats, error);
#pragma omp parallel for num_threads(stage_threads(trunk->stage))
  for (uint64_t i = 0; i < count; i++) keep_row(trunk, i);
  *rows = trunk->rows;
  return status;
}

static void describe(void *self, uint64_t row, struct tensor_row *out, char *parameters, size_t size)
{
  const struct work *work = self;
  (void)parameters, (void)size; // an augmented copy's are in its own set, under the same image and variant
  *out = (struct tensor_row){.image = loader_image_id(work->loader, row / work->copies),
                             .variant = work->augmented ? (int)(row % work->copies) + 1 : 0};
}

// --- a set -----------------------------------------------------------------------------------------------------------

static enum status say_why(struct stage *stage, int64_t dataset, struct stage_key *key, struct error *error)
{
  char *previous = NULL;
  enum status status = tensor_set_previous(stage_db(stage), "features", dataset, &previous, error);
  if (!status) stage_runs_because(stage, key, previous);
  free(previous);
  return status;
}

static enum status make_set(struct trunk *trunk, const struct images *images, int64_t split, struct error *error)
{
  struct stage *stage = trunk->stage;
  const struct tensor_set *source = &images->source;
  struct work work = {.trunk = trunk, .augmented = !strcmp(source->kind, "augmented")};
  const struct loader_options options = {
      .tensor_sets = &source->id, .tensor_set_count = 1, .split = split, .verify = true};
  char bytes[STAGE_NUMBER_LIMIT], rows[STAGE_NUMBER_LIMIT];
  enum status status = open_trunk(trunk, error);
  if (!status) status = loader_open(&work.loader, stage_db(stage), stage_folder(stage), &options, error);
  if (status) return status;
  work.copies = loader_copies(work.loader);
  struct materialise plan = {
      .key = stage_key_digest(images->key),
      .parameters = stage_key_parameters(images->key),
      .file_metadata = source->kind,
      .set = {.kind = "features",
              .dataset = source->dataset,
              .split = source->split,
              .height = 1,
              .width = 1,
              .channels = (int)(trunk->bytes ? row_bytes(trunk) : trunk->values),
              .dtype = trunk->bytes ? TENSOR_U8 : TENSOR_BF16},
      .rows = loader_images(work.loader) * work.copies,
      .file_bytes = (uint64_t)config_integer(stage_config(stage), "features.file_mib") << 20,
      .block = BLOCK,
      .self = &work,
      .draw_block = draw_block,
      .describe = describe,
  };
  stage_number(plan.rows, rows);
  stage_number((plan.rows * tensor_set_row_bytes(&plan.set)) >> 20, bytes);
  stage_say(stage, "features: %s rows of %zu numbers (%s), %s MiB on the disk when all are there", rows, trunk->values,
            trunk->bytes ? "u8" : "bf16", bytes);
  status = materialise(stage, &plan, error);
  loader_close(work.loader);
  return status;
}

// --- the stage -------------------------------------------------------------------------------------------------------

// Looks at one set of images: whether its features are there. `dataset` is NULL for the augmented copies.
static enum status look_at(struct everything *all, struct trunk *trunk, const struct dataset_found *dataset,
                           const struct tensor_set *source, struct error *error)
{
  struct stage *stage = trunk->stage;
  struct images *images = &all->list[all->count++];
  *images = (struct images){.source = *source};
  enum status status = features_key(&images->key, dataset, stage_db(stage), stage_config(stage), error);
  if (!status)
    status = materialise_is_done(stage, stage_key_digest(images->key), &images->features, &images->done, error);
  if (!images->done) all->missing += source->rows - images->features.rows;
  return status;
}

static enum status look_at_all(struct everything *all, struct trunk *trunk, struct error *error)
{
  struct db *db = stage_db(trunk->stage);
  const struct config *config = stage_config(trunk->stage);
  struct datasets datasets;
  struct tensor_sets copies;
  struct tensor_set source = {.rows = 0};
  bool found = false;
  enum status status = datasets_find(&datasets, db, config, error);
  for (size_t i = 0; !status && i < datasets.count; i++) {
    status = resized_of(&source, &datasets.list[i], db, config, error);
    if (!status) status = look_at(all, trunk, &datasets.list[i], &source, error);
  }
  if (status || strcmp(config_text(config, "augment.mode"), "copies") != 0) return status;
  status = augmented_wanted(&copies, db, config, error);
  if (!status) status = tensor_set_find(db, NULL, copies.ids[0], &source, &found, error);
  return status ? status : look_at(all, trunk, NULL, &source, error);
}

// The disk must have room for all that is missing, or nothing is begun: neither calibration nor a set.
static enum status check_all_fit(const struct everything *all, const struct trunk *trunk, struct error *error)
{
  return all->missing ? materialise_check_room(trunk->stage, all->missing, row_bytes(trunk), error) : OK;
}

static enum status make_all(struct trunk *trunk, struct everything *all, struct error *error)
{
  struct stage *stage = trunk->stage;
  struct split_found split;
  uint64_t rows = 0;
  char number[STAGE_NUMBER_LIMIT], what[64];
  enum status status = split_wanted(&split, stage_db(stage), stage_config(stage), error);
  if (!status) status = count_values(trunk, error);
  if (!status) status = look_at_all(all, trunk, error);
  if (!status) status = check_all_fit(all, trunk, error);
  if (!status && settings_features_int8(stage_config(stage))) status = calibration_make(stage, error);
  for (size_t i = 0; !status && i < all->count; i++) {
    struct images *images = &all->list[i];
    rows += images->features.rows;
    if (images->done) {
      stage_uses_key(stage, images->key);
      continue;
    }
    status = say_why(stage, images->source.dataset, images->key, error);
    if (!status) status = make_set(trunk, images, split.id, error);
  }
  if (status || trunk->net) return status;
  stage_number(rows, number);
  snprintf(what, sizeof what, "%s rows of %zu numbers", number, trunk->values);
  stage_up_to_date(stage, what);
  return OK;
}

static enum status work(struct stage *stage, struct error *error)
{
  const struct config *config = stage_config(stage);
  struct trunk trunk = {.stage = stage, .bytes = settings_features_u8(config)};
  struct datasets datasets;
  char name[SUBJECT_LIMIT];
  enum status status = datasets_find(&datasets, stage_db(stage), config, error);
  if (status) return status;
  datasets_name(&datasets, name, sizeof name);
  stage_subject(stage, name);
  if (!features_used(config)) {
    bool all = !strcmp(config_text(config, "model.trainable"), "all");
    bool online = !strcmp(config_text(config, "augment.mode"), "online");
    stage_say(stage, "features: nothing to keep: %s",
              all      ? "model.trainable is all"
              : online ? "augment.mode online shows other images in each epoch"
                       : "train.mixup mixes other images in each epoch");
    return OK;
  }
  struct everything all = {.count = 0};
  status = make_all(&trunk, &all, error);
  for (size_t i = 0; i < all.count; i++) stage_key_free(all.list[i].key);
  trunk_release(&trunk);
  return status;
}

int main(int argc, char **argv)
{
  static const struct stage_definition definition = {
      .name = "features",
      .summary =
          "Runs the model's frozen part once over all images and keeps what it gives (model.trainable last4, head).",
      .example = "build/stages/features --manifest work/manifest.db --config configs/resnet.yaml",
      .needs_manifest = true,
      .work = work,
  };
  return stage_main(&definition, argc, argv);
}
