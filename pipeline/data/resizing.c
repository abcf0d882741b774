#include "data/resizing.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/files.h"
#include "core/mem.h"
#include "data/materialise.h"
#include "image/codec.h"

// --- the dataset's images --------------------------------------------------------------------------------------------

struct source {
  int64_t image;
  char *path; // below the root
  char sha256[DIGEST_TEXT];
};

struct sources {
  char *root;
  int folder; // descriptor of the root
  struct source *list;
  size_t count;
};

static void sources_release(struct sources *sources)
{
  for (size_t i = 0; i < sources->count; i++) free(sources->list[i].path);
  free(sources->list);
  free(sources->root);
  if (sources->folder >= 0) close(sources->folder);
}

// A path is bytes: a zero byte can end it only.
static enum status copy_path(char **out, struct query *query, int column, struct error *error)
{
  size_t size;
  const char *bytes = query_bytes(query, column, &size);
  enum status status = mem_zeroed((void **)out, size + 1, 1, "a path", error);
  if (!status) memcpy(*out, bytes, size);
  return status;
}

static enum status open_root(struct sources *sources, struct db *db, int64_t dataset, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, "SELECT root FROM dataset WHERE id = ?", error);
  if (!status) status = query_bind(query, error, "i", dataset);
  if (!status && query_next(query, &status, error)) status = copy_path(&sources->root, query, 0, error);
  query_close(query);
  if (status) return status;
  sources->folder = open(sources->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return sources->folder < 0 ? fail_errno(error, "cannot open the dataset's folder %s", sources->root) : OK;
}

static enum status list_sources(struct sources *sources, struct db *db, int64_t dataset, struct error *error)
{
  struct query *query = NULL;
  size_t capacity = 0;
  enum status status = query_open(
      &query, db, "SELECT id, path, sha256 FROM image WHERE dataset = ? AND status = 'ok' ORDER BY id", error);
  if (!status) status = query_bind(query, error, "i", dataset);
  while (!status && query_next(query, &status, error)) {
    status = mem_grow((void **)&sources->list, &capacity, sources->count + 1, sizeof *sources->list, "images", error);
    if (status) break;
    struct source *source = &sources->list[sources->count];
    *source = (struct source){.image = query_integer(query, 0)};
    snprintf(source->sha256, sizeof source->sha256, "%s", query_text(query, 2));
    status = copy_path(&source->path, query, 1, error);
    if (!status) sources->count++;
  }
  query_close(query);
  if (!status && !sources->count) status = fail(error, BAD_DATA, "%s has no whole image to resize", sources->root);
  return status;
}

// --- one image -------------------------------------------------------------------------------------------------------

// A thread's own: nothing is allocated for an image once the largest has been seen.
struct worker {
  struct decoder *decoder;
  struct image decoded, resized;
  uint8_t *bytes;
  size_t capacity;
};

struct resizing {
  struct sources sources;
  struct worker *workers; // [threads]
  int threads, size;
  enum resize_fit fit;
  enum resize_filter filter;
};

static void resizing_release(struct resizing *resizing)
{
  for (int t = 0; resizing->workers && t < resizing->threads; t++) {
    struct worker *worker = &resizing->workers[t];
    decoder_free(worker->decoder);
    image_release(&worker->decoded);
    image_release(&worker->resized);
    free(worker->bytes);
  }
  free(resizing->workers);
  sources_release(&resizing->sources);
}

static enum status read_source(const struct resizing *resizing, struct worker *worker, const struct source *source,
                               size_t *size, struct error *error)
{
  int fd = -1;
  uint64_t length = 0;
  enum status status = file_open_beneath(&fd, &length, resizing->sources.folder, source->path, error);
  if (status) return status;
  if (length > DECODE_FILE_LIMIT)
    status = fail(error, BAD_DATA, "%" PRIu64 " bytes, at most %d are allowed", length, DECODE_FILE_LIMIT);
  if (!status) status = mem_grow((void **)&worker->bytes, &worker->capacity, length + 1, 1, "a source file", error);
  if (!status) status = file_read_exactly(fd, worker->bytes, length, source->path, error);
  close(fd);
  *size = length;
  return status;
}

static enum status verify_source(const struct worker *worker, const struct source *source, size_t size,
                                 struct error *error)
{
  char sha256[DIGEST_TEXT];
  enum status status = digest_of(sha256, worker->bytes, size, error);
  if (status || !strcmp(sha256, source->sha256)) return status;
  return fail(error, BAD_DATA, "it has changed since ingest read it: run ingest again");
}

static enum status draw(void *self, int thread, uint64_t row, const uint8_t **pixels, struct error *error)
{
  struct resizing *resizing = self;
  struct worker *worker = &resizing->workers[thread];
  const struct source *source = &resizing->sources.list[row];
  size_t size = 0;
  enum image_format format;
  int least = resize_least_side(resizing->size, resizing->filter);
  enum status status = worker->decoder ? OK : decoder_new(&worker->decoder, error);
  if (!status) status = read_source(resizing, worker, source, &size, error);
  if (!status) status = verify_source(worker, source, size, error);
  if (!status) status = decode_reduced(worker->decoder, worker->bytes, size, least, &worker->decoded, &format, error);
  if (!status)
    status = resize_image(&worker->decoded, resizing->size, resizing->fit, resizing->filter, &worker->resized, error);
  *pixels = worker->resized.pixels;
  return status ? fail_within(error, "%s/%s", resizing->sources.root, source->path) : OK;
}

static void describe(void *self, uint64_t row, struct tensor_row *out, char *parameters, size_t size)
{
  const struct resizing *resizing = self;
  (void)parameters, (void)size;
  *out = (struct tensor_row){.image = resizing->sources.list[row].image};
}

enum status resize_dataset(struct stage *stage, const struct resize_request *request, uint64_t *images,
                           struct error *error)
{
  struct resizing resizing = {
      .sources.folder = -1,
      .threads = stage_threads(stage),
      .size = request->size,
      .fit = request->fit,
      .filter = request->filter,
  };
  enum status status =
      mem_zeroed((void **)&resizing.workers, (size_t)resizing.threads, sizeof *resizing.workers, "workers", error);
  if (!status) status = open_root(&resizing.sources, stage_db(stage), request->dataset, error);
  if (!status) status = list_sources(&resizing.sources, stage_db(stage), request->dataset, error);
  struct materialise plan = {
      .key = request->key,
      .parameters = request->parameters,
      .file_metadata = request->what,
      .set = {.kind = "resized",
              .dataset = request->dataset,
              .height = resizing.size,
              .width = resizing.size,
              .channels = 3},
      .rows = resizing.sources.count,
      .self = &resizing,
      .draw = draw,
      .describe = describe,
  };
  if (!status) status = materialise(stage, &plan, error);
  *images = plan.set.rows;
  resizing_release(&resizing);
  return status;
}
