#include "weights/source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "store/tensorfile.h"

// --- safetensors -----------------------------------------------------------------------------------------------------

struct safetensors_source {
  struct source base;
  struct tensorfile *file;
  struct source_tensor *tensors;
};

static enum status read_tensor(struct source *base, size_t index, float *values, struct error *error)
{
  const struct safetensors_source *source = (const struct safetensors_source *)base;
  (void)error;
  memcpy(values, tensorfile_data(source->file, index), base->tensors[index].count * sizeof(float));
  return OK;
}

static const char *metadata(const struct source *base, const char *key)
{
  return tensorfile_metadata(((const struct safetensors_source *)base)->file, key);
}

static void close_safetensors(struct source *base)
{
  struct safetensors_source *source = (struct safetensors_source *)base;
  tensorfile_close(source->file);
  free(source->tensors);
  free(source);
}

static struct source_tensor tensor_of(const struct tensor_info *info)
{
  struct source_tensor tensor = {
      .layer = "", .name = info->name, .rank = info->rank, .count = 1, .fp32 = info->dtype == TENSOR_F32};
  for (int d = 0; d < info->rank; d++) {
    tensor.shape[d] = info->shape[d];
    tensor.count *= info->shape[d]; // tensorfile_open has checked it against the file's size
  }
  return tensor;
}

enum status safetensors_source_open(struct source **out, const char *path, struct error *error)
{
  struct safetensors_source *source = NULL;
  *out = NULL;
  enum status status = mem_zeroed((void **)&source, 1, sizeof *source, path, error);
  if (status) return status;
  source->base =
      (struct source){.format = "safetensors", .read = read_tensor, .metadata = metadata, .close = close_safetensors};
  status = tensorfile_open(&source->file, path, error);
  size_t count = status ? 0 : tensorfile_count(source->file);
  if (!status) status = mem_zeroed((void **)&source->tensors, count, sizeof *source->tensors, path, error);
  if (status) {
    close_safetensors(&source->base);
    return status;
  }
  for (size_t i = 0; i < count; i++) source->tensors[i] = tensor_of(tensorfile_info(source->file, i));
  source->base.tensors = source->tensors;
  source->base.count = count;
  *out = &source->base;
  return OK;
}

// --- either ----------------------------------------------------------------------------------------------------------

enum status source_open(struct source **out, const char *path, struct error *error)
{
  static const unsigned char hdf5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  unsigned char start[sizeof hdf5 + 1] = {0};
  struct stat info;
  *out = NULL;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return fail_errno(error, "cannot open %s", path);
  bool plain = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  ssize_t got = plain ? pread(fd, start, sizeof start, 0) : 0;
  close(fd);
  if (!plain) return fail(error, BAD_DATA, "%s: not a plain file", path);
  if (got >= (ssize_t)sizeof hdf5 && !memcmp(start, hdf5, sizeof hdf5)) return hdf5_source_open(out, path, error);
  if (got == (ssize_t)sizeof start && start[8] == '{') return safetensors_source_open(out, path, error);
  return fail(error, BAD_DATA, "%s: %lld bytes that begin neither as HDF5 nor as safetensors; allowed: those two", path,
              (long long)info.st_size);
}

void source_close(struct source *source)
{
  if (source) source->close(source);
}
