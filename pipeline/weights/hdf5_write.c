// Writing Keras' HDF5 layout: see weights/export.h.
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/mem.h"
#include "weights/export.h"

enum { NAME_LIMIT = 256 };

struct writer {
  hid_t file, plain, made_by_path; // property lists: no time stamps; groups on the way are made
  const char *path;
};

static enum status fail_write(const struct writer *writer, const char *what, struct error *error)
{
  return fail(error, FAILED, "%s: libhdf5 cannot write %s", writer->path, what);
}

// An attribute of texts, all as long as the longest and padded with zeros, as numpy's type 'S' has them.
static enum status write_texts(const struct writer *writer, hid_t object, const char *name, const char *const *texts,
                               size_t count, bool scalar, struct error *error)
{
  size_t longest = 1;
  for (size_t i = 0; i < count; i++)
    if (strlen(texts[i]) > longest) longest = strlen(texts[i]);
  char *block = NULL;
  enum status status = mem_zeroed((void **)&block, count ? count : 1, longest, "an attribute", error);
  for (size_t i = 0; !status && i < count; i++) memcpy(block + i * longest, texts[i], strlen(texts[i]));
  hsize_t extent = count;
  hid_t type = H5Tcopy(H5T_C_S1);
  hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, NULL);
  bool ready = !status && type >= 0 && space >= 0 && H5Tset_size(type, longest) >= 0 &&
               H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0;
  hid_t attribute = ready ? H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : -1;
  if (!status && (attribute < 0 || H5Awrite(attribute, type, block) < 0)) status = fail_write(writer, name, error);
  if (attribute >= 0) H5Aclose(attribute);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  free(block);
  return status;
}

static enum status write_set(const struct writer *writer, hid_t group, const char *name,
                             const struct export_tensor *tensor, struct error *error)
{
  hsize_t shape[8];
  for (int d = 0; d < tensor->rank; d++) shape[d] = tensor->shape[d];
  hid_t space = H5Screate_simple(tensor->rank, shape, NULL);
  hid_t set =
      space < 0 ? -1 : H5Dcreate2(group, name, H5T_IEEE_F32LE, space, writer->made_by_path, writer->plain, H5P_DEFAULT);
  enum status status = OK;
  if (set < 0 || H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor->values) < 0)
    status = fail_write(writer, tensor->name, error);
  if (set >= 0) H5Dclose(set);
  if (space >= 0) H5Sclose(space);
  return status;
}

// The tensors of one layer, from `tensors` on.
static enum status write_layer(const struct writer *writer, const char *layer, const struct export_tensor *tensors,
                               size_t count, struct error *error)
{
  char *block = NULL;
  const char **names = NULL;
  enum status status = mem_zeroed((void **)&block, count, NAME_LIMIT, "names", error);
  if (!status) status = mem_zeroed((void **)&names, count, sizeof *names, "names", error);
  for (size_t i = 0; !status && i < count; i++) {
    names[i] = block + i * NAME_LIMIT;
    if (snprintf(block + i * NAME_LIMIT, NAME_LIMIT, "%s:0", tensors[i].name) >= NAME_LIMIT)
      status = fail(error, BAD_DATA, "%s: a name of %zu bytes, at most %d are allowed", writer->path,
                    strlen(tensors[i].name), NAME_LIMIT - 3);
  }
  hid_t properties = status ? -1 : H5Pcreate(H5P_GROUP_CREATE);
  hid_t group = -1;
  if (properties >= 0 && H5Pset_obj_track_times(properties, false) >= 0)
    group = H5Gcreate2(writer->file, layer, H5P_DEFAULT, properties, H5P_DEFAULT);
  if (!status && group < 0) status = fail_write(writer, layer, error);
  if (!status) status = write_texts(writer, group, "weight_names", names, count, false, error);
  for (size_t i = 0; !status && i < count; i++) status = write_set(writer, group, names[i], &tensors[i], error);
  if (group >= 0) H5Gclose(group);
  if (properties >= 0) H5Pclose(properties);
  free(names);
  free(block);
  return status;
}

static size_t layer_length(const char *name)
{
  const char *slash = strrchr(name, '/');
  return slash ? (size_t)(slash - name) : strlen(name);
}

static bool same_layer(const char *a, const char *b)
{
  return layer_length(a) == layer_length(b) && !strncmp(a, b, layer_length(a));
}

static enum status write_layers(const struct writer *writer, const struct export_tensor *tensors, size_t count,
                                struct error *error)
{
  char *block = NULL;
  const char **layers = NULL;
  size_t layer_count = 0;
  enum status status = mem_zeroed((void **)&block, count, NAME_LIMIT, "names", error);
  if (!status) status = mem_zeroed((void **)&layers, count, sizeof *layers, "names", error);
  for (size_t first = 0, end; !status && first < count; first = end) {
    for (end = first + 1; end < count && same_layer(tensors[first].name, tensors[end].name);) end++;
    char *layer = block + layer_count * NAME_LIMIT;
    snprintf(layer, NAME_LIMIT, "%.*s", (int)layer_length(tensors[first].name), tensors[first].name);
    layers[layer_count++] = layer;
    status = write_layer(writer, layer, &tensors[first], end - first, error);
  }
  if (!status) status = write_texts(writer, writer->file, "layer_names", layers, layer_count, false, error);
  free(layers);
  free(block);
  return status;
}

// keras_version 2: a reader takes a file without it for Keras 1's, whose kernels had other axes.
static enum status write_versions(const struct writer *writer, struct error *error)
{
  static const char *const backend[] = {"tensorflow"}, *const version[] = {"2.0.0"};
  enum status status = write_texts(writer, writer->file, "backend", backend, 1, true, error);
  return status ? status : write_texts(writer, writer->file, "keras_version", version, 1, true, error);
}

enum status export_keras(const char *path, const struct export_tensor *tensors, size_t count, struct error *error)
{
  struct publication file = {0};
  struct writer writer = {.file = -1, .path = path};
  enum status status = publication_open(&file, path, error);
  if (status) return status;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL); // the library prints nothing
  hid_t root = H5Pcreate(H5P_FILE_CREATE);
  writer.plain = H5Pcreate(H5P_DATASET_CREATE);
  writer.made_by_path = H5Pcreate(H5P_LINK_CREATE);
  bool ready = root >= 0 && writer.plain >= 0 && writer.made_by_path >= 0 && H5Pset_obj_track_times(root, false) >= 0 &&
               H5Pset_obj_track_times(writer.plain, false) >= 0 &&
               H5Pset_create_intermediate_group(writer.made_by_path, 1) >= 0;
  // Over the publication's own file, which its descriptor then syncs.
  if (ready) writer.file = H5Fcreate(file.temporary, H5F_ACC_TRUNC, root, H5P_DEFAULT);
  if (writer.file < 0) status = fail_write(&writer, "the file", error);
  if (!status) status = write_versions(&writer, error);
  if (!status) status = write_layers(&writer, tensors, count, error);
  // What the library held back is written now: a full disk may show only here.
  if (writer.file >= 0 && H5Fclose(writer.file) < 0 && !status) status = fail_write(&writer, "the file's end", error);
  if (root >= 0) H5Pclose(root);
  if (writer.plain >= 0) H5Pclose(writer.plain);
  if (writer.made_by_path >= 0) H5Pclose(writer.made_by_path);
  if (!status) status = publication_commit(&file, error);
  publication_discard(&file);
  return status;
}
