// Importing in a process of its own, and looking at what came of it: see weights/import.h. Knows nothing of libhdf5.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/child.h"
#include "store/tensorfile.h"
#include "weights/import.h"
#include "weights/layout.h"

enum status import_apart(const struct import_options *options, const char *program, bool (*stop)(void *), void *self,
                         struct error *error)
{
  char width[16];
  snprintf(width, sizeof width, "%d", options->width);
  const char *const arguments[] = {program,   options->source, options->target,
                                   "--width", width,           options->stride_on_3x3 ? "--stride-on-3x3" : NULL,
                                   NULL};
  struct child_result result;
  enum status status = child_run(arguments, stop, self, &result, error);
  if (status) return status;
  if (result.signal)
    return fail(error, BAD_DATA, "%s: the process that read it was ended by signal %d: the file is damaged or hostile",
                options->source, result.signal);
  if (result.code == 0) return import_check(options->target, options->width, error);
  // A code is a status without its sign.
  bool known = result.code <= -INTERRUPTED;
  return fail(error, known ? (enum status) - result.code : FAILED, "%s",
              result.messages[0] ? result.messages : "the importer failed without a word");
}

enum status import_check(const char *path, int width, struct error *error)
{
  struct layout_tensor *layout = NULL;
  struct tensorfile *file = NULL;
  enum status status = layout_new(&layout, width, error);
  if (!status) status = tensorfile_open(&file, path, error);
  for (size_t i = 0; !status && i < LAYOUT_TENSORS; i++) {
    const void *data = NULL;
    status = tensorfile_find(file, layout[i].name, TENSOR_F32, layout[i].rank, layout[i].shape, &data, error);
    if (status)
      fail_within(error, "%s", path);
    else
      status = layout_check_values(&layout[i], data, path, error);
  }
  if (!status && tensorfile_count(file) != LAYOUT_TENSORS)
    status = fail(error, BAD_DATA, "%s: has %zu tensors, an import of ResNet50 has %d", path, tensorfile_count(file),
                  LAYOUT_TENSORS);
  tensorfile_close(file);
  free(layout);
  return status;
}
