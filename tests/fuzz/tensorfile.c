// safetensors files: shards, weights, checkpoints. Every byte of every tensor of a file that opens can be read.
#include "store/tensorfile.h"
#include "fuzz.h"

static uint64_t tensor_bytes(const struct tensor_info *info)
{
  uint64_t bytes = tensor_dtype_size(info->dtype);
  for (int axis = 0; axis < info->rank; axis++) bytes *= info->shape[axis]; // the file that holds them is as large
  return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  struct tensorfile *file = NULL;
  struct error error = {0};
  if (tensorfile_open(&file, fuzz_file(bytes, size, ".safetensors"), &error)) return 0;
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < tensorfile_count(file); i++) {
    const struct tensor_info *info = tensorfile_info(file, i);
    const uint8_t *data = tensorfile_data(file, i);
    for (uint64_t b = 0; b < tensor_bytes(info); b++) sum = (uint8_t)(sum + data[b]);
  }
  (void)tensorfile_metadata(file, "format");
  tensorfile_close(file);
  return 0;
}
