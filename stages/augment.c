// Augmented copies of the training images, as tensor files with the parameters of each recorded, for augment.mode
// copies. The pixels come from the loader: they are those that training on the fly would see in the epochs 1 ...
// copies.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "data/loader.h"
#include "data/materialise.h"
#include "image/augment.h"
#include "keys/keys.h"
#include "keys/settings.h"
#include "stage/stage.h"
#include "store/tensors.h"

// Row r is copy 1 + r / images of image r % images.
struct augmenting {
  struct loader *loader;
  struct augment_recipe recipe;
  uint64_t seed;
  uint8_t *pixels; // [threads, row_bytes]
  size_t row_bytes;
};

static size_t image_of(const struct augmenting *augmenting, uint64_t row)
{
  return (size_t)(row % loader_images(augmenting->loader));
}

static uint64_t variant_of(const struct augmenting *augmenting, uint64_t row)
{
  return 1 + row / loader_images(augmenting->loader);
}

static enum status draw(void *self, int thread, uint64_t row, const uint8_t **pixels, struct error *error)
{
  const struct augmenting *augmenting = self;
  (void)error;
  uint8_t *out = augmenting->pixels + (size_t)thread * augmenting->row_bytes;
  loader_fetch(augmenting->loader, variant_of(augmenting, row), image_of(augmenting, row), out);
  *pixels = out;
  return OK;
}

static void describe(void *self, uint64_t row, struct tensor_row *out, char *parameters, size_t size)
{
  const struct augmenting *augmenting = self;
  size_t index = image_of(augmenting, row);
  uint64_t variant = variant_of(augmenting, row);
  struct augment_parameters drawn = loader_parameters(augmenting->loader, variant, index);
  char text[AUGMENT_JSON_LIMIT];
  augment_to_json(&drawn, text);
  snprintf(parameters, size, "%s", text);
  *out = (struct tensor_row){.image = loader_image_id(augmenting->loader, index), .variant = (int)variant};
}

// --- the stage -------------------------------------------------------------------------------------------------------

static enum status open_images(struct augmenting *augmenting, struct stage *stage, const struct tensor_sets *resized,
                               int64_t split, struct error *error)
{
  const struct loader_options options = {
      .tensor_sets = resized->ids,
      .tensor_set_count = resized->count,
      .split = split,
      .part = "train",
      .augment = &augmenting->recipe,
      .seed = augmenting->seed,
      .verify = true,
  };
  enum status status = loader_open(&augmenting->loader, stage_db(stage), stage_folder(stage), &options, error);
  if (!status && !loader_images(augmenting->loader))
    status = fail(error, BAD_DATA, "the split has no training images to augment");
  if (!status)
    status = mem_aligned((void **)&augmenting->pixels, (size_t)stage_threads(stage), augmenting->row_bytes,
                         "augmented images", error);
  return status;
}

static enum status augment_all(struct stage *stage, const struct stage_key *key, const struct tensor_sets *resized,
                               const struct split_found *split, struct error *error)
{
  const struct config *config = stage_config(stage);
  struct augmenting augmenting = {
      .recipe = settings_augment(config),
      .seed = (uint64_t)config_integer(config, "seed"),
      .row_bytes = (size_t)resized->height * (size_t)resized->width * (size_t)resized->channels,
  };
  enum status status = open_images(&augmenting, stage, resized, split->id, error);
  struct materialise plan = {
      .key = stage_key_digest(key),
      .parameters = stage_key_parameters(key),
      .file_metadata = "augmented",
      .set = {.kind = "augmented",
              .dataset = split->dataset,
              .split = split->id,
              .height = resized->height,
              .width = resized->width,
              .channels = resized->channels},
      .self = &augmenting,
      .draw = draw,
      .describe = describe,
  };
  if (!status) {
    plan.rows = loader_images(augmenting.loader) * (uint64_t)config_integer(config, "augment.copies");
    status = materialise(stage, &plan, error);
  }
  if (!status)
    stage_say(stage, "augment: %" PRId64 " copies of %zu training images", config_integer(config, "augment.copies"),
              loader_images(augmenting.loader));
  loader_close(augmenting.loader);
  free(augmenting.pixels);
  return status;
}

static enum status say_why(struct stage *stage, int64_t dataset, struct stage_key *key, struct error *error)
{
  char *previous = NULL;
  enum status status = tensor_set_previous(stage_db(stage), "augmented", dataset, &previous, error);
  if (!status) stage_runs_because(stage, key, previous);
  free(previous);
  return status;
}

static enum status augment(struct stage *stage, struct error *error)
{
  struct tensor_sets resized;
  struct tensor_set set = {0};
  struct split_found split;
  struct stage_key *key = NULL;
  bool done = false;
  char number[STAGE_NUMBER_LIMIT], what[64];
  enum status status = resized_wanted(&resized, stage_db(stage), stage_config(stage), error);
  if (!status) status = split_wanted(&split, stage_db(stage), stage_config(stage), error);
  if (!status) status = augmented_key(&key, stage_db(stage), stage_config(stage), error);
  if (!status) status = materialise_is_done(stage, stage_key_digest(key), &set, &done, error);
  if (!status && done) {
    stage_number(set.rows, number);
    snprintf(what, sizeof what, "%s augmented images", number);
    stage_uses_key(stage, key);
    stage_up_to_date(stage, what);
  } else if (!status) {
    status = say_why(stage, split.dataset, key, error);
    if (!status) status = augment_all(stage, key, &resized, &split, error);
  }
  stage_key_free(key);
  return status;
}

static enum status work(struct stage *stage, struct error *error)
{
  struct datasets datasets;
  char name[SUBJECT_LIMIT];
  const char *mode = config_text(stage_config(stage), "augment.mode");
  enum status status = datasets_find(&datasets, stage_db(stage), stage_config(stage), error);
  if (status) return status;
  datasets_name(&datasets, name, sizeof name);
  stage_subject(stage, name);
  if (!strcmp(mode, "copies")) return augment(stage, error);
  stage_say(stage, "augment: nothing to materialise: augment.mode is %s", mode);
  return OK;
}

int main(int argc, char **argv)
{
  static const struct stage_definition definition = {
      .name = "augment",
      .summary = "Makes augmented copies of the training images, with their parameters recorded (augment.mode copies).",
      .example =
          "build/stages/augment --manifest work/manifest.db --config configs/cnn.yaml --set augment.mode=copies\n"
          "      --set augment.copies=3 --set augment.rotate=10",
      .needs_manifest = true,
      .work = work,
  };
  return stage_main(&definition, argc, argv);
}
