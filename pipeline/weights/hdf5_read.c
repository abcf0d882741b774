// Reading Keras' HDF5 layout: see weights/source.h. A file is not trusted:
// 1. Only hard links are followed, one component at a time; no external file, external storage or virtual data set is
// opened; no
//    filter runs, and no plugin can be loaded.
// 2. A data set's declared bytes must lie inside the file, contiguous, before its values are read.
// 3. Counts, lengths and ranks have limits.
// What the library itself gets wrong is the affair of the process that it runs in (weights/import.h).
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "weights/source.h"

enum { NAME_LIMIT = 255, NAMES_LIMIT = 4096, NAME_BYTES_LIMIT = 1 << 20 };

struct hdf5_source {
  struct source base;
  const char *path; // the caller's, while it opens; then a copy
  char *path_copy;
  uint64_t file_size;
  hid_t file;
  struct source_tensor *tensors;
  hid_t *sets; // [count] open data sets
  size_t tensors_capacity, sets_capacity;
};

// --- messages --------------------------------------------------------------------------------------------------------

static herr_t first_reason(unsigned depth, const H5E_error2_t *entry, void *out)
{
  if (depth == 0) snprintf(out, 160, "%s", entry->desc ? entry->desc : "");
  return 0;
}

// BAD_DATA with the innermost reason that the library gives.
static enum status fail_hdf5(struct error *error, const char *path, const char *what)
{
  char reason[160] = "";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_reason, reason);
  for (char *c = reason; *c; c++)
    if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) *c = '?';
  return fail(error, BAD_DATA, "%s: %s: %s", path, what, reason[0] ? reason : "no reason given");
}

// --- lists of names --------------------------------------------------------------------------------------------------

struct names {
  char **list;
  size_t count, capacity;
};

static void names_release(struct names *names)
{
  for (size_t i = 0; i < names->count; i++) free(names->list[i]);
  free(names->list);
}

static enum status add_name(struct names *names, const char *name, const char *attribute, const char *path,
                            struct error *error)
{
  size_t length = strnlen(name, NAME_LIMIT + 1);
  bool plain = length > 0 && length <= NAME_LIMIT && utf8_is_valid(name, length);
  for (size_t i = 0; plain && i < length; i++) plain = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
  if (!plain)
    return fail(error, BAD_DATA, "%s: attribute %s holds a name that is no text of 1 to %d bytes", path, attribute,
                NAME_LIMIT);
  enum status status = mem_grow((void **)&names->list, &names->capacity, names->count + 1, sizeof *names->list,
                                "a list of names", error);
  if (!status) status = mem_text(&names->list[names->count], name, error);
  if (!status) names->count++;
  return status;
}

// Texts of one length each, as numpy's type 'S' stores them.
static enum status read_fixed(struct names *names, hid_t attribute, hid_t type, size_t count, const char *name,
                              const char *path, struct error *error)
{
  size_t size = H5Tget_size(type), bytes = 0;
  if (!mem_multiply(size + 1, count, &bytes) || bytes > NAME_BYTES_LIMIT)
    return fail(error, BAD_DATA, "%s: attribute %s has %zu names of %zu bytes, at most %d in all are allowed", path,
                name, count, size, NAME_BYTES_LIMIT);
  char *texts = NULL;
  enum status status = mem_zeroed((void **)&texts, bytes, 1, "names", error);
  hid_t memory = H5Tcopy(type); // with a zero after each
  if (!status && (memory < 0 || H5Tset_size(memory, size + 1) < 0 || H5Tset_strpad(memory, H5T_STR_NULLTERM) < 0 ||
                  H5Aread(attribute, memory, texts) < 0))
    status = fail_hdf5(error, path, name);
  for (size_t i = 0; !status && i < count; i++) {
    texts[i * (size + 1) + size] = '\0';
    status = add_name(names, texts + i * (size + 1), name, path, error);
  }
  if (memory >= 0) H5Tclose(memory);
  free(texts);
  return status;
}

// Texts of any length, as newer h5py stores Python's.
static enum status read_variable(struct names *names, hid_t attribute, hid_t type, hid_t space, size_t count,
                                 const char *name, const char *path, struct error *error)
{
  char **texts = NULL;
  enum status status = mem_zeroed((void **)&texts, count, sizeof *texts, "names", error);
  if (status) return status;
  hid_t memory = H5Tcopy(type); // native already: pointers
  if (memory < 0 || H5Aread(attribute, memory, texts) < 0)
    status = fail_hdf5(error, path, name);
  else {
    for (size_t i = 0; !status && i < count; i++) status = add_name(names, texts[i] ? texts[i] : "", name, path, error);
    H5Dvlen_reclaim(memory, space, H5P_DEFAULT, texts);
  }
  if (memory >= 0) H5Tclose(memory);
  free(texts);
  return status;
}

static enum status read_attribute(struct names *names, hid_t object, const char *name, const char *path,
                                  struct error *error)
{
  hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (attribute < 0) return fail_hdf5(error, path, name);
  hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
  enum status status = OK;
  if (type < 0 || count < 0)
    status = fail_hdf5(error, path, name);
  else if (count > NAMES_LIMIT)
    status = fail(error, BAD_DATA, "%s: attribute %s has %lld names, at most %d are allowed", path, name,
                  (long long)count, NAMES_LIMIT);
  else if (count > 0 && H5Tget_class(type) != H5T_STRING) // numpy stores an empty list as numbers
    status = fail(error, BAD_DATA, "%s: attribute %s does not hold texts", path, name);
  else if (count > 0 && H5Tis_variable_str(type) > 0)
    status = read_variable(names, attribute, type, space, (size_t)count, name, path, error);
  else if (count > 0)
    status = read_fixed(names, attribute, type, (size_t)count, name, path, error);
  if (type >= 0) H5Tclose(type);
  if (space >= 0) H5Sclose(space);
  H5Aclose(attribute);
  return status;
}

// An attribute, or its parts NAME0, NAME1, ...: Keras cuts what is longer than 64,512 bytes. *found: there is one.
static enum status read_names(struct names *names, hid_t object, const char *name, bool *found, const char *path,
                              struct error *error)
{
  *found = H5Aexists(object, name) > 0;
  if (*found) return read_attribute(names, object, name, path, error);
  enum status status = OK;
  for (int part = 0; !status && part < NAMES_LIMIT; part++) {
    char text[64];
    snprintf(text, sizeof text, "%s%d", name, part);
    if (H5Aexists(object, text) <= 0) break;
    *found = true;
    status = read_attribute(names, object, text, path, error);
    if (!status && names->count > NAMES_LIMIT)
      status = fail(error, BAD_DATA, "%s: attribute %s has over %d names in its parts", path, name, NAMES_LIMIT);
  }
  return status;
}

// --- groups and data sets --------------------------------------------------------------------------------------------

// Opens what `component` of `parent` is linked to, if the link is a hard one. `what` is the whole name, for messages.
static enum status open_hard(hid_t *out, hid_t parent, const char *component, const char *what, const char *path,
                             struct error *error)
{
  H5L_info_t info;
  *out = -1;
  if (!*component || !strcmp(component, ".") || !strcmp(component, ".."))
    return fail(error, BAD_DATA, "%s: %s: \"%s\" is not a name", path, what, component);
  if (H5Lexists(parent, component, H5P_DEFAULT) <= 0)
    return fail(error, BAD_DATA, "%s: %s is listed but missing: there is no \"%s\"", path, what, component);
  if (H5Lget_info(parent, component, &info, H5P_DEFAULT) < 0) return fail_hdf5(error, path, what);
  if (info.type != H5L_TYPE_HARD)
    return fail(error, BAD_DATA, "%s: %s: \"%s\" is %s link; allowed: hard links", path, what, component,
                info.type == H5L_TYPE_EXTERNAL ? "an external"
                : info.type == H5L_TYPE_SOFT   ? "a soft"
                                               : "a user's");
  *out = H5Oopen(parent, component, H5P_DEFAULT);
  return *out < 0 ? fail_hdf5(error, path, what) : OK;
}

// Opens "a/b/c" below `group`, every step a hard link; the last is to be a data set or, if `folder`, a group.
static enum status open_below(hid_t *out, hid_t group, const char *name, bool folder, const char *path,
                              struct error *error)
{
  char rest[NAME_LIMIT + 1], *next = rest;
  snprintf(rest, sizeof rest, "%s", name);
  hid_t place = group;
  enum status status = OK;
  while (!status && next) {
    char *component = strsep(&next, "/");
    hid_t opened = -1;
    status = open_hard(&opened, place, component, name, path, error);
    if (place != group) H5Oclose(place);
    place = status ? group : opened;
    H5I_type_t wanted = next || folder ? H5I_GROUP : H5I_DATASET;
    if (!status && H5Iget_type(place) != wanted) {
      status = fail(error, BAD_DATA, "%s: %s: \"%s\" is not a %s", path, name, component,
                    wanted == H5I_GROUP ? "group" : "data set");
      H5Oclose(place);
    }
  }
  *out = status ? -1 : place;
  return status;
}

// Where and how the values are stored.
static enum status check_storage(const struct hdf5_source *source, hid_t set, hid_t plist, uint64_t bytes,
                                 const char *name, struct error *error)
{
  const char *path = source->path;
  H5D_layout_t layout = H5Pget_layout(plist);
  if (H5Pget_external_count(plist) != 0)
    return fail(error, BAD_DATA, "%s: %s: its values are in another file; allowed: in this one", path, name);
  if (layout == H5D_VIRTUAL)
    return fail(error, BAD_DATA, "%s: %s is a virtual data set; allowed: contiguous ones", path, name);
  if (layout == H5D_CHUNKED || H5Pget_nfilters(plist) != 0)
    return fail(error, BAD_DATA, "%s: %s is stored in chunks or compressed; allowed: contiguous data sets", path, name);
  uint64_t stored = H5Dget_storage_size(set);
  if (stored != bytes)
    return fail(error, BAD_DATA, "%s: %s: its shape needs %llu bytes, the file stores %llu", path, name,
                (unsigned long long)bytes, (unsigned long long)stored);
  if (layout != H5D_CONTIGUOUS || bytes == 0) return OK;
  haddr_t offset = H5Dget_offset(set);
  if (offset == HADDR_UNDEF || bytes > source->file_size || offset > source->file_size - bytes)
    return fail(error, BAD_DATA, "%s: %s: its %llu bytes do not lie inside the file's %llu", path, name,
                (unsigned long long)bytes, (unsigned long long)source->file_size);
  return OK;
}

static enum status read_shape(struct source_tensor *tensor, hid_t space, const char *name, const char *path,
                              struct error *error)
{
  hsize_t shape[SOURCE_RANK_LIMIT] = {0};
  int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > SOURCE_RANK_LIMIT)
    return fail(error, BAD_DATA, "%s: %s has %d dimensions, at most %d are allowed", path, name, rank,
                SOURCE_RANK_LIMIT);
  if (H5Sget_simple_extent_dims(space, shape, NULL) < 0) return fail_hdf5(error, path, name);
  tensor->rank = rank;
  tensor->count = H5Sget_simple_extent_type(space) == H5S_NULL ? 0 : 1;
  for (int d = 0; d < rank; d++) {
    tensor->shape[d] = shape[d];
    if (__builtin_mul_overflow(tensor->count, shape[d], &tensor->count))
      return fail(error, BAD_DATA, "%s: %s: its shape overflows", path, name);
  }
  return OK;
}

static enum status describe_set(const struct hdf5_source *source, struct source_tensor *tensor, hid_t set,
                                struct error *error)
{
  const char *path = source->path, *name = tensor->name;
  hid_t type = H5Dget_type(set), space = H5Dget_space(set), plist = H5Dget_create_plist(set);
  enum status status = type < 0 || space < 0 || plist < 0 ? fail_hdf5(error, path, name) : OK;
  uint64_t bytes = 0;
  if (!status) {
    tensor->fp32 = H5Tequal(type, H5T_IEEE_F32LE) > 0 || H5Tequal(type, H5T_IEEE_F32BE) > 0;
    status = read_shape(tensor, space, name, path, error);
  }
  if (!status && __builtin_mul_overflow(tensor->count, H5Tget_size(type), &bytes))
    status = fail(error, BAD_DATA, "%s: %s: its shape overflows", path, name);
  if (!status && bytes > source->file_size)
    status = fail(error, BAD_DATA, "%s: %s declares %llu bytes, the whole file has %llu", path, name,
                  (unsigned long long)bytes, (unsigned long long)source->file_size);
  if (!status) status = check_storage(source, set, plist, bytes, name, error);
  if (type >= 0) H5Tclose(type);
  if (space >= 0) H5Sclose(space);
  if (plist >= 0) H5Pclose(plist);
  return status;
}

static enum status add_weight(struct hdf5_source *source, hid_t group, const char *layer, const char *name,
                              struct error *error)
{
  size_t count = source->base.count;
  if (count >= NAMES_LIMIT) return fail(error, BAD_DATA, "%s: more than %d weights", source->path, NAMES_LIMIT);
  enum status status = mem_grow((void **)&source->tensors, &source->tensors_capacity, count + 1,
                                sizeof *source->tensors, "weights", error);
  if (!status)
    status =
        mem_grow((void **)&source->sets, &source->sets_capacity, count + 1, sizeof *source->sets, "weights", error);
  if (status) return status;
  struct source_tensor *tensor = &source->tensors[count];
  *tensor = (struct source_tensor){0};
  source->sets[count] = -1;
  source->base.count++;
  source->base.tensors = source->tensors;
  char *copy = NULL;
  if ((status = mem_text(&copy, layer, error))) return status;
  tensor->layer = copy;
  if ((status = mem_text(&copy, name, error))) return status;
  tensor->name = copy;
  status = open_below(&source->sets[count], group, name, false, source->path, error);
  return status ? status : describe_set(source, tensor, source->sets[count], error);
}

static enum status add_layer(struct hdf5_source *source, hid_t root, const char *layer, struct error *error)
{
  struct names weights = {0};
  bool found = false;
  hid_t group = -1;
  enum status status = open_below(&group, root, layer, true, source->path, error);
  if (!status) status = read_names(&weights, group, "weight_names", &found, source->path, error);
  if (!status && !found)
    status = fail(error, BAD_DATA, "%s: layer %s has no attribute weight_names", source->path, layer);
  for (size_t i = 0; !status && i < weights.count; i++)
    if ((status = add_weight(source, group, layer, weights.list[i], error))) fail_within(error, "layer %s", layer);
  names_release(&weights);
  if (group >= 0) H5Oclose(group);
  return status;
}

static enum status add_layers(struct hdf5_source *source, hid_t root, bool *found, struct error *error)
{
  struct names layers = {0};
  enum status status = read_names(&layers, root, "layer_names", found, source->path, error);
  for (size_t i = 0; !status && i < layers.count; i++) status = add_layer(source, root, layers.list[i], error);
  names_release(&layers);
  return status;
}

static enum status add_all(struct hdf5_source *source, struct error *error)
{
  bool found = false;
  hid_t root = -1;
  enum status status = add_layers(source, source->file, &found, error);
  if (status || found) return status;
  if (H5Lexists(source->file, "model_weights", H5P_DEFAULT) > 0) { // a whole model: model.save
    status = open_below(&root, source->file, "model_weights", true, source->path, error);
    if (!status) status = add_layers(source, root, &found, error);
    if (root >= 0) H5Oclose(root);
  }
  if (status || found) return status;
  if (H5Lexists(source->file, "layers", H5P_DEFAULT) > 0)
    return fail(error, BAD_DATA,
                "%s: has no attribute layer_names, but a group layers as Keras 3's .weights.h5; allowed: the layout of "
                "Keras 2 (save_weights to a name that ends in .h5, not .weights.h5)",
                source->path);
  return fail(error, BAD_DATA, "%s: HDF5, but without the attribute layer_names of Keras' weights", source->path);
}

// --- the source ------------------------------------------------------------------------------------------------------

static enum status read_set(struct source *base, size_t index, float *values, struct error *error)
{
  const struct hdf5_source *source = (const struct hdf5_source *)base;
  if (H5Dread(source->sets[index], H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
    return fail_hdf5(error, source->path, base->tensors[index].name);
  return OK;
}

static const char *no_metadata(const struct source *base, const char *key)
{
  (void)base, (void)key;
  return NULL;
}

static void close_hdf5(struct source *base)
{
  struct hdf5_source *source = (struct hdf5_source *)base;
  for (size_t i = 0; i < base->count; i++) {
    if (source->sets[i] >= 0) H5Dclose(source->sets[i]);
    free((char *)source->tensors[i].layer);
    free((char *)source->tensors[i].name);
  }
  if (source->file >= 0) H5Fclose(source->file);
  free(source->tensors);
  free(source->sets);
  free(source->path_copy);
  free(source);
}

static enum status open_file(struct hdf5_source *source, struct error *error)
{
  struct stat info;
  if (stat(source->path, &info) < 0) return fail_errno(error, "cannot open %s", source->path);
  source->file_size = (uint64_t)info.st_size;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL); // the library prints nothing
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  // The plain driver, whatever the environment says, and no plugin for a filter.
  bool ready = access >= 0 && H5PLset_loading_state(0) >= 0 && H5Pset_fapl_sec2(access) >= 0 &&
               H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0;
  source->file = ready ? H5Fopen(source->path, H5F_ACC_RDONLY, access) : -1;
  enum status status = source->file < 0 ? fail_hdf5(error, source->path, "cannot be opened as HDF5") : OK;
  if (access >= 0) H5Pclose(access);
  return status;
}

enum status hdf5_source_open(struct source **out, const char *path, struct error *error)
{
  struct hdf5_source *source = NULL;
  *out = NULL;
  enum status status = mem_zeroed((void **)&source, 1, sizeof *source, path, error);
  if (status) return status;
  source->base =
      (struct source){.format = "Keras HDF5", .read = read_set, .metadata = no_metadata, .close = close_hdf5};
  source->file = -1;
  status = mem_text(&source->path_copy, path, error);
  source->path = status ? path : source->path_copy;
  if (!status) status = open_file(source, error);
  if (!status) status = add_all(source, error);
  if (status)
    close_hdf5(&source->base);
  else
    *out = &source->base;
  return status;
}
