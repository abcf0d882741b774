// All whole images of each dataset, resized to one square, as tensor files: a set for each, outside tests among them.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/materialise.h"
#include "data/resizing.h"
#include "keys/keys.h"
#include "keys/settings.h"
#include "stage/stage.h"
#include "store/tensors.h"

static enum status resize_one(struct stage *stage, const struct dataset_found *dataset, struct stage_key *key,
                              uint64_t *images, struct error *error)
{
  const struct config *config = stage_config(stage);
  char what[96], *previous = NULL;
  snprintf(what, sizeof what, "%s, %s", config_text(config, "resize.fit"), config_text(config, "resize.filter"));
  const struct resize_request request = {
      .dataset = dataset->id,
      .size = (int)config_integer(config, "resize.size"),
      .fit = settings_resize_fit(config),
      .filter = settings_resize_filter(config),
      .what = what,
      .key = stage_key_digest(key),
      .parameters = stage_key_parameters(key),
  };
  enum status status = tensor_set_previous(stage_db(stage), "resized", dataset->id, &previous, error);
  if (!status) stage_runs_because(stage, key, previous);
  free(previous);
  if (!status) status = resize_dataset(stage, &request, images, error);
  if (!status)
    stage_say(stage, "resize: %" PRIu64 " images of %dx%d from %s", *images, request.size, request.size, dataset->name);
  return status;
}

// *made: the set was not there, or not whole.
static enum status resize(struct stage *stage, const struct dataset_found *dataset, uint64_t *images, bool *made,
                          struct error *error)
{
  struct stage_key *key = NULL;
  struct tensor_set set = {0};
  bool done = false;
  enum status status = resized_key(&key, dataset, stage_config(stage), error);
  if (!status) status = materialise_is_done(stage, stage_key_digest(key), &set, &done, error);
  *images = set.rows;
  if (!status && done) stage_uses_key(stage, key);
  if (!status && !done) status = resize_one(stage, dataset, key, images, error);
  *made = !done;
  stage_key_free(key);
  return status;
}

static void say_up_to_date(struct stage *stage, uint64_t images, size_t datasets)
{
  int size = (int)config_integer(stage_config(stage), "resize.size");
  char number[STAGE_NUMBER_LIMIT], what[128], from[48] = "";
  stage_number(images, number);
  if (datasets > 1) snprintf(from, sizeof from, " from %zu datasets", datasets);
  snprintf(what, sizeof what, "%s images of %dx%d%s", number, size, size, from);
  stage_up_to_date(stage, what);
}

struct totals {
  uint64_t images;
  size_t datasets;
  bool made; // any of them
};

static enum status resize_each(struct stage *stage, const struct datasets *datasets, struct totals *totals,
                               struct error *error)
{
  enum status status = OK;
  for (size_t i = 0; i < datasets->count && !status; i++) {
    uint64_t images = 0;
    bool made = false;
    status = resize(stage, &datasets->list[i], &images, &made, error);
    totals->images += images;
    totals->datasets++;
    totals->made |= made;
  }
  return status;
}

static enum status work(struct stage *stage, struct error *error)
{
  struct datasets datasets, tests = {.count = 0};
  struct totals totals = {.images = 0};
  char name[SUBJECT_LIMIT];
  enum status status = datasets_find(&datasets, stage_db(stage), stage_config(stage), error);
  datasets_name(&datasets, name, sizeof name);
  if (!status) stage_subject(stage, name);
  if (!status) status = datasets_find_tests(&tests, stage_db(stage), stage_config(stage), error);
  if (!status) status = resize_each(stage, &datasets, &totals, error);
  if (!status) status = resize_each(stage, &tests, &totals, error);
  if (!status && !totals.made) say_up_to_date(stage, totals.images, totals.datasets);
  return status;
}

int main(int argc, char **argv)
{
  static const struct stage_definition definition = {
      .name = "resize",
      .summary = "Resizes all whole images of the datasets to one square, as tensor files (resize.size, fit, filter).",
      .example = "build/stages/resize --manifest work/manifest.db --config configs/cnn.yaml --set resize.size=224",
      .needs_manifest = true,
      .work = work,
  };
  return stage_main(&definition, argc, argv);
}
