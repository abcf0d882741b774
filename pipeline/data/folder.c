#include "data/folder.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "data/ingest.h"
#include "data/look_alikes.h"

enum { LISTED = 5 }; // quarantined files that are shown by name

static enum status list_files(struct folder *folder, struct error *error)
{
  const struct scan *scan = &folder->scan;
  void *files = NULL;
  enum status status = mem_zeroed(&files, scan->count, sizeof *folder->files, "the list of files", error);
  folder->files = files;
  for (size_t i = 0; i < scan->count && !status; i++) {
    const struct scan_file *file = &scan->files[i];
    folder->files[i] = (struct image_file){file->path, file->label, file->size, file->inode, file->mtime_ns};
  }
  return status;
}

static void say_scan(struct folder *folder)
{
  const struct scan *scan = &folder->scan;
  char files[STAGE_NUMBER_LIMIT], classes[STAGE_NUMBER_LIMIT], root[2 * PATH_LIMIT];
  stage_number(scan->count, files);
  stage_number(scan->class_count, classes);
  utf8_show(root, sizeof root, folder->root);
  stage_say(folder->stage, "ingest: %s files in %s class folders of %s%s%s", files, classes, root,
            scan->folder[0] ? "/" : "", scan->folder);
  if (scan->hidden)
    stage_warn(folder->stage, "%llu names that begin with a dot are skipped", (unsigned long long)scan->hidden);
  if (scan->loose)
    stage_warn(folder->stage, "%llu files beside the class folders are skipped", (unsigned long long)scan->loose);
}

static void say_moved(struct folder *folder, const char *from)
{
  char shown[2 * PATH_LIMIT];
  utf8_show(shown, sizeof shown, from);
  stage_say(folder->stage, "ingest: dataset %s was moved here from %s", folder->dataset.name, shown);
}

// The first reason that holds.
static void find_why(struct folder *folder)
{
  const struct image_changes *changes = &folder->changes;
  if (changes->known == 0)
    snprintf(folder->why, sizeof folder->why, "the folder is new to the manifest");
  else if (changes->todo_count || changes->vanished_count)
    snprintf(folder->why, sizeof folder->why, "%llu files are new or changed, %zu are gone",
             (unsigned long long)changes->todo_count, changes->vanished_count);
  else if (!folder->dataset.finished)
    snprintf(folder->why, sizeof folder->why, "an earlier execution did not finish");
  else
    snprintf(folder->why, sizeof folder->why, "the class folders changed");
}

static void say_quarantined(void *self, const char *shown, const char *reason)
{
  stage_warn(self, "%s: %s", shown, reason);
}

static enum status say_result(struct folder *folder, struct error *error)
{
  const struct dataset_row *dataset = &folder->dataset;
  char all[STAGE_NUMBER_LIMIT], ok[STAGE_NUMBER_LIMIT], bad[STAGE_NUMBER_LIMIT], reasons[512] = "";
  stage_number(dataset->ok + dataset->quarantined, all);
  stage_number(dataset->ok, ok);
  stage_number(dataset->quarantined, bad);
  enum status status = dataset_reasons(stage_db(folder->stage), dataset->id, reasons, sizeof reasons, error);
  if (status) return status;
  stage_say(folder->stage, "ingest: %s files, %s ok, %s quarantined%s%s%s", all, ok, bad, reasons[0] ? " (" : "",
            reasons, reasons[0] ? ")" : "");
  if (!dataset->quarantined) return OK;
  status = dataset_quarantined(stage_db(folder->stage), dataset->id, LISTED, folder->stage, say_quarantined, error);
  stage_say(folder->stage, "ingest: ask: sqlite3 %s \"SELECT shown, reason FROM image WHERE status = 'quarantined'\"",
            db_path(stage_db(folder->stage)));
  return status;
}

// A network cannot learn a class that it never sees, and its output would have a place that nothing fills.
static enum status check_classes(struct folder *folder, struct error *error)
{
  char class[1024];
  if (!folder->dataset.ok)
    return fail(error, BAD_DATA, "%s: none of its %llu files is an image that can be used", folder->root,
                (unsigned long long)folder->dataset.quarantined);
  enum status status = dataset_empty_class(stage_db(folder->stage), folder->dataset.id, class, sizeof class, error);
  if (status || !class[0]) return status;
  return fail(error, BAD_DATA, "%s: class folder %s has no image that can be used: fill it or remove it", folder->root,
              class);
}

typedef enum status scanner(struct scan *out, const char *root, struct error *error);

static enum status look(struct folder *out, struct stage *stage, scanner *scan, const char *root, struct error *error)
{
  struct db *db = stage_db(stage);
  bool same = false;
  char from[PATH_LIMIT];
  *out = (struct folder){.stage = stage};
  snprintf(out->root, sizeof out->root, "%s", root);
  enum status status = scan(&out->scan, out->root, error);
  if (!status) status = list_files(out, error);
  if (!status) status = dataset_move(db, out->root, out->files, out->scan.count, from, error);
  if (!status) status = dataset_open(db, out->root, &out->dataset, error);
  if (!status && from[0]) say_moved(out, from);
  if (!status) status = images_changes(db, out->dataset.id, out->files, out->scan.count, &out->changes, error);
  if (!status)
    status = dataset_has_classes(db, out->dataset.id, out->scan.classes, out->scan.class_count, &same, error);
  out->up_to_date = same && out->dataset.finished && !out->changes.todo_count && !out->changes.vanished_count;
  if (!status && !out->up_to_date) find_why(out);
  return status;
}

enum status folder_look(struct folder *out, struct stage *stage, const char *root, struct error *error)
{
  return look(out, stage, scan_folder, root, error);
}

enum status folder_look_in_parts(struct folder *out, struct stage *stage, const char *root, struct error *error)
{
  return look(out, stage, scan_parts, root, error);
}

enum status folder_update(struct folder *folder, struct error *error)
{
  struct db *db = stage_db(folder->stage);
  say_scan(folder);
  enum status status =
      dataset_begin(db, folder->dataset.id, folder->scan.classes, folder->scan.class_count, &folder->changes, error);
  if (!status)
    status = ingest_files(folder->stage, &folder->dataset, folder->root, &folder->scan, &folder->changes, error);
  if (!status) status = dataset_count(db, &folder->dataset, error);
  if (!status) status = say_result(folder, error);
  if (!status) status = check_classes(folder, error);
  if (!status) status = look_alikes_update(db, folder->dataset.id, stage_threads(folder->stage), error);
  return status ? status : dataset_finish(db, &folder->dataset, error);
}

void folder_release(struct folder *folder)
{
  images_changes_release(&folder->changes);
  scan_release(&folder->scan);
  free(folder->files);
  folder->files = NULL;
}
