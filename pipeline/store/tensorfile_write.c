// Writing safetensors: see store/tensorfile.h.
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/files.h"
#include "core/mem.h"
#include "store/tensorfile.h"

enum { ALIGNMENT = 64, LENGTH_BYTES = 8 };

struct place {
  uint64_t offset, size; // of a tensor, in the data
};

struct tensorfile_writer {
  struct publication file;
  struct place *places; // by the caller's index
  size_t count;
  uint64_t data_start, total;
};

static enum status check_tensor(const struct tensor_info *tensor, uint64_t *bytes, const char *path,
                                struct error *error)
{
  if (tensor->rank < 0 || tensor->rank > TENSOR_RANK_LIMIT)
    return fail(error, BAD_USAGE, "%s: tensor %s has %d dimensions, at most %d are allowed", path, tensor->name,
                tensor->rank, TENSOR_RANK_LIMIT);
  *bytes = tensor_dtype_size(tensor->dtype);
  bool fits = true;
  for (int i = 0; i < tensor->rank; i++) fits = fits && !__builtin_mul_overflow(*bytes, tensor->shape[i], bytes);
  if (fits && *bytes < INT64_MAX / 2) return OK;
  return fail(error, BAD_USAGE, "%s: tensor %s is too large for a file", path, tensor->name);
}

// Offsets by falling size of element: every tensor is aligned to its own without a hole, which the format forbids.
static enum status place_tensors(struct tensorfile_writer *writer, const struct tensor_info *tensors, const char *path,
                                 struct error *error)
{
  uint64_t offset = 0;
  for (size_t element = 8; element >= 1; element /= 2) {
    for (size_t i = 0; i < writer->count; i++) {
      if (tensor_dtype_size(tensors[i].dtype) != element) continue;
      enum status status = check_tensor(&tensors[i], &writer->places[i].size, path, error);
      if (status) return status;
      writer->places[i].offset = offset;
      if (__builtin_add_overflow(offset, writer->places[i].size, &offset) || offset > INT64_MAX / 2)
        return fail(error, BAD_USAGE, "%s: its tensors are too large for a file", path);
    }
  }
  writer->total = offset; // the header's bytes are added when it is written
  return OK;
}

static bool add_tensor(json_t *root, const struct tensor_info *tensor, const struct place *place)
{
  if (!strcmp(tensor->name, "__metadata__") || json_object_get(root, tensor->name)) return false;
  json_t *shape = json_array();
  for (int i = 0; i < tensor->rank; i++) json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
  json_t *value = json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor_dtype_name(tensor->dtype), "shape", shape,
                            "data_offsets", (json_int_t)place->offset, (json_int_t)(place->offset + place->size));
  return value && json_object_set_new(root, tensor->name, value) == 0; // checks that the name is UTF-8
}

static bool add_metadata(json_t *root, const struct metadata_pair *metadata, size_t pairs)
{
  json_t *object = json_object();
  bool good = json_object_set_new(root, "__metadata__", object) == 0;
  for (size_t i = 0; good && i < pairs; i++)
    good = json_object_set_new(object, metadata[i].key, json_string(metadata[i].value)) == 0;
  return good;
}

static enum status describe_file(char **header, const struct tensorfile_writer *writer,
                                 const struct tensor_info *tensors, const struct metadata_pair *metadata, size_t pairs,
                                 const char *path, struct error *error)
{
  json_t *root = json_object();
  enum status status = OK;
  if (pairs > 0 && !add_metadata(root, metadata, pairs))
    status = fail(error, BAD_USAGE, "%s: its metadata is not valid UTF-8", path);
  for (size_t i = 0; !status && i < writer->count; i++)
    if (!add_tensor(root, &tensors[i], &writer->places[i]))
      status = fail(error, BAD_USAGE, "%s: tensor name %zu (\"%.100s\") is taken or not valid UTF-8", path, i,
                    tensors[i].name);
  if (!status) {
    *header = json_dumps(root, JSON_COMPACT);
    if (!*header) status = fail_memory(error, path, 0);
  }
  json_decref(root);
  return status;
}

// The header, padded with blanks (as the format has it) until the data starts at a cache line.
static enum status write_header(struct tensorfile_writer *writer, const char *header, struct error *error)
{
  size_t length = strlen(header);
  size_t padded = (LENGTH_BYTES + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - LENGTH_BYTES;
  void *memory = NULL;
  enum status status = mem_zeroed(&memory, LENGTH_BYTES + padded, 1, "a header", error);
  if (status) return status;
  unsigned char *bytes = memory;
  for (int i = 0; i < LENGTH_BYTES; i++) bytes[i] = (unsigned char)(padded >> (8 * i));
  memcpy(bytes + LENGTH_BYTES, header, length);
  memset(bytes + LENGTH_BYTES + length, ' ', padded - length);
  writer->data_start = LENGTH_BYTES + padded;
  writer->total += writer->data_start;
  status = file_write_all_at(writer->file.fd, bytes, LENGTH_BYTES + padded, 0, writer->file.path, error);
  free(memory);
  return status;
}

static enum status reserve(struct tensorfile_writer *writer, struct error *error)
{
  do errno = posix_fallocate(writer->file.fd, 0, (off_t)writer->total);
  while (errno == EINTR);
  if (errno == 0) return OK;
  return fail_errno(error, "cannot reserve %llu bytes for %s", (unsigned long long)writer->total, writer->file.path);
}

static enum status start(struct tensorfile_writer *writer, const char *path, const struct tensor_info *tensors,
                         const struct metadata_pair *metadata, size_t pairs, struct error *error)
{
  char *header = NULL;
  void *places = NULL;
  enum status status = mem_zeroed(&places, writer->count, sizeof *writer->places, path, error);
  writer->places = places;
  if (!status) status = place_tensors(writer, tensors, path, error);
  if (!status) status = describe_file(&header, writer, tensors, metadata, pairs, path, error);
  if (!status) status = publication_open(&writer->file, path, error);
  if (!status) status = write_header(writer, header, error);
  if (!status) status = reserve(writer, error);
  free(header);
  return status;
}

enum status tensorfile_create(struct tensorfile_writer **out, const char *path, const struct tensor_info *tensors,
                              size_t count, const struct metadata_pair *metadata, size_t pairs, struct error *error)
{
  struct tensorfile_writer *writer = NULL;
  *out = NULL;
  enum status status = mem_zeroed((void **)&writer, 1, sizeof *writer, path, error);
  if (status) return status;
  writer->count = count;
  status = start(writer, path, tensors, metadata, pairs, error);
  if (status)
    tensorfile_discard(writer);
  else
    *out = writer;
  return status;
}

enum status tensorfile_write(struct tensorfile_writer *writer, size_t index, uint64_t offset, const void *bytes,
                             size_t size, struct error *error)
{
  const char *path = writer->file.path;
  if (index >= writer->count)
    return fail(error, BAD_USAGE, "%s: tensor %zu of %zu does not exist", path, index, writer->count);
  const struct place *place = &writer->places[index];
  if (size > place->size || offset > place->size - size)
    return fail(error, BAD_USAGE, "%s: %zu bytes at %llu do not fit into tensor %zu of %llu bytes", path, size,
                (unsigned long long)offset, index, (unsigned long long)place->size);
  return file_write_all_at(writer->file.fd, bytes, size, writer->data_start + place->offset + offset, path, error);
}

enum status tensorfile_publish(struct tensorfile_writer *writer, uint64_t *bytes, char sha256[DIGEST_TEXT],
                               struct error *error)
{
  struct stat info;
  // Rows come in any order, so the hash cannot be taken on the way; the file is still in the page cache.
  enum status status = digest_of_opened(sha256, bytes, writer->file.fd, writer->file.path, error);
  if (status) return status;
  if (fstat(writer->file.fd, &info) < 0 || fchmod(writer->file.fd, info.st_mode & 0444) < 0)
    return fail_errno(error, "cannot make %s read-only", writer->file.path);
  return publication_commit(&writer->file, error);
}

void tensorfile_discard(struct tensorfile_writer *writer)
{
  if (!writer) return;
  publication_discard(&writer->file);
  free(writer->places);
  free(writer);
}
