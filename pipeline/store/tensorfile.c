// Reading safetensors. Order of the checks: the file's size, the header's length against it, the JSON, every tensor by
// itself (dtype, rank, shape, the checked product of its extents against its offsets), then all together: sorted by
// offset they must tile the data exactly. Only then is a pointer handed out.
#include "store/tensorfile.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

enum { HEADER_LIMIT = 100 * 1000 * 1000, LENGTH_BYTES = 8 }; // the limit of the reference implementation

struct tensor {
  struct tensor_info info; // its name is the JSON key's text
  uint64_t begin, end;     // in the data
};

struct tensorfile {
  uint8_t *bytes; // the mapping
  size_t size;
  const uint8_t *data;
  uint64_t data_size;
  json_t *root; // owns names and metadata
  struct tensor *tensors;
  size_t count;
};

static const struct {
  const char *name;
  size_t size;
} dtypes[] = {
    [TENSOR_U8] = {"U8", 1},
    [TENSOR_BF16] = {"BF16", 2},
    [TENSOR_F32] = {"F32", 4},
    [TENSOR_I64] = {"I64", 8},
};

const char *tensor_dtype_name(enum tensor_dtype dtype)
{
  return dtypes[dtype].name;
}

size_t tensor_dtype_size(enum tensor_dtype dtype)
{
  return dtypes[dtype].size;
}

// Text of a hostile file must not reach a terminal as it is.
enum { SHOWN = 64 };
static const char *shown(char out[SHOWN], const char *name)
{
  int put = 0;
  for (; *name && put < SHOWN - 1; name++)
    out[put++] = (unsigned char)*name < 0x20 || (unsigned char)*name > 0x7e ? '?' : *name;
  out[put] = '\0';
  return out;
}

static bool parse_dtype(enum tensor_dtype *out, const char *name)
{
  for (size_t i = 0; name && i < sizeof dtypes / sizeof *dtypes; i++) {
    if (strcmp(name, dtypes[i].name) != 0) continue;
    *out = (enum tensor_dtype)i;
    return true;
  }
  return false;
}

static bool parse_extent(uint64_t *out, const json_t *value)
{
  if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
  *out = (uint64_t)json_integer_value(value);
  return true;
}

static enum status parse_shape(struct tensor_info *info, const json_t *shape, const char *path, const char *name,
                               struct error *error)
{
  if (!json_is_array(shape)) return fail(error, BAD_DATA, "%s: tensor %s has no shape", path, name);
  if (json_array_size(shape) > TENSOR_RANK_LIMIT)
    return fail(error, BAD_DATA, "%s: tensor %s has %zu dimensions, at most %d are allowed", path, name,
                json_array_size(shape), TENSOR_RANK_LIMIT);
  info->rank = (int)json_array_size(shape);
  for (int i = 0; i < info->rank; i++)
    if (!parse_extent(&info->shape[i], json_array_get(shape, (size_t)i)))
      return fail(error, BAD_DATA, "%s: tensor %s: dimension %d of its shape is not a whole number", path, name, i);
  return OK;
}

// Bytes of a tensor; false if that does not fit into 64 bits.
static bool bytes_of(const struct tensor_info *info, uint64_t *bytes)
{
  bool fits = true, empty = false;
  *bytes = tensor_dtype_size(info->dtype);
  for (int i = 0; i < info->rank; i++) {
    if (info->shape[i] == 0)
      empty = true;
    else
      fits = fits && !__builtin_mul_overflow(*bytes, info->shape[i], bytes);
  }
  if (fits && empty) *bytes = 0;
  return fits;
}

static enum status parse_tensor(struct tensorfile *file, struct tensor *tensor, const char *key, const json_t *value,
                                const char *path, struct error *error)
{
  char name[SHOWN];
  shown(name, key);
  tensor->info.name = key;
  const char *dtype = json_string_value(json_object_get(value, "dtype"));
  if (!json_is_object(value) || json_object_size(value) != 3)
    return fail(error, BAD_DATA, "%s: tensor %s is not described by dtype, shape and data_offsets", path, name);
  if (!parse_dtype(&tensor->info.dtype, dtype)) {
    char given[SHOWN];
    return fail(error, BAD_DATA, "%s: tensor %s has the dtype %s; known are U8, BF16, F32, I64", path, name,
                dtype ? shown(given, dtype) : "(none)");
  }
  enum status status = parse_shape(&tensor->info, json_object_get(value, "shape"), path, name, error);
  if (status) return status;
  const json_t *offsets = json_object_get(value, "data_offsets");
  if (json_array_size(offsets) != 2 || !parse_extent(&tensor->begin, json_array_get(offsets, 0)) ||
      !parse_extent(&tensor->end, json_array_get(offsets, 1)))
    return fail(error, BAD_DATA, "%s: tensor %s: data_offsets are not two whole numbers", path, name);
  if (tensor->begin > tensor->end || tensor->end > file->data_size)
    return fail(error, BAD_DATA, "%s: tensor %s lies at %llu to %llu of %llu bytes of data", path, name,
                (unsigned long long)tensor->begin, (unsigned long long)tensor->end,
                (unsigned long long)file->data_size);
  uint64_t bytes = 0;
  if (!bytes_of(&tensor->info, &bytes)) return fail(error, BAD_DATA, "%s: tensor %s: its shape overflows", path, name);
  if (bytes != tensor->end - tensor->begin)
    return fail(error, BAD_DATA, "%s: tensor %s: its shape needs %llu bytes, its offsets hold %llu", path, name,
                (unsigned long long)bytes, (unsigned long long)(tensor->end - tensor->begin));
  if (tensor->begin % tensor_dtype_size(tensor->info.dtype) != 0)
    return fail(error, BAD_DATA, "%s: tensor %s: offset %llu is not a multiple of its element's %zu bytes", path, name,
                (unsigned long long)tensor->begin, tensor_dtype_size(tensor->info.dtype));
  return OK;
}

static int by_place(const void *left, const void *right)
{
  const struct tensor *a = left, *b = right;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return a->end < b->end ? -1 : a->end > b->end;
}

// The tensors tile the data: no hole, no overlap, nothing behind the last.
static enum status check_tiling(struct tensorfile *file, const char *path, struct error *error)
{
  char name[SHOWN];
  uint64_t place = 0;
  if (file->count > 1) qsort(file->tensors, file->count, sizeof *file->tensors, by_place);
  for (size_t i = 0; i < file->count; i++) {
    const struct tensor *tensor = &file->tensors[i];
    if (tensor->begin != place)
      return fail(error, BAD_DATA, "%s: tensor %s begins at byte %llu, the one before it ends at %llu", path,
                  shown(name, tensor->info.name), (unsigned long long)tensor->begin, (unsigned long long)place);
    place = tensor->end;
  }
  if (place == file->data_size) return OK;
  return fail(error, BAD_DATA, "%s: %llu bytes of data, its tensors hold %llu", path,
              (unsigned long long)file->data_size, (unsigned long long)place);
}

static enum status check_metadata(const json_t *metadata, const char *path, struct error *error)
{
  const char *key = NULL;
  json_t *value = NULL;
  if (!json_is_object(metadata)) return fail(error, BAD_DATA, "%s: __metadata__ is not an object", path);
  json_object_foreach((json_t *)metadata, key, value)
  {
    if (!json_is_string(value)) return fail(error, BAD_DATA, "%s: __metadata__ holds more than strings", path);
  }
  return OK;
}

static enum status parse_root(struct tensorfile *file, const char *path, struct error *error)
{
  const char *key = NULL;
  json_t *value = NULL;
  void *tensors = NULL;
  enum status status = mem_zeroed(&tensors, json_object_size(file->root), sizeof *file->tensors, path, error);
  file->tensors = tensors;
  json_object_foreach(file->root, key, value)
  {
    if (status) break;
    if (!strcmp(key, "__metadata__"))
      status = check_metadata(value, path, error);
    else
      status = parse_tensor(file, &file->tensors[file->count++], key, value, path, error);
  }
  return status ? status : check_tiling(file, path, error);
}

static enum status parse(struct tensorfile *file, const char *path, struct error *error)
{
  uint64_t length = 0;
  for (int i = LENGTH_BYTES - 1; i >= 0; i--) length = length << 8 | file->bytes[i];
  uint64_t room = file->size - LENGTH_BYTES;
  if (length > room || length > HEADER_LIMIT)
    return fail(error, BAD_DATA, "%s: says that its header has %llu bytes, at most %llu are possible", path,
                (unsigned long long)length, (unsigned long long)(room < HEADER_LIMIT ? room : HEADER_LIMIT));
  if (length % LENGTH_BYTES != 0)
    return fail(error, BAD_DATA, "%s: its header has %llu bytes, which leaves the data unaligned", path,
                (unsigned long long)length);
  file->data = file->bytes + LENGTH_BYTES + length;
  file->data_size = room - length;
  json_error_t problem;
  const char *header = (const char *)file->bytes + LENGTH_BYTES;
  file->root = length > 0 && header[0] == '{' ? json_loadb(header, length, JSON_REJECT_DUPLICATES, &problem) : NULL;
  if (!file->root && length > 0 && header[0] == '{') {
    char text[SHOWN];
    return fail(error, BAD_DATA, "%s: its header is not JSON: byte %d: %s", path, problem.position,
                shown(text, problem.text));
  }
  if (!file->root) return fail(error, BAD_DATA, "%s: its header does not begin with '{'", path);
  return parse_root(file, path, error);
}

static enum status map(struct tensorfile *file, int fd, const char *path, struct error *error)
{
  struct stat info;
  if (fstat(fd, &info) < 0) return fail_errno(error, "cannot read %s", path);
  if (!S_ISREG(info.st_mode)) return fail(error, BAD_DATA, "%s: not a plain file", path);
  if (info.st_size < LENGTH_BYTES)
    return fail(error, BAD_DATA, "%s: has %lld bytes, a safetensors file at least %d", path, (long long)info.st_size,
                LENGTH_BYTES);
  void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) return fail_errno(error, "cannot map %s", path);
  file->bytes = bytes;
  file->size = (size_t)info.st_size;
  return OK;
}

enum status tensorfile_open(struct tensorfile **out, const char *path, struct error *error)
{
  struct tensorfile *file = NULL;
  *out = NULL;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return fail_errno(error, "cannot open %s", path);
  enum status status = mem_zeroed((void **)&file, 1, sizeof *file, path, error);
  if (!status) status = map(file, fd, path, error);
  close(fd);
  if (!status) status = parse(file, path, error);
  if (status)
    tensorfile_close(file);
  else
    *out = file;
  return status;
}

void tensorfile_close(struct tensorfile *file)
{
  if (!file) return;
  if (file->bytes) munmap(file->bytes, file->size);
  json_decref(file->root);
  free(file->tensors);
  free(file);
}

size_t tensorfile_count(const struct tensorfile *file)
{
  return file->count;
}

const struct tensor_info *tensorfile_info(const struct tensorfile *file, size_t index)
{
  return &file->tensors[index].info;
}

const void *tensorfile_data(const struct tensorfile *file, size_t index)
{
  return file->data + file->tensors[index].begin;
}

const char *tensorfile_metadata(const struct tensorfile *file, const char *key)
{
  return json_string_value(json_object_get(json_object_get(file->root, "__metadata__"), key));
}

// "F32 [3, 3, 3, 64]"; "any" for a 0 where that means any extent.
static void describe(char out[256], enum tensor_dtype dtype, int rank, const uint64_t *shape, bool zero_is_any)
{
  int put = snprintf(out, 256, "%s [", tensor_dtype_name(dtype));
  for (int i = 0; i < rank && put < 220; i++) {
    const char *comma = i ? ", " : "";
    if (shape[i] == 0 && zero_is_any)
      put += snprintf(out + put, (size_t)(256 - put), "%sany", comma);
    else
      put += snprintf(out + put, (size_t)(256 - put), "%s%llu", comma, (unsigned long long)shape[i]);
  }
  snprintf(out + put, (size_t)(256 - put), "]");
}

static bool matches(const struct tensor_info *info, enum tensor_dtype dtype, int rank, const uint64_t *shape)
{
  bool same = info->dtype == dtype && info->rank == rank;
  for (int i = 0; same && i < rank; i++) same = shape[i] == 0 || shape[i] == info->shape[i];
  return same;
}

enum status tensorfile_find(const struct tensorfile *file, const char *name, enum tensor_dtype dtype, int rank,
                            const uint64_t *shape, const void **data, struct error *error)
{
  for (size_t i = 0; i < file->count; i++) {
    const struct tensor_info *info = &file->tensors[i].info;
    if (strcmp(info->name, name) != 0) continue;
    *data = tensorfile_data(file, i);
    if (matches(info, dtype, rank, shape)) return OK;
    char is[256], wanted[256];
    describe(is, info->dtype, info->rank, info->shape, false);
    describe(wanted, dtype, rank, shape, true);
    return fail(error, BAD_DATA, "tensor %s is %s, needed is %s", name, is, wanted);
  }
  return fail(error, BAD_DATA, "there is no tensor %s among its %zu", name, file->count);
}
