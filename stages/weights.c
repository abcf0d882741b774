// Finds the weights that a model starts from, and makes them the project's own: model.weights is a list, tried in
// order, of `imagenet`, paths and `none`. What is not there is passed over; what is there and wrong is an error. The
// file is read in a process of its own (helpers/import_weights), because it may come from anywhere.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/child.h"
#include "core/digest.h"
#include "core/files.h"
#include "fetch/download.h"
#include "keys/keys.h"
#include "stage/stage.h"
#include "store/tensorfile.h"
#include "store/weights.h"
#include "weights/imagenet.h"
#include "weights/import.h"
#include "weights/layout.h"

struct choice {
  const char *item;       // of the list
  char place[PATH_LIMIT]; // the file; "" for none
};

static bool is_there(const char *path)
{
  struct stat info;
  return path[0] && stat(path, &info) == 0;
}

static bool stopped(void *self)
{
  return stage_interrupted(self);
}

// --- imagenet --------------------------------------------------------------------------------------------------------

struct fetching {
  struct stage *stage;
  struct progress *bar;
  uint64_t shown; // bytes that the bar has
};

static void on_progress(void *self, uint64_t done)
{
  struct fetching *fetching = self;
  if (done > fetching->shown) progress_add(fetching->bar, done - fetching->shown);
  if (done > fetching->shown) fetching->shown = done;
}

static bool on_stop(void *self)
{
  const struct fetching *fetching = self;
  return stage_interrupted(fetching->stage);
}

static enum status make_folder_of(const char *path, struct error *error)
{
  char folder[PATH_LIMIT];
  snprintf(folder, sizeof folder, "%s", path);
  char *slash = strrchr(folder, '/');
  if (slash) *slash = '\0';
  return folder_make(folder, error);
}

static enum status fetch_imagenet(struct stage *stage, const char *path, struct error *error)
{
  const char *given = config_text(stage_config(stage), "model.weights_url"), *url = given[0] ? given : IMAGENET_URL;
  struct fetching fetching = {.stage = stage};
  const struct download wanted = {.url = url,
                                  .path = path,
                                  .bytes = IMAGENET_BYTES,
                                  .md5 = IMAGENET_MD5,
                                  .self = &fetching,
                                  .progress = on_progress,
                                  .stop = on_stop};
  enum status status = make_folder_of(path, error);
  if (status) return status;
  stage_say(stage, "weights: downloads %d bytes from %s to %s", IMAGENET_BYTES, url, path);
  fetching.bar = stage_progress(stage, "bytes", IMAGENET_BYTES);
  status = download(&wanted, error);
  progress_stop(fetching.bar);
  if (!status || status == INTERRUPTED) return status;
  fail_within(error, "ImageNet's weights are not here and cannot be downloaded");
  struct error reason = *error;
  return fail(error, status, "%s. Without network, put %s (%d bytes, MD5 %s) at %s", reason.text, IMAGENET_URL,
              IMAGENET_BYTES, IMAGENET_MD5, path);
}

static enum status find_imagenet(struct stage *stage, struct choice *choice, struct error *error)
{
  char folder[PATH_LIMIT];
  struct imagenet_places places;
  enum status status = path_join(folder, stage_folder(stage), WEIGHTS_FOLDER, error);
  if (!status) status = imagenet_places(&places, folder, error);
  if (status) return status;
  for (int i = 0; i < IMAGENET_PLACES; i++) {
    if (!is_there(places.files[i])) continue;
    memcpy(choice->place, places.files[i], PATH_LIMIT);
    return imagenet_check(choice->place, error);
  }
  memcpy(choice->place, places.download, PATH_LIMIT);
  return fetch_imagenet(stage, choice->place, error);
}

// --- the list --------------------------------------------------------------------------------------------------------

// FAILED: it is not there, and the next may be.
static enum status try_item(struct stage *stage, struct choice *choice, struct error *error)
{
  choice->place[0] = '\0';
  if (!strcmp(choice->item, "none")) return OK;
  if (!strcmp(choice->item, "imagenet")) return find_imagenet(stage, choice, error);
  if (!is_there(choice->item)) return fail(error, FAILED, "model.weights: %s: %s", choice->item, strerror(errno));
  // Later stages run from elsewhere, and a person asks where it was.
  return realpath(choice->item, choice->place) ? OK : fail_errno(error, "model.weights: %s", choice->item);
}

static enum status choose(struct stage *stage, struct choice *choice, struct error *error)
{
  const struct config *config = stage_config(stage);
  size_t count = config_list_length(config, "model.weights");
  enum status status = fail(error, BAD_USAGE, "model.weights: an empty list; allowed: imagenet, none, or paths");
  for (size_t i = 0; i < count; i++) {
    choice->item = config_list_item(config, "model.weights", i);
    status = try_item(stage, choice, error);
    if (status != FAILED) return status;
    if (i + 1 < count)
      stage_say(stage, "weights: %s; tries %s", error->text, config_list_item(config, "model.weights", i + 1));
  }
  return status;
}

// --- importing -------------------------------------------------------------------------------------------------------

static const char *pair(const struct tensorfile *file, const char *key)
{
  const char *value = tensorfile_metadata(file, key);
  return value ? value : "";
}

// Records the file at `path`, which the importer has just made.
static enum status record(struct stage *stage, const struct stage_key *key, const char *path, const char *source_sha256,
                          uint64_t source_bytes, struct weights_row *row, struct error *error)
{
  struct tensorfile *file = NULL;
  enum status status = digest_of_file(row->sha256, &row->bytes, path, error);
  if (!status) status = tensorfile_open(&file, path, error);
  if (status) return status;
  const struct weights_source source = {.key = stage_key_digest(key),
                                        .parameters = stage_key_parameters(key),
                                        .sha256 = source_sha256,
                                        .bytes = source_bytes,
                                        .format = pair(file, "source_format"),
                                        .naming = pair(file, "naming"),
                                        .preprocessing = pair(file, "preprocessing"),
                                        .ignored = pair(file, "ignored")};
  status = weights_insert(stage_db(stage), &source, row, error);
  if (!status)
    stage_say(stage, "weights: %s, names of %s, preprocessing %s%s%s", source.format, source.naming,
              source.preprocessing, source.ignored[0] ? "; not used: " : "", source.ignored);
  tensorfile_close(file);
  return status;
}

static enum status import(struct stage *stage, const struct stage_key *key, const struct choice *choice,
                          const char *sha256, uint64_t bytes, struct weights_row *row, struct error *error)
{
  char program[PATH_LIMIT], folder[PATH_LIMIT], target[PATH_LIMIT];
  weights_file_name(row->path, stage_key_digest(key));
  enum status status = path_join(folder, stage_folder(stage), WEIGHTS_FOLDER, error);
  if (!status) status = folder_make(folder, error);
  if (!status) status = path_join(target, stage_folder(stage), row->path, error);
  if (!status) status = child_path(program, "helpers", "import_weights", error);
  const struct import_options options = {
      .source = choice->place,
      .target = target,
      .width = LAYOUT_WIDTH,
      .stride_on_3x3 = !strcmp(config_text(stage_config(stage), "model.variant"), "v1.5"),
  };
  if (!status) status = import_apart(&options, program, stopped, stage, error);
  return status ? status : record(stage, key, target, sha256, bytes, row, error);
}

static enum status import_or_find(struct stage *stage, const struct choice *choice, struct weights_row *row,
                                  struct error *error)
{
  struct stage_key *key = NULL;
  struct error why = {0};
  char sha256[DIGEST_TEXT], folder[PATH_LIMIT];
  uint64_t bytes = 0;
  bool found = false;
  enum status status = path_join(folder, stage_folder(stage), WEIGHTS_FOLDER, error);
  if (!status) status = publications_collect(folder, error); // what a killed import left
  if (!status) status = digest_of_file(sha256, &bytes, choice->place, error);
  if (!status) status = weights_key(&key, stage_config(stage), sha256, error);
  if (!status) status = weights_find(stage_db(stage), stage_key_digest(key), row, &found, error);
  if (!status && found && !weights_file_check(stage_folder(stage), row, &why)) {
    stage_uses_key(stage, key);
    stage_up_to_date(stage, choice->place);
  } else if (!status) {
    if (found) {
      stage_warn(stage, "%s; it is made again", why.text);
      stage_uses_key(stage, key);
      stage_runs_for(stage, "what was imported is missing or changed");
    } else
      stage_runs_because(stage, key, NULL);
    stage_say(stage, "weights: reads %s (%" PRIu64 " bytes, SHA-256 %s)", choice->place, bytes, sha256);
    status = import(stage, key, choice, sha256, bytes, row, error);
  }
  stage_key_free(key);
  return status;
}

// --- the stage -------------------------------------------------------------------------------------------------------

static enum status work(struct stage *stage, struct error *error)
{
  const struct config *config = stage_config(stage);
  const char *model = config_text(config, "model.name");
  char wanted[WEIGHTS_WANTED_LIMIT], whose[WEIGHTS_MODEL_LIMIT];
  struct choice choice = {0};
  struct weights_row row = {0};
  stage_subject(stage, model);
  if (weights_are_none(config)) {
    stage_say(stage, "weights: nothing to import: model.weights is none");
    return OK;
  }
  if (strcmp(model, "resnet50") != 0)
    return fail(error, BAD_USAGE, "model.weights: model %s has no weights to import; allowed: none", model);
  enum status status = choose(stage, &choice, error);
  if (!status && choice.place[0]) status = import_or_find(stage, &choice, &row, error);
  if (status) return status;
  config_value_text(config, "model.weights", wanted, sizeof wanted);
  stage_say(stage, "weights: %s%s%s", choice.item, choice.place[0] ? " from " : "", choice.place);
  weights_model(config, whose);
  return weights_choose(stage_db(stage), whose, wanted, choice.item, choice.place, row.id, error);
}

int main(int argc, char **argv)
{
  static const struct stage_definition definition = {
      .name = "weights",
      .summary = "Finds, downloads and imports the weights that the model starts from (model.weights).",
      .example = "build/stages/weights --manifest work/manifest.db --config configs/resnet.yaml\n"
                 "      --set model.weights=path/to/weights.h5",
      .needs_manifest = true,
      .work = work,
  };
  return stage_main(&definition, argc, argv);
}
