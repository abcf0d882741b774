// Weights in safetensors as the import reads them: names, shapes and values of all that it lists. (Keras' HDF5 is read
// by libhdf5, in a process apart: test_hdf5 changes bytes there.)
#include "fuzz.h"
#include "weights/source.h"

enum { VALUES_LIMIT = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  struct source *source = NULL;
  struct error error = {0};
  if (safetensors_source_open(&source, fuzz_file(bytes, size, ".safetensors"), &error)) return 0;
  for (size_t i = 0; i < source->count; i++) {
    const struct source_tensor *tensor = &source->tensors[i];
    if (!tensor->fp32 || tensor->count > VALUES_LIMIT) continue;
    float *values = malloc(tensor->count * sizeof *values + 1);
    if (!values) abort();
    (void)source->read(source, i, values, &error);
    free(values);
  }
  source_close(source);
  return 0;
}
