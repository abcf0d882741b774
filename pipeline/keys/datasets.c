// The datasets that the configuration names: their folders, and their rows.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "keys/keys.h"

// --- folders ---------------------------------------------------------------------------------------------------------

enum status dataset_root(const struct config *config, const char *key, size_t index, char out[PATH_LIMIT],
                         struct error *error)
{
  return folder_find(out, key, config_list_item(config, key, index), error);
}

// A folder that the configuration names, and where.
struct named {
  const char *key;
  char root[PATH_LIMIT];
};

static enum status check_pair(const struct named *one, const struct named *other, struct error *error)
{
  bool apart = strcmp(one->key, other->key) != 0;
  if (!strcmp(one->root, other->root)) {
    if (apart)
      return fail(error, BAD_USAGE, "%s is in both %s and %s: what is trained on says nothing as a test", one->root,
                  one->key, other->key);
    return fail(error, BAD_USAGE, "%s names %s twice", one->key, one->root);
  }
  const struct named *inner = path_lies_within(one->root, other->root)   ? one
                              : path_lies_within(other->root, one->root) ? other
                                                                         : NULL;
  if (!inner) return OK;
  return fail(error, BAD_USAGE, "%s: %s lies within %s%s%s: its images would be %s", inner->key, inner->root,
              inner == one ? other->root : one->root, apart ? " of " : "",
              !apart         ? ""
              : inner == one ? other->key
                             : one->key,
              apart ? "trained on and tested on" : "counted twice");
}

static const char *const keys[] = {"dataset.train", "dataset.test"};
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

// What a query of one dataset found; a row of id, fingerprint, name, images.
static enum status read_dataset(struct dataset_found *out, struct query *query, bool *found, struct error *error)
{
  enum status status = OK;
  *found = query_next(query, &status, error);
  if (!*found) return status;
  out->id = query_integer(query, 0);
  snprintf(out->fingerprint, sizeof out->fingerprint, "%s", query_text(query, 1));
  snprintf(out->name, sizeof out->name, "%s", query_text(query, 2));
  out->images = (uint64_t)query_integer(query, 3);
  if (out->fingerprint[0]) return OK;
  return fail(error, BAD_DATA, "the scan of dataset %s did not finish: run build/stages/ingest again", out->name);
}

// Whether splits or resized images of another dataset were made of the same content: the keys that they have are not
// this one's.
static const char used_by_another[] =
    "SELECT EXISTS (SELECT * FROM tensor_set WHERE kind = 'resized' AND dataset <> ?1"
    "               AND json_extract(parameters, '$.\"dataset content\"') = ?2)"
    " OR EXISTS (SELECT * FROM split s JOIN split_dataset d ON d.split = s.id WHERE d.dataset <> ?1 AND json_extract("
    "            s.parameters, '$.\"dataset content' || iif(d.ordinal, ' ' || (d.ordinal + 1), '') || '\"') = ?2)";

static enum status find_content(struct dataset_found *out, struct db *db, struct error *error)
{
  int64_t another = 0;
  enum status status = db_integer(db, &another, NULL, error, used_by_another, "it", out->id, out->fingerprint);
  if (another)
    snprintf(out->content, sizeof out->content, "%s of %lld", out->fingerprint, (long long)out->id);
  else
    snprintf(out->content, sizeof out->content, "%s", out->fingerprint);
  return status;
}

static enum status dataset_of_root(struct dataset_found *out, struct db *db, const char *root, struct error *error)
{
  struct query *query = NULL;
  bool found = false;
  enum status status =
      query_open(&query, db, "SELECT id, fingerprint, name, images FROM dataset WHERE root = ?", error);
  if (!status) status = query_bind(query, error, "b", root, strlen(root));
  if (!status) status = read_dataset(out, query, &found, error);
  query_close(query);
  if (!status && found) status = find_content(out, db, error);
  if (status || found) return status;
  return fail(error, BAD_DATA, "%s does not know the dataset %s yet: run build/stages/ingest first", db_path(db), root);
}

enum status dataset_of(struct dataset_found *out, struct db *db, int64_t id, struct error *error)
{
  struct query *query = NULL;
  bool found = false;
  enum status status = query_open(&query, db, "SELECT id, fingerprint, name, images FROM dataset WHERE id = ?", error);
  if (!status) status = query_bind(query, error, "i", id);
  if (!status) status = read_dataset(out, query, &found, error);
  query_close(query);
  if (!status && found) status = find_content(out, db, error);
  if (status || found) return status;
  return fail(error, BAD_DATA, "%s has no dataset %lld", db_path(db), (long long)id);
}

#define TRAINED_ON                                                                                                     \
  "FROM dataset WHERE id NOT IN (SELECT dataset FROM outside_test) OR id IN (SELECT dataset FROM split_dataset)"

static enum status find_only(struct datasets *out, struct db *db, struct error *error)
{
  int64_t count = 0, id = 0;
  enum status status = db_integer(db, &count, NULL, error, "SELECT count(*) " TRAINED_ON, "");
  if (status) return status;
  if (!count) return fail(error, BAD_DATA, "%s holds no dataset yet: run build/stages/ingest first", db_path(db));
  if (count > 1)
    return fail(error, BAD_USAGE, "%s holds %lld datasets: say which by --set dataset.train=DIR", db_path(db),
                (long long)count);
  status = db_integer(db, &id, NULL, error, "SELECT id " TRAINED_ON, "");
  out->count = 1;
  return status ? status : dataset_of(&out->list[0], db, id, error);
}

// Two folders with the same bytes under the same names would share their keys, and an image would count twice.
static enum status check_contents(const struct datasets *datasets, const char *key, struct error *error)
{
  for (size_t i = 0; i < datasets->count; i++)
    for (size_t k = 0; k < i; k++) {
      const struct dataset_found *one = &datasets->list[k], *other = &datasets->list[i];
      if (one->id == other->id) return fail(error, BAD_USAGE, "%s names the folder of %s twice", key, one->name);
      if (!strcmp(one->fingerprint, other->fingerprint))
        return fail(error, BAD_DATA, "%s: %s and %s hold the same images: name one of them", key, one->name,
                    other->name);
    }
  return OK;
}

static enum status find_each(struct datasets *out, const char *key, struct db *db, const struct config *config,
                             struct error *error)
{
  size_t count = config_list_length(config, key);
  enum status status = OK;
  if (count > DATASETS_LIMIT)
    return fail(error, BAD_USAGE, "%s names %zu folders, at most %d are allowed", key, count, DATASETS_LIMIT);
  for (; !status && out->count < count; out->count++) {
    char root[PATH_LIMIT];
    status = known_root(config, key, out->count, root, error);
    if (!status) status = dataset_of_root(&out->list[out->count], db, root, error);
  }
  for (size_t i = 0; i < out->count; i++) out->ids[i] = out->list[i].id;
  return status ? status : check_contents(out, key, error);
}

enum status datasets_find(struct datasets *out, struct db *db, const struct config *config, struct error *error)
{
  *out = (struct datasets){.count = 0};
  if (config_list_length(config, "dataset.train")) return find_each(out, "dataset.train", db, config, error);
  enum status status = find_only(out, db, error);
  out->ids[0] = out->list[0].id;
  return status;
}

enum status datasets_find_tests(struct datasets *out, struct db *db, const struct config *config, struct error *error)
{
  *out = (struct datasets){.count = 0};
  return find_each(out, "dataset.test", db, config, error);
}

void datasets_name(const struct datasets *datasets, char *out, size_t size)
{
  size_t used = 0;
  out[0] = '\0';
  for (size_t i = 0; i < datasets->count && used < size; i++)
    used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " + " : "", datasets->list[i].name);
}
