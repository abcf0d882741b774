// ingest: folders of class folders into the manifest, each as a dataset of its own. Every file becomes a row: an image
// that is ok, or a quarantined file with its reason. A rerun reads only what changed; what vanished becomes 'missing'.
#include <stdio.h>
#include <string.h>

#include "data/folder.h"
#include "keys/keys.h"
#include "stage/stage.h"

struct totals {
  char subject[SUBJECT_LIMIT]; // the datasets that are trained on
  uint64_t images;             // that are ok
  uint64_t datasets, updated;
  struct error quarantined; // "one: 2, two: 1": the folders with such files, for --strict
};

static void add_subject(struct stage *stage, struct totals *totals, const char *name)
{
  size_t used = strlen(totals->subject);
  snprintf(totals->subject + used, sizeof totals->subject - used, "%s%s", used ? " + " : "", name);
  stage_subject(stage, totals->subject);
}

static enum status update(struct stage *stage, struct folder *folder, struct totals *totals, struct error *error)
{
  char why[512];
  totals->updated++;
  const struct config *config = stage_config(stage);
  bool several = config_list_length(config, "dataset.train") + config_list_length(config, "dataset.test") > 1;
  snprintf(why, sizeof why, "%s%s%s", several ? folder->dataset.name : "", several ? ": " : "", folder->why);
  stage_runs_for(stage, why);
  return folder_update(folder, error);
}

static void add_quarantined(struct totals *totals, const struct folder *folder)
{
  struct error before = totals->quarantined;
  if (!folder->dataset.quarantined) return;
  fail(&totals->quarantined, BAD_DATA, "%s%s%s: %llu", before.text, before.status ? ", " : "", folder->root,
       (unsigned long long)folder->dataset.quarantined);
}

// Once all folders are read: what is good is there for whoever goes on without --strict.
static enum status judge(struct stage *stage, const struct totals *totals, struct error *error)
{
  if (!stage_option(stage, "strict") || !totals->quarantined.status) return OK;
  return fail(error, BAD_DATA, "%s files are quarantined, and --strict allows none", totals->quarantined.text);
}

// The folders of a key of the configuration.
static enum status ingest_each(struct stage *stage, const char *key, struct totals *totals, struct error *error)
{
  const struct config *config = stage_config(stage);
  bool in_parts = !strcmp(key, "dataset.train") && !strcmp(config_text(config, "split.method"), "folder");
  enum status status = OK;
  for (size_t i = 0; i < config_list_length(config, key) && !status; i++) {
    char root[PATH_LIMIT];
    struct folder folder = {.stage = stage};
    status = dataset_root(config, key, i, root, error);
    if (!status)
      status = in_parts ? folder_look_in_parts(&folder, stage, root, error) : folder_look(&folder, stage, root, error);
    if (folder.dataset.id && !strcmp(key, "dataset.train")) add_subject(stage, totals, folder.dataset.name);
    if (!status && !folder.up_to_date) status = update(stage, &folder, totals, error);
    if (!status) add_quarantined(totals, &folder);
    totals->images += folder.dataset.ok;
    totals->datasets++;
    folder_release(&folder);
  }
  return status;
}

static enum status work(struct stage *stage, struct error *error)
{
  struct totals totals = {.images = 0};
  enum status status = datasets_check(stage_config(stage), error);
  if (!status) status = ingest_each(stage, "dataset.train", &totals, error);
  if (!status) status = ingest_each(stage, "dataset.test", &totals, error);
  if (!status) status = judge(stage, &totals, error);
  if (status || totals.updated) return status;
  char images[STAGE_NUMBER_LIMIT], text[STAGE_NUMBER_LIMIT + 48];
  stage_number(totals.images, images);
  if (totals.datasets > 1)
    snprintf(text, sizeof text, "%s images in %llu datasets", images, (unsigned long long)totals.datasets);
  else
    snprintf(text, sizeof text, "%s images", images);
  stage_up_to_date(stage, text);
  return OK;
}

static const struct stage_option options[] = {
    {"strict", NULL, "exit 1 when a file is quarantined (its row is written all the same)"},
    {0},
};

static const struct stage_definition ingest = {
    .name = "ingest",
    .summary = "reads folders of class folders into the manifest: every image decoded once, hashed and measured",
    .example = "build/stages/ingest --manifest work/manifest.db --set dataset.train=asl_alphabet_train",
    .options = options,
    .work = work,
};

int main(int argc, char **argv)
{
  return stage_main(&ingest, argc, argv);
}
