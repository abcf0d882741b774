// ingest: a folder of class folders into the manifest. Every file becomes a row: an image that is ok, or a
// quarantined file with its reason. A rerun reads only what changed; what vanished becomes 'missing'.
#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "data/ingest.h"
#include "data/scan.h"
#include "keys/keys.h"
#include "stage/stage.h"
#include "store/images.h"

enum { LISTED = 5 }; // quarantined files that are shown by name

struct found {
  struct stage *stage;
  char root[PATH_LIMIT];
  struct scan scan;
  struct image_file *files; // of the scan, as the store takes them
  struct image_changes changes;
  struct dataset_row dataset;
};

static enum status list_files(struct found *found, struct error *error)
{
  const struct scan *scan = &found->scan;
  void *files = NULL;
  enum status status = mem_zeroed(&files, scan->count, sizeof *found->files, "the list of files", error);
  found->files = files;
  for (size_t i = 0; i < scan->count && !status; i++) {
    const struct scan_file *file = &scan->files[i];
    found->files[i] = (struct image_file){file->path, file->label, file->size, file->inode, file->mtime_ns};
  }
  return status;
}

static void say_scan(struct found *found)
{
  const struct scan *scan = &found->scan;
  char files[STAGE_NUMBER_LIMIT], classes[STAGE_NUMBER_LIMIT], folder[2 * PATH_LIMIT];
  stage_number(scan->count, files);
  stage_number(scan->class_count, classes);
  utf8_show(folder, sizeof folder, found->root);
  stage_say(found->stage, "ingest: %s files in %s class folders of %s%s%s", files, classes, folder,
            scan->folder[0] ? "/" : "", scan->folder);
  if (scan->hidden)
    stage_warn(found->stage, "%llu names that begin with a dot are skipped", (unsigned long long)scan->hidden);
  if (scan->loose)
    stage_warn(found->stage, "%llu files beside the class folders are skipped", (unsigned long long)scan->loose);
}

// The first reason that holds.
static void say_why(struct found *found)
{
  const struct image_changes *changes = &found->changes;
  char why[128] = "the class folders changed";
  if (changes->known == 0)
    snprintf(why, sizeof why, "the folder is new to the manifest");
  else if (changes->todo_count || changes->vanished_count)
    snprintf(why, sizeof why, "%llu files are new or changed, %zu are gone", (unsigned long long)changes->todo_count,
             changes->vanished_count);
  else if (!found->dataset.finished)
    snprintf(why, sizeof why, "an earlier execution did not finish");
  stage_runs_for(found->stage, why);
}

static void say_quarantined(void *self, const char *shown, const char *reason)
{
  stage_warn(self, "%s: %s", shown, reason);
}

static enum status say_result(struct found *found, struct error *error)
{
  const struct dataset_row *dataset = &found->dataset;
  char all[STAGE_NUMBER_LIMIT], ok[STAGE_NUMBER_LIMIT], bad[STAGE_NUMBER_LIMIT], reasons[512] = "";
  stage_number(dataset->ok + dataset->quarantined, all);
  stage_number(dataset->ok, ok);
  stage_number(dataset->quarantined, bad);
  enum status status = dataset_reasons(stage_db(found->stage), dataset->id, reasons, sizeof reasons, error);
  if (status) return status;
  stage_say(found->stage, "ingest: %s files, %s ok, %s quarantined%s%s%s", all, ok, bad, reasons[0] ? " (" : "",
            reasons, reasons[0] ? ")" : "");
  if (!dataset->quarantined) return OK;
  status = dataset_quarantined(stage_db(found->stage), dataset->id, LISTED, found->stage, say_quarantined, error);
  stage_say(found->stage, "ingest: ask: sqlite3 %s \"SELECT shown, reason FROM image WHERE status = 'quarantined'\"",
            db_path(stage_db(found->stage)));
  return status;
}

// A network cannot learn a class that it never sees, and its output would have a place that nothing fills.
static enum status check_classes(struct found *found, struct error *error)
{
  char class[1024];
  if (!found->dataset.ok)
    return fail(error, BAD_DATA, "%s: none of its %llu files is an image that can be used", found->root,
                (unsigned long long)found->dataset.quarantined);
  enum status status = dataset_empty_class(stage_db(found->stage), found->dataset.id, class, sizeof class, error);
  if (status || !class[0]) return status;
  return fail(error, BAD_DATA, "%s: class folder %s has no image that can be used: fill it or remove it", found->root,
              class);
}

static enum status look(struct found *found, bool *up_to_date, struct error *error)
{
  struct db *db = stage_db(found->stage);
  bool same = false;
  enum status status = dataset_root(stage_config(found->stage), found->root, error);
  if (!status) status = scan_folder(&found->scan, found->root, error);
  if (!status) status = list_files(found, error);
  if (!status) status = dataset_open(db, found->root, &found->dataset, error);
  if (status) return status;
  stage_subject(found->stage, found->dataset.name);
  status = images_changes(db, found->dataset.id, found->files, found->scan.count, &found->changes, error);
  if (!status)
    status = dataset_has_classes(db, found->dataset.id, found->scan.classes, found->scan.class_count, &same, error);
  *up_to_date = same && found->dataset.finished && !found->changes.todo_count && !found->changes.vanished_count;
  return status;
}

static enum status update(struct found *found, struct error *error)
{
  struct db *db = stage_db(found->stage);
  enum status status =
      dataset_begin(db, found->dataset.id, found->scan.classes, found->scan.class_count, &found->changes, error);
  if (!status) status = ingest_files(found->stage, &found->dataset, found->root, &found->scan, &found->changes, error);
  if (!status) status = dataset_count(db, &found->dataset, error);
  if (!status) status = say_result(found, error);
  if (!status) status = check_classes(found, error);
  return status ? status : dataset_finish(db, &found->dataset, error);
}

static enum status judge(struct found *found, struct error *error)
{
  if (!stage_option(found->stage, "strict") || !found->dataset.quarantined) return OK;
  return fail(error, BAD_DATA, "%s: %llu files are quarantined, and --strict allows none", found->root,
              (unsigned long long)found->dataset.quarantined);
}

static enum status work(struct stage *stage, struct error *error)
{
  struct found found = {.stage = stage};
  bool up_to_date = false;
  enum status status = look(&found, &up_to_date, error);
  if (!status && up_to_date) {
    char images[STAGE_NUMBER_LIMIT], text[STAGE_NUMBER_LIMIT + 8];
    stage_number(found.dataset.ok, images);
    snprintf(text, sizeof text, "%s images", images);
    stage_up_to_date(stage, text);
  } else if (!status) {
    say_scan(&found);
    say_why(&found);
    status = update(&found, error);
  }
  if (!status) status = judge(&found, error);
  images_changes_release(&found.changes);
  scan_release(&found.scan);
  free(found.files);
  return status;
}

static const struct stage_option options[] = {
    {"strict", NULL, "exit 1 when a file is quarantined (its row is written all the same)"},
    {0},
};

static const struct stage_definition ingest = {
    .name = "ingest",
    .summary = "reads a folder of class folders into the manifest: every image decoded once, hashed and measured",
    .example = "build/stages/ingest --manifest work/manifest.db --set dataset.train=asl_alphabet_train",
    .options = options,
    .work = work,
};

int main(int argc, char **argv)
{
  return stage_main(&ingest, argc, argv);
}
