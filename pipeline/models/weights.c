#include "models/weights.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "store/tensorfile.h"

static bool has_tensor(const struct tensorfile *file, const char *name)
{
  for (size_t t = 0; t < tensorfile_count(file); t++)
    if (!strcmp(tensorfile_info(file, t)->name, name)) return true;
  return false;
}

// A parameter's values in the file; NULL if it has none.
static enum status find_values(const struct tensorfile *file, const struct parameter *parameter, const void **values,
                               struct error *error)
{
  uint64_t shape[4];
  *values = NULL;
  if (!has_tensor(file, parameter->name)) return OK;
  for (int d = 0; d < parameter->rank; d++) shape[d] = (uint64_t)parameter->shape[d];
  enum status status = tensorfile_find(file, parameter->name, TENSOR_F32, parameter->rank, shape, values, error);
  if (!status && !all_finite(*values, parameter->count))
    status = fail(error, BAD_DATA, "%s has values that are not finite", parameter->name);
  return status;
}

static enum status load(const struct tensorfile *file, struct net *net, const void **values, size_t *loaded,
                        struct error *error)
{
  size_t count = net_parameter_count(net);
  enum status status = OK;
  *loaded = 0;
  for (size_t p = 0; !status && p < count; p++) {
    status = find_values(file, net_parameter(net, p), &values[p], error);
    if (!status && values[p]) ++*loaded;
  }
  if (status) return status;
  for (size_t p = 0; p < count; p++) { // nothing can fail from here on
    const struct parameter *parameter = net_parameter(net, p);
    if (values[p]) memcpy(parameter->value, values[p], parameter->count * sizeof(float));
  }
  net_parameters_changed(net);
  return OK;
}

enum status weights_load(const char *path, struct net *net, size_t *loaded, struct error *error)
{
  struct tensorfile *file = NULL;
  const void **values = NULL;
  enum status status = tensorfile_open(&file, path, error);
  if (status) return status; // its message has the path
  status = mem_zeroed((void **)&values, net_parameter_count(net), sizeof *values, "tensor places", error);
  if (!status) status = load(file, net, values, loaded, error);
  if (status) fail_within(error, "%s", path);
  free(values);
  tensorfile_close(file);
  return status;
}
