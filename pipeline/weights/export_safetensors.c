#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "store/tensorfile.h"
#include "weights/export.h"
#include "weights/import.h"

static uint64_t bytes_of(const struct export_tensor *tensor)
{
  uint64_t bytes = sizeof(float);
  for (int d = 0; d < tensor->rank; d++) bytes *= tensor->shape[d];
  return bytes;
}

enum status export_safetensors(const char *path, const struct export_tensor *tensors, size_t count,
                               const char *preprocessing, struct error *error)
{
  const struct metadata_pair metadata[] = {{"naming", "Keras"}, {"preprocessing", preprocessing}};
  struct tensor_info *infos = NULL;
  struct tensorfile_writer *writer = NULL;
  uint64_t bytes;
  char sha256[DIGEST_TEXT];
  enum status status = mem_zeroed((void **)&infos, count, sizeof *infos, "tensor descriptions", error);
  for (size_t i = 0; !status && i < count; i++) {
    infos[i] = (struct tensor_info){.name = tensors[i].name, .dtype = TENSOR_F32, .rank = tensors[i].rank};
    memcpy(infos[i].shape, tensors[i].shape, sizeof infos[i].shape);
  }
  bool trunk = count > 0 && !strncmp(tensors[0].name, "conv1_conv/", 11);
  if (!status) status = tensorfile_create(&writer, path, infos, count, metadata, trunk ? 2 : 1, error);
  for (size_t i = 0; !status && i < count; i++)
    status = tensorfile_write(writer, i, 0, tensors[i].values, bytes_of(&tensors[i]), error);
  if (!status) status = tensorfile_publish(writer, &bytes, sha256, error);
  tensorfile_discard(writer);
  free(infos);
  return status;
}
