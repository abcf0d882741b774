#include "data/materialise.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "core/files.h"
#include "core/mem.h"
#include "core/progress.h"
#include "store/tensorfile.h"

enum { HEADER_ROOM = 4096, PARAMETERS_LIMIT = 2048, ROW_ROOM = 512 };

// The rows of one file.
static uint64_t file_rows(const struct materialise *plan)
{
  uint64_t bytes = plan->file_bytes ? plan->file_bytes : MATERIALISE_FILE_LIMIT;
  uint64_t rows = (bytes - HEADER_ROOM) / tensor_set_row_bytes(&plan->set);
  return rows ? rows : 1;
}

// The first failure of a team, by row: the same whichever thread met one first, since only rows behind it are left out.
struct failure {
  enum status status;
  uint64_t row;
  struct error error;
};

static void note_failure(struct failure *failure, enum status status, uint64_t row, const struct error *error)
{
#pragma omp critical(materialise_failure)
  if (!failure->status || row < failure->row) *failure = (struct failure){status, row, *error};
}

static bool failed_before(const struct failure *failure, uint64_t row)
{
  bool failed;
#pragma omp critical(materialise_failure)
  failed = failure->status && failure->row < row;
  return failed;
}

// Draws the rows first ... first + rows - 1 into the writer, whose only tensor they are.
static enum status draw_rows(struct stage *stage, struct materialise *plan, struct tensorfile_writer *writer,
                             uint64_t first, uint64_t rows, struct progress *bar, struct error *error)
{
  struct failure failure = {OK, 0, {0}};
  size_t bytes = tensor_set_row_bytes(&plan->set);
#pragma omp parallel for schedule(dynamic, 4) num_threads(stage_threads(stage))
  for (uint64_t i = 0; i < rows; i++) {
    if (stage_interrupted(stage) || failed_before(&failure, first + i)) continue;
    struct error why = {0};
    const uint8_t *pixels = NULL;
    enum status status = plan->draw(plan->self, omp_get_thread_num(), first + i, &pixels, &why);
    if (!status) status = tensorfile_write(writer, 0, i * bytes, pixels, bytes, &why);
    if (status)
      note_failure(&failure, status, first + i, &why);
    else
      progress_add(bar, 1);
  }
  if (failure.status) return fail(error, failure.status, "%s", failure.error.text);
  return stage_interrupted(stage) ? fail(error, INTERRUPTED, "stopped before the last file") : OK;
}

// The same, block by block: what draws them shares a block's work among threads itself.
static enum status draw_blocks(struct stage *stage, struct materialise *plan, struct tensorfile_writer *writer,
                               uint64_t first, uint64_t rows, struct progress *bar, struct error *error)
{
  size_t bytes = tensor_set_row_bytes(&plan->set);
  enum status status = OK;
  for (uint64_t i = 0, count; !status && i < rows; i += count) {
    const void *block = NULL;
    count = rows - i < plan->block ? rows - i : plan->block;
    if (stage_interrupted(stage)) return fail(error, INTERRUPTED, "stopped before the last file");
    status = plan->draw_block(plan->self, first + i, count, &block, error);
    if (!status) status = tensorfile_write(writer, 0, i * bytes, block, count * bytes, error);
    if (!status) progress_add(bar, count);
  }
  return status;
}

// The rows' descriptions and their texts, for one file.
struct descriptions {
  struct tensor_row *rows;
  char *texts; // [rows, PARAMETERS_LIMIT]
};

static enum status describe_rows(struct descriptions *out, const struct materialise *plan, uint64_t first,
                                 uint64_t rows, struct error *error)
{
  enum status status = mem_zeroed((void **)&out->rows, rows, sizeof *out->rows, "rows of a tensor file", error);
  if (!status) status = mem_zeroed((void **)&out->texts, rows, PARAMETERS_LIMIT, "parameters of a tensor file", error);
  for (uint64_t i = 0; !status && i < rows; i++) {
    char *text = out->texts + i * PARAMETERS_LIMIT;
    plan->describe(plan->self, first + i, &out->rows[i], text, PARAMETERS_LIMIT);
    if (*text) out->rows[i].parameters = text;
  }
  return status;
}

// One file: drawn, published, then recorded.
static enum status make_file(struct stage *stage, struct materialise *plan, int ordinal, struct progress *bar,
                             struct error *error)
{
  struct tensor_set *set = &plan->set;
  uint64_t first = set->rows, most = file_rows(plan), left = plan->rows - first;
  struct tensor_file file = {.ordinal = ordinal, .first_row = first, .rows = left < most ? left : most};
  tensor_file_name(file.path, plan->key, ordinal);
  struct tensor_info tensor = {tensor_set_tensor(set),
                               set->dtype,
                               4,
                               {file.rows, (uint64_t)set->height, (uint64_t)set->width, (uint64_t)set->channels}};
  struct metadata_pair metadata[] = {{"key", plan->key}, {"kind", set->kind}, {"images", plan->file_metadata}};
  char path[PATH_LIMIT];
  struct tensorfile_writer *writer = NULL;
  struct descriptions descriptions = {0};
  enum status status = path_join(path, stage_folder(stage), file.path, error);
  if (!status) status = tensorfile_create(&writer, path, &tensor, 1, metadata, 3, error);
  if (!status) status = (plan->draw ? draw_rows : draw_blocks)(stage, plan, writer, first, file.rows, bar, error);
  if (!status) status = tensorfile_publish(writer, &file.bytes, file.sha256, error);
  tensorfile_discard(writer);
  if (!status) status = describe_rows(&descriptions, plan, first, file.rows, error);
  if (!status) status = tensor_set_add_file(stage_db(stage), set, &file, descriptions.rows, error);
  free(descriptions.rows);
  free(descriptions.texts);
  return status;
}

// Of the files that earlier executions published: how many stand. The first that does not, and all after it,
// are forgotten.
static enum status keep_finished_files(struct stage *stage, struct materialise *plan, int *kept, struct error *error)
{
  struct tensor_file *files = NULL;
  size_t count = 0, good = 0;
  enum status status = tensor_set_files(stage_db(stage), plan->set.id, &files, &count, error);
  while (!status && good < count && !tensor_file_check(stage_folder(stage), &files[good], NULL)) good++;
  if (!status && good < count) {
    status = tensor_set_forget_from(stage_db(stage), &plan->set, files[good].ordinal, error);
  }
  *kept = (int)good;
  free(files);
  return status;
}

enum status materialise_is_done(struct stage *stage, const char *key, struct tensor_set *set, bool *done,
                                struct error *error)
{
  struct tensor_file *files = NULL;
  size_t count = 0;
  struct error why = {0};
  bool found = false;
  enum status status = tensor_set_find(stage_db(stage), key, 0, set, &found, error);
  *done = !status && found && set->done;
  if (!status && found) status = tensor_set_files(stage_db(stage), set->id, &files, &count, error);
  for (size_t i = 0; !status && i < count; i++) {
    if (!tensor_file_check(stage_folder(stage), &files[i], &why)) continue;
    stage_warn(stage, "%s; it is made again", why.text);
    *done = false;
    set->rows = files[i].first_row;
    break;
  }
  free(files);
  return status;
}

static enum status make_tensor_folder(struct stage *stage, struct error *error)
{
  char path[PATH_LIMIT];
  enum status status = path_join(path, stage_folder(stage), TENSOR_FOLDER, error);
  return status ? status : folder_make(path, error);
}

// A little over the bytes of the rows that are missing: headers, and the manifest's rows.
enum status materialise_check_room(struct stage *stage, uint64_t missing, size_t row_bytes, struct error *error)
{
  struct statvfs system;
  char path[PATH_LIMIT];
  uint64_t bytes = 0;
  enum status status = path_join(path, stage_folder(stage), TENSOR_FOLDER, error);
  if (status) return status;
  if (statvfs(path, &system) < 0) return fail_errno(error, "cannot look at the disk of %s", path);
  uint64_t room = (uint64_t)system.f_bavail * system.f_frsize;
  bool fits = !__builtin_mul_overflow(missing, row_bytes + ROW_ROOM, &bytes) && bytes <= room;
  if (fits) return OK;
  return fail(error, FAILED,
              "%s: %llu rows of %zu bytes need %llu MiB, its disk has %llu MiB free: make room, or use another $(WORK)",
              path, (unsigned long long)missing, row_bytes, (unsigned long long)bytes >> 20,
              (unsigned long long)room >> 20);
}

enum status materialise(struct stage *stage, struct materialise *plan, struct error *error)
{
  int ordinal = 0;
  struct tensor_set *set = &plan->set;
  enum status status = make_tensor_folder(stage, error);
  if (!status) status = tensor_set_begin(stage_db(stage), set, plan->key, plan->parameters, error);
  if (!status) status = keep_finished_files(stage, plan, &ordinal, error);
  if (!status) status = tensor_set_collect(stage_db(stage), stage_folder(stage), plan->key, error);
  if (!status) status = materialise_check_room(stage, plan->rows - set->rows, tensor_set_row_bytes(set), error);
  if (status) return status;
  uint64_t kept = set->rows;
  if (kept) {
    char what[96];
    snprintf(what, sizeof what, "%llu of %llu images", (unsigned long long)kept, (unsigned long long)plan->rows);
    stage_resumes(stage, what);
  }
  struct progress *bar = stage_progress(stage, "images", plan->rows - kept);
  double started = clock_seconds();
  while (!status && set->rows < plan->rows) status = make_file(stage, plan, ordinal++, bar, error);
  progress_stop(bar);
  stage_count(stage, set->rows - kept, clock_seconds() - started);
  return status ? status : tensor_set_finish(stage_db(stage), set, error);
}
