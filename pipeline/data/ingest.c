#include "data/ingest.h"

#include <fcntl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "image/codec.h"
#include "image/phash.h"

// One thread's tools; kept from image to image.
struct reader {
  struct decoder *decoder;
  struct image image;
  uint8_t *bytes;
  size_t capacity;
};

// The whole work: files are taken INGEST_BATCH at a time, read by the team, written by one thread.
struct ingest {
  struct stage *stage;
  struct db *db;
  int64_t dataset;
  int root; // the folder, open
  struct reader *readers;
  int threads;
  struct image_row *rows; // of a batch
  bool *read;             // which of them
  struct progress *progress;
  uint64_t written;
};

// --- one image -------------------------------------------------------------------------------------------------------

// A message "cannot open PATH: No such file" as a reason: what follows the path, which may hold anything.
static void refuse_with(struct image_row *row, const char *word, const struct error *error)
{
  const char *colon = NULL;
  for (const char *at = error->text; (at = strstr(at, ": ")); at += 2) colon = at;
  snprintf(row->reason, sizeof row->reason, "%s: %s", word, colon ? colon + 2 : "the system refused");
}

static enum status read_bytes(struct reader *reader, int fd, struct image_row *row, struct error *error)
{
  size_t size = row->file.size;
  if (reader->capacity < size) {
    free(reader->bytes);
    reader->bytes = NULL;
    reader->capacity = 0;
    void *bytes = NULL;
    enum status status = mem_zeroed(&bytes, size, 1, "a file", error);
    if (status) return status;
    reader->bytes = bytes;
    reader->capacity = size;
  }
  struct error cause;
  enum status status = file_read_exactly(fd, reader->bytes, size, row->file.path, &cause);
  if (status == FAILED) refuse_with(row, "unreadable", &cause);
  if (status == BAD_DATA) snprintf(row->reason, sizeof row->reason, "changed: became shorter while it was read");
  return OK;
}

// Opens and reads one file; anything that the file is to blame for becomes row->reason.
static enum status fetch(struct reader *reader, int root, struct image_row *row, struct error *error)
{
  int fd = -1;
  uint64_t size = 0;
  struct error cause;
  enum status status = file_open_beneath(&fd, &size, root, row->file.path, &cause);
  if (status == OUT_OF_MEMORY) return fail(error, status, "%s", cause.text);
  if (status) {
    refuse_with(row, status == BAD_DATA ? "not-a-file" : "unreadable", &cause);
    return OK;
  }
  if (size != row->file.size)
    snprintf(row->reason, sizeof row->reason, "changed: %llu bytes when it was listed, %llu when it was opened",
             (unsigned long long)row->file.size, (unsigned long long)size);
  else if (size > DECODE_FILE_LIMIT)
    snprintf(row->reason, sizeof row->reason, "too-large: %llu bytes, at most %d are allowed", (unsigned long long)size,
             DECODE_FILE_LIMIT);
  else
    status = read_bytes(reader, fd, row, error);
  close(fd);
  return status;
}

static enum status examine(struct reader *reader, struct image_row *row, struct error *error)
{
  size_t size = row->file.size;
  enum image_format format = IMAGE_JPEG;
  struct error cause;
  struct image_measures measures = {0};
  enum status status = digest_of(row->sha256, reader->bytes, size, error);
  if (status) return status;
  status = decode(reader->decoder, reader->bytes, size, &reader->image, &format, &cause);
  if (status == BAD_DATA) {
    snprintf(row->reason, sizeof row->reason, "%.*s", (int)sizeof row->reason - 1, cause.text);
    return OK;
  }
  if (status) return fail(error, status, "%s", cause.text);
  status = image_measure(&reader->image, &measures, error);
  row->ok = !status;
  row->format = image_format_name(format);
  row->width = reader->image.width;
  row->height = reader->image.height;
  row->dhash = measures.dhash;
  row->brightness = measures.brightness;
  row->sharpness = measures.sharpness;
  return status;
}

static enum status read_one(struct reader *reader, int root, const struct scan_file *file, struct image_row *row,
                            struct error *error)
{
  if (file->not_a_file) {
    snprintf(row->reason, sizeof row->reason, "not-a-file: %s", file->not_a_file);
    return OK;
  }
  enum status status = fetch(reader, root, row, error);
  return status || row->reason[0] ? status : examine(reader, row, error);
}

// --- batches ---------------------------------------------------------------------------------------------------------

// The rows of a batch before they are read: what is known of the files.
static size_t next_batch(const struct scan *scan, const struct image_changes *changes, size_t *at,
                         const struct scan_file **files, struct image_row *rows)
{
  size_t count = 0;
  for (; *at < scan->count && count < INGEST_BATCH; ++*at) {
    const struct scan_file *file = &scan->files[*at];
    if (!changes->todo[*at]) continue;
    files[count] = file;
    rows[count++] = (struct image_row){
        .file = {file->path, file->label, file->size, file->inode, file->mtime_ns},
    };
  }
  return count;
}

static enum status read_batch(struct ingest *ingest, const struct scan_file *const *files, size_t count,
                              struct error *error)
{
  enum status first = OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(ingest->threads)
  for (size_t i = 0; i < count; i++) {
    ingest->read[i] = false;
    if (stage_interrupted(ingest->stage)) continue;
    struct error own;
    struct reader *reader = &ingest->readers[omp_get_thread_num()];
    enum status status = read_one(reader, ingest->root, files[i], &ingest->rows[i], &own);
    ingest->read[i] = !status;
    if (!status) progress_add(ingest->progress, 1);
    if (!status) continue;
#pragma omp critical(ingest_failure)
    if (!first) first = fail(error, status, "%s", own.text);
  }
  return first;
}

// Writes the rows that were read, also where others failed.
static enum status write_batch(struct ingest *ingest, size_t count, struct error *error)
{
  size_t kept = 0;
  for (size_t i = 0; i < count; i++)
    if (ingest->read[i]) ingest->rows[kept++] = ingest->rows[i];
  if (!kept) return OK;
  enum status status = images_write(ingest->db, ingest->dataset, ingest->rows, kept, error);
  if (!status) ingest->written += kept;
  return status;
}

static enum status work(struct ingest *ingest, const struct scan *scan, const struct image_changes *changes,
                        struct error *error)
{
  const struct scan_file *files[INGEST_BATCH];
  enum status status = OK;
  for (size_t at = 0, count; !status && (count = next_batch(scan, changes, &at, files, ingest->rows));) {
    status = read_batch(ingest, files, count, error);
    struct error unwritten;
    enum status written = write_batch(ingest, count, &unwritten);
    if (!status && written) status = fail(error, written, "%s", unwritten.text);
    if (!status && stage_interrupted(ingest->stage)) status = INTERRUPTED;
  }
  return status;
}

static enum status prepare(struct ingest *ingest, const char *root, struct error *error)
{
  ingest->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (ingest->root < 0) return fail_errno(error, "cannot open the folder %s", root);
  void *rows = NULL, *read = NULL, *readers = NULL;
  enum status status = mem_zeroed(&rows, INGEST_BATCH, sizeof *ingest->rows, "a batch of images", error);
  ingest->rows = rows;
  if (!status) status = mem_zeroed(&read, INGEST_BATCH, sizeof *ingest->read, "a batch of images", error);
  ingest->read = read;
  if (!status)
    status = mem_zeroed(&readers, (size_t)ingest->threads, sizeof *ingest->readers, "the threads' decoders", error);
  ingest->readers = readers;
  for (int i = 0; i < ingest->threads && !status; i++) status = decoder_new(&ingest->readers[i].decoder, error);
  return status;
}

static void release(struct ingest *ingest)
{
  for (int i = 0; ingest->readers && i < ingest->threads; i++) {
    decoder_free(ingest->readers[i].decoder);
    image_release(&ingest->readers[i].image);
    free(ingest->readers[i].bytes);
  }
  free(ingest->readers);
  free(ingest->rows);
  free(ingest->read);
  if (ingest->root >= 0) close(ingest->root);
}

enum status ingest_files(struct stage *stage, const struct dataset_row *dataset, const char *root,
                         const struct scan *scan, const struct image_changes *changes, struct error *error)
{
  struct ingest ingest = {
      .stage = stage, .db = stage_db(stage), .dataset = dataset->id, .root = -1, .threads = stage_threads(stage)};
  double started = clock_seconds();
  enum status status = prepare(&ingest, root, error);
  if (!status) {
    ingest.progress = stage_progress(stage, "images", changes->todo_count);
    status = work(&ingest, scan, changes, error);
    stage_count(stage, ingest.written, clock_seconds() - started);
  }
  release(&ingest);
  return status;
}
