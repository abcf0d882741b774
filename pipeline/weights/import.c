#include "weights/import.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "store/tensorfile.h"
#include "weights/layout.h"
#include "weights/match.h"
#include "weights/source.h"

struct import {
  const struct import_options *options;
  struct layout_tensor *layout;
  struct source *source;
  struct match match;
  struct tensorfile_writer *writer;
  float *values, *moved; // of the tensor at hand, and as Keras has it
};

// --- torchvision -----------------------------------------------------------------------------------------------------

// [out, in, height, width] -> [height, width, in, out]
static void transpose_kernel(float *to, const float *from, const uint64_t shape[4])
{
  uint64_t area = shape[0] * shape[1], ins = shape[2], outs = shape[3];
  for (uint64_t o = 0; o < outs; o++)
    for (uint64_t i = 0; i < ins; i++)
      for (uint64_t p = 0; p < area; p++) to[(p * ins + i) * outs + o] = from[(o * ins + i) * area + p];
}

static const float *as_keras(struct import *import, size_t index)
{
  const struct layout_tensor *tensor = &import->layout[index];
  if (import->match.naming != NAMING_TORCHVISION || tensor->weight != KERNEL) return import->values;
  transpose_kernel(import->moved, import->values, tensor->shape);
  return import->moved;
}

static const char *preprocessing_of(bool stride_on_3x3)
{
  return stride_on_3x3 ? IMPORT_TORCH : IMPORT_CAFFE;
}

// What a file was made for is told by its preprocessing, where one of ours says it, else by its naming.
static enum status check_variant(const struct import *import, struct error *error)
{
  bool wanted = import->options->stride_on_3x3, is = import->match.naming == NAMING_TORCHVISION;
  const char *said = import->source->metadata(import->source, "preprocessing");
  if (said && strcmp(said, IMPORT_CAFFE) != 0 && strcmp(said, IMPORT_TORCH) != 0)
    return fail(error, BAD_DATA, "%s: its weights are for the preprocessing \"%.60s\"; allowed: \"%s\", \"%s\"",
                import->options->source, said, IMPORT_CAFFE, IMPORT_TORCH);
  if (said) is = !strcmp(said, IMPORT_TORCH);
  if (is == wanted) return OK;
  const char *naming = said ? "preprocessing" : "naming";
  if (is)
    return fail(error, BAD_DATA,
                "%s: torchvision's %s: its ResNet50 has the stride on a block's 3x3 convolution, model.variant v1 on "
                "its first 1x1, where the same weights give other features: set model.variant v1.5",
                import->options->source, naming);
  return fail(error, BAD_DATA,
              "%s: Keras' %s: its ResNet50 has the stride on a block's first 1x1 convolution, model.variant v1.5 on "
              "the 3x3: set model.variant v1",
              import->options->source, naming);
}

// --- writing ---------------------------------------------------------------------------------------------------------

static enum status create(struct import *import, struct error *error)
{
  struct tensor_info *infos = NULL;
  enum status status = mem_zeroed((void **)&infos, LAYOUT_TENSORS, sizeof *infos, "tensor descriptions", error);
  for (size_t i = 0; !status && i < LAYOUT_TENSORS; i++) {
    const struct layout_tensor *tensor = &import->layout[i];
    infos[i] = (struct tensor_info){.name = tensor->name, .dtype = TENSOR_F32, .rank = tensor->rank};
    memcpy(infos[i].shape, tensor->shape, sizeof tensor->shape);
  }
  const struct metadata_pair metadata[] = {
      {"format", IMPORT_FORMAT},
      {"model", "resnet50"},
      {"source_format", import->source->format},
      {"naming", naming_text(import->match.naming)},
      {"preprocessing", preprocessing_of(import->options->stride_on_3x3)},
      {"ignored", import->match.extras},
  };
  if (!status)
    status = tensorfile_create(&import->writer, import->options->target, infos, LAYOUT_TENSORS, metadata,
                               sizeof metadata / sizeof *metadata, error);
  free(infos);
  return status;
}

static enum status write_tensor(struct import *import, size_t index, struct error *error)
{
  const struct layout_tensor *tensor = &import->layout[index];
  uint64_t count = layout_count(tensor);
  size_t from = import->match.from[index];
  const float *values = import->values;
  enum status status = OK;
  if (from != SIZE_MAX) {
    status = import->source->read(import->source, from, import->values, error);
    if (!status) status = layout_check_values(tensor, import->values, import->options->source, error);
    values = as_keras(import, index);
  } else // torchvision's convolutions have no bias
    memset(import->values, 0, count * sizeof(float));
  return status ? status : tensorfile_write(import->writer, index, 0, values, count * sizeof(float), error);
}

static enum status convert(struct import *import, struct error *error)
{
  uint64_t most = 0, bytes;
  char sha256[DIGEST_TEXT];
  for (size_t i = 0; i < LAYOUT_TENSORS; i++)
    if (layout_count(&import->layout[i]) > most) most = layout_count(&import->layout[i]);
  enum status status = mem_aligned((void **)&import->values, most, sizeof(float), "weights", error);
  if (!status) status = mem_aligned((void **)&import->moved, most, sizeof(float), "weights", error);
  if (!status) status = create(import, error);
  for (size_t i = 0; !status && i < LAYOUT_TENSORS; i++) status = write_tensor(import, i, error);
  return status ? status : tensorfile_publish(import->writer, &bytes, sha256, error);
}

enum status import_weights(const struct import_options *options, struct error *error)
{
  struct import import = {.options = options};
  enum status status = layout_new(&import.layout, options->width, error);
  if (!status) status = source_open(&import.source, options->source, error);
  if (!status) status = match_tensors(&import.match, import.source, import.layout, options->source, error);
  if (!status) status = check_variant(&import, error);
  if (!status) status = convert(&import, error);
  tensorfile_discard(import.writer);
  source_close(import.source);
  free(import.layout);
  free(import.values);
  free(import.moved);
  return status;
}
