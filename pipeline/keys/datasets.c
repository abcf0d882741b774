// The datasets that the configuration names: their folders, and their rows.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "keys/keys.h"

// --- folders ---------------------------------------------------------------------------------------------------------

enum status dataset_root(const struct config *config, const char *key, size_t index, char out[PATH_LIMIT],
                         struct error *error)
{
  struct stat info;
  const char *path = config_list_item(config, key, index);
  if (!realpath(path, out)) {
    if (errno == ENOENT || errno == ENOTDIR) return fail(error, BAD_USAGE, "%s: no folder at %s", key, path);
    return fail_errno(error, "%s: cannot open %s", key, path);
  }
  if (stat(out, &info) == 0 && !S_ISDIR(info.st_mode))
    return fail(error, BAD_USAGE, "%s: %s is not a folder", key, path);
  return OK;
}

// A folder that the configuration names, and where.
struct named {
  const char *key;
  char root[PATH_LIMIT];
};

// Whether `inner` is below `outer`; both are absolute and without links.
static bool lies_within(const char *inner, const char *outer)
{
  size_t length = strlen(outer);
  if (length == 1) return true; // "/"
  return strncmp(inner, outer, length) == 0 && inner[length] == '/';
}

static enum status check_pair(const struct named *one, const struct named *other, struct error *error)
{
  bool apart = strcmp(one->key, other->key) != 0;
  if (!strcmp(one->root, other->root)) {
    if (apart)
      return fail(error, BAD_USAGE, "%s is in both %s and %s: what is trained on says nothing as a test", one->root,
                  one->key, other->key);
    return fail(error, BAD_USAGE, "%s names %s twice", one->key, one->root);
  }
  const struct named *inner = lies_within(one->root, other->root)   ? one
                              : lies_within(other->root, one->root) ? other
                                                                    : NULL;
  if (!inner) return OK;
  return fail(error, BAD_USAGE, "%s: %s lies within %s%s%s: its images would be %s", inner->key, inner->root,
              inner == one ? other->root : one->root, apart ? " of " : "",
              !apart         ? ""
              : inner == one ? other->key
                             : one->key,
              apart ? "trained on and tested on" : "counted twice");
}

static const char *const keys[] = {"dataset.train"};
enum { KEYS = sizeof keys / sizeof *keys };

static enum status list_folders(struct named **out, size_t *count, const struct config *config, struct error *error)
{
  size_t total = 0;
  for (size_t k = 0; k < KEYS; k++) total += config_list_length(config, keys[k]);
  *count = 0;
  enum status status = mem_zeroed((void **)out, total, sizeof **out, "the datasets' folders", error);
  for (size_t k = 0; k < KEYS; k++)
    for (size_t i = 0; !status && i < config_list_length(config, keys[k]); i++) {
      struct named *named = &(*out)[(*count)++];
      named->key = keys[k];
      status = dataset_root(config, keys[k], i, named->root, error);
    }
  return status;
}

enum status datasets_check(const struct config *config, struct error *error)
{
  struct named *folders = NULL;
  size_t count = 0;
  if (!config_list_length(config, "dataset.train"))
    return fail(error, BAD_USAGE,
                "dataset.train is not set: name the folder with a folder of images per class, as in --set "
                "dataset.train=DIR (make pipeline DATA=DIR)");
  for (size_t k = 0; k < KEYS; k++)
    if (config_list_length(config, keys[k]) > DATASETS_LIMIT)
      return fail(error, BAD_USAGE, "%s names %zu folders, at most %d are allowed", keys[k],
                  config_list_length(config, keys[k]), DATASETS_LIMIT);
  enum status status = list_folders(&folders, &count, config, error);
  for (size_t i = 0; i < count && !status; i++)
    for (size_t k = 0; k < i && !status; k++) status = check_pair(&folders[i], &folders[k], error);
  free(folders);
  return status;
}

// --- rows ------------------------------------------------------------------------------------------------------------

// The root as the manifest holds it. Only ingest needs the folder itself: without it, an absolute path still tells the
// dataset.
static enum status known_root(const struct config *config, const char *key, size_t index, char out[PATH_LIMIT],
                              struct error *error)
{
  struct error hidden = {0};
  enum status status = dataset_root(config, key, index, out, &hidden);
  const char *path = config_list_item(config, key, index);
  if (status && path[0] == '/' && strlen(path) < PATH_LIMIT) {
    snprintf(out, PATH_LIMIT, "%s", path);
    return OK;
  }
  return status ? fail(error, status, "%s", hidden.text) : OK;
}

// The dataset of a root, or the manifest's only one where `root` is NULL.
static enum status read_dataset(struct dataset_found *out, struct db *db, const char *root, struct error *error)
{
  struct query *query = NULL;
  enum status status =
      query_open(&query, db, "SELECT id, fingerprint, name, images FROM dataset WHERE ?1 IS NULL OR root = ?1", error);
  if (!status) status = root ? query_bind(query, error, "b", root, strlen(root)) : query_bind(query, error, "n");
  bool found = !status && query_next(query, &status, error);
  if (found) {
    out->id = query_integer(query, 0);
    snprintf(out->fingerprint, sizeof out->fingerprint, "%s", query_text(query, 1));
    snprintf(out->name, sizeof out->name, "%s", query_text(query, 2));
    out->images = (uint64_t)query_integer(query, 3);
  }
  query_close(query);
  if (status) return status;
  if (!found)
    return fail(error, BAD_DATA, "%s does not know the dataset %s yet: run build/stages/ingest first", db_path(db),
                root ? root : "");
  if (!out->fingerprint[0])
    return fail(error, BAD_DATA, "the scan of dataset %s did not finish: run build/stages/ingest again", out->name);
  return OK;
}

static enum status find_only(struct datasets *out, struct db *db, struct error *error)
{
  int64_t count = 0;
  enum status status = db_integer(db, &count, NULL, error, "SELECT count(*) FROM dataset", "");
  if (status) return status;
  if (!count) return fail(error, BAD_DATA, "%s holds no dataset yet: run build/stages/ingest first", db_path(db));
  if (count > 1)
    return fail(error, BAD_USAGE, "%s holds %lld datasets: say which by --set dataset.train=DIR", db_path(db),
                (long long)count);
  out->count = 1;
  return read_dataset(&out->list[0], db, NULL, error);
}

// Two folders with the same bytes under the same names would share their keys, and an image would count twice.
static enum status check_contents(const struct datasets *datasets, struct error *error)
{
  for (size_t i = 0; i < datasets->count; i++)
    for (size_t k = 0; k < i; k++) {
      const struct dataset_found *one = &datasets->list[k], *other = &datasets->list[i];
      if (one->id == other->id) return fail(error, BAD_USAGE, "dataset.train names the folder of %s twice", one->name);
      if (!strcmp(one->fingerprint, other->fingerprint))
        return fail(error, BAD_DATA, "the datasets %s and %s hold the same images: name one of them", one->name,
                    other->name);
    }
  return OK;
}

enum status datasets_find(struct datasets *out, struct db *db, const struct config *config, struct error *error)
{
  size_t count = config_list_length(config, "dataset.train");
  *out = (struct datasets){.count = 0};
  if (count > DATASETS_LIMIT)
    return fail(error, BAD_USAGE, "dataset.train names %zu folders, at most %d are allowed", count, DATASETS_LIMIT);
  enum status status = count ? OK : find_only(out, db, error);
  for (; !status && out->count < count; out->count++) {
    char root[PATH_LIMIT];
    status = known_root(config, "dataset.train", out->count, root, error);
    if (!status) status = read_dataset(&out->list[out->count], db, root, error);
  }
  for (size_t i = 0; i < out->count; i++) out->ids[i] = out->list[i].id;
  return status ? status : check_contents(out, error);
}

void datasets_name(const struct datasets *datasets, char *out, size_t size)
{
  size_t used = 0;
  out[0] = '\0';
  for (size_t i = 0; i < datasets->count && used < size; i++)
    used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " + " : "", datasets->list[i].name);
}
