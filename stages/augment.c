// Augmented copies of the training images, as tensor files with the parameters of each recorded, for augment.mode
// copies; and, asked with --replay, what training saw of one image. The pixels come from the loader: they are those
// that training on the fly would see in the epochs 1 ... copies.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/mem.h"
#include "data/loader.h"
#include "data/materialise.h"
#include "image/augment.h"
#include "image/codec.h"
#include "image/image.h"
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

// --- replay ----------------------------------------------------------------------------------------------------------

enum { REPLAY_PATH_LIMIT = 512 };

// The training images as the configuration's training sees them.
struct replaying {
  struct stage *stage;
  struct loader *loader;
  int64_t copies; // the set that has them; 0: what is seen is drawn on the fly
};

static enum status open_training(struct replaying *replaying, struct error *error)
{
  struct stage *stage = replaying->stage;
  const struct config *config = stage_config(stage);
  const char *mode = config_text(config, "augment.mode");
  bool copies = !strcmp(mode, "copies"), online = !strcmp(mode, "online");
  struct augment_recipe recipe = settings_augment(config);
  struct tensor_sets sets;
  struct split_found split;
  enum status status = split_wanted(&split, stage_db(stage), config, error);
  if (!status) status = (copies ? augmented_wanted : resized_wanted)(&sets, stage_db(stage), config, error);
  if (status) return status;
  replaying->copies = copies ? sets.ids[0] : 0;
  const struct loader_options options = {
      .tensor_sets = sets.ids,
      .tensor_set_count = sets.count,
      .split = split.id,
      .part = "train",
      .augment = online ? &recipe : NULL,
      .seed = (uint64_t)config_integer(config, "seed"),
      .mixup = (float)config_real(config, "train.mixup"),
  };
  return loader_open(&replaying->loader, stage_db(stage), stage_folder(stage), &options, error);
}

// The training image with that id, or whose path (below its dataset's folder) that is.
static enum status find_image(const struct replaying *replaying, const char *wanted, size_t *out, struct error *error)
{
  const struct loader *loader = replaying->loader;
  int64_t id = 0;
  bool found = false;
  char *end = NULL;
  long long number = strtoll(wanted, &end, 10);
  for (*out = 0; *out < loader_images(loader); (*out)++) {
    if (*end == '\0' && end != wanted && loader_image_id(loader, *out) == number) return OK;
  }
  enum status status = OK;
  for (*out = 0; !status && *out < loader_images(loader); (*out)++) {
    status = db_integer(stage_db(replaying->stage), &id, &found, error,
                        "SELECT id FROM image WHERE id = ? AND shown = ?", "it", loader_image_id(loader, *out), wanted);
    if (!status && found) return OK;
  }
  return status ? status
                : fail(error, BAD_USAGE,
                       "--replay %s: no training image has that id, or that path below the dataset's folder", wanted);
}

static enum status path_of(struct stage *stage, int64_t image, char out[REPLAY_PATH_LIMIT], struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, stage_db(stage), "SELECT shown FROM image WHERE id = ?", error);
  if (!status) status = query_bind(query, error, "i", image);
  bool row = !status && query_next(query, &status, error);
  snprintf(out, REPLAY_PATH_LIMIT, "%s", row ? query_text(query, 0) : "");
  query_close(query);
  return status;
}

// The parameters with which a copy was made.
static enum status recorded_parameters(struct db *db, int64_t copies, int64_t image, int64_t variant,
                                       char out[AUGMENT_JSON_LIMIT], struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(
      &query, db, "SELECT parameters FROM tensor_row WHERE tensor_set = ? AND image = ? AND variant = ?", error);
  if (!status) status = query_bind(query, error, "iii", copies, image, variant);
  bool row = !status && query_next(query, &status, error);
  snprintf(out, AUGMENT_JSON_LIMIT, "%s", row ? query_text(query, 0) : "");
  query_close(query);
  if (status || out[0]) return status;
  return fail(error, BAD_DATA, "%s: copy %" PRId64 " of image %" PRId64 " has no parameters", db_path(db), variant,
              image);
}

// Of the copy that the epoch shows, or drawn for the epoch.
static enum status parameters_of(const struct replaying *replaying, uint64_t epoch, size_t index,
                                 char out[AUGMENT_JSON_LIMIT], struct error *error)
{
  const struct loader *loader = replaying->loader;
  if (replaying->copies)
    return recorded_parameters(stage_db(replaying->stage), replaying->copies, loader_image_id(loader, index),
                               (int64_t)(1 + (epoch - 1) % loader_copies(loader)), out, error);
  struct augment_parameters parameters = loader_parameters(loader, epoch, index);
  augment_to_json(&parameters, out);
  return OK;
}

// An image's part in what was seen: {"image":3,"path":"A/A4.jpg","share":1,"parameters":{...}}.
static enum status print_image(const struct replaying *replaying, uint64_t epoch, size_t index, int share,
                               struct error *error)
{
  char path[REPLAY_PATH_LIMIT], text[AUGMENT_JSON_LIMIT];
  int64_t id = loader_image_id(replaying->loader, index);
  enum status status = path_of(replaying->stage, id, path, error);
  if (!status) status = parameters_of(replaying, epoch, index, text, error);
  if (status) return status;
  json_t *shown = json_string(path);
  char *quoted = shown ? json_dumps(shown, JSON_ENCODE_ANY) : NULL;
  printf("{\"image\":%" PRId64 ",\"path\":%s,\"share\":%.9g,\"parameters\":%s}", id, quoted ? quoted : "null",
         (double)share / MIXUP_UNIT, text);
  free(quoted);
  json_decref(shown);
  return OK;
}

static enum status write_picture(const struct image *image, const char *path, struct error *error)
{
  uint8_t *bytes = NULL;
  size_t size = 0, length = strlen(path);
  struct publication file = {0};
  bool jpeg = length > 4 && !strcmp(path + length - 4, ".jpg");
  enum status status = jpeg ? encode_jpeg(image, 95, &bytes, &size, error) : encode_png(image, &bytes, &size, error);
  if (!status) status = publication_open(&file, path, error);
  if (!status) {
    (void)fwrite(bytes, 1, size, file.stream); // publication_commit looks for errors
    status = publication_commit(&file, error);
  }
  publication_discard(&file);
  free(bytes);
  return status;
}

static enum status read_epoch(const char *text, uint64_t *epoch, struct error *error)
{
  char *end = NULL;
  long long number = text ? strtoll(text, &end, 10) : 1;
  if (text && (end == text || *end || number < 1 || number > 100000))
    return fail(error, BAD_USAGE, "--epoch %s: from 1 to 100000 is allowed", text);
  *epoch = (uint64_t)number;
  return OK;
}

static enum status replay_image(const struct replaying *replaying, const char *path, size_t index, uint64_t epoch,
                                struct error *error)
{
  const struct loader *loader = replaying->loader;
  struct image image = {0};
  int side = loader_size(loader);
  struct loader_mix mix = loader_mix(loader, epoch, index);
  enum status status = image_init(&image, side, side, error);
  if (!status) loader_fetch(loader, epoch, index, image.pixels);
  if (!status) status = write_picture(&image, path, error);
  image_release(&image);
  if (status) return status;
  printf("{\"epoch\":%" PRIu64 ",\"mode\":\"%s\",\"images\":[", epoch,
         config_text(stage_config(replaying->stage), "augment.mode"));
  status = print_image(replaying, epoch, index, mix.share, error);
  if (!status && mix.share < MIXUP_UNIT) {
    printf(",");
    status = print_image(replaying, epoch, mix.other, MIXUP_UNIT - mix.share, error);
  }
  printf("]}\n");
  return status;
}

static enum status replay(struct stage *stage, struct error *error)
{
  struct replaying replaying = {.stage = stage};
  size_t index = 0;
  uint64_t epoch = 1;
  const char *path = stage_option(stage, "out");
  enum status status = read_epoch(stage_option(stage, "epoch"), &epoch, error);
  if (!status) status = open_training(&replaying, error);
  if (!status) status = find_image(&replaying, stage_option(stage, "replay"), &index, error);
  if (!status) status = replay_image(&replaying, path ? path : "replay.png", index, epoch, error);
  loader_close(replaying.loader);
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
  if (stage_option(stage, "replay")) return replay(stage, error);
  if (!strcmp(mode, "copies")) return augment(stage, error);
  stage_say(stage, "augment: nothing to materialise: augment.mode is %s", mode);
  return OK;
}

int main(int argc, char **argv)
{
  static const struct stage_option options[] = {
      {"replay", "IMAGE", "draw again what training saw of a training image (its id, or its path below the folder)"},
      {"epoch", "N", "in this epoch (1); the parameters go to stdout as JSON"},
      {"out", "FILE", "where to, .png or .jpg (replay.png)"},
      {0},
  };
  static const struct stage_definition definition = {
      .name = "augment",
      .summary = "Makes augmented copies of the training images, with their parameters recorded (augment.mode copies).",
      .example =
          "build/stages/augment --manifest work/manifest.db --config configs/cnn.yaml --set augment.mode=copies\n"
          "      --set augment.copies=3 --set augment.rotate=10",
      .options = options,
      .needs_manifest = true,
      .work = work,
  };
  return stage_main(&definition, argc, argv);
}
