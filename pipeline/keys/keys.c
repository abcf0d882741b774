#include "keys/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/keys_table.h"
#include "keys/parts.h"

// --- the dataset ---------------------------------------------------------------------------------------------------

enum status dataset_root(const struct config *config, char out[PATH_LIMIT], struct error *error)
{
  struct stat info;
  if (!config_list_length(config, "dataset.train"))
    return fail(
        error, BAD_USAGE,
        "dataset.train is not set: name the folder with a folder of images per class, as in --set dataset.train=DIR "
        "(make pipeline DATA=DIR)");
  const char *path = config_list_item(config, "dataset.train", 0);
  if (!realpath(path, out)) {
    if (errno == ENOENT || errno == ENOTDIR) return fail(error, BAD_USAGE, "dataset.train: no folder at %s", path);
    return fail_errno(error, "dataset.train: cannot open %s", path);
  }
  if (stat(out, &info) == 0 && !S_ISDIR(info.st_mode))
    return fail(error, BAD_USAGE, "dataset.train: %s is not a folder", path);
  return OK;
}

// The root as the manifest holds it. Only ingest needs the folder itself: without it, an absolute path still tells the
// dataset.
static enum status known_root(const struct config *config, char out[PATH_LIMIT], struct error *error)
{
  struct error hidden = {0};
  enum status status = dataset_root(config, out, &hidden);
  const char *path = config_list_length(config, "dataset.train") ? config_list_item(config, "dataset.train", 0) : "";
  if (status && path[0] == '/' && strlen(path) < PATH_LIMIT) {
    snprintf(out, PATH_LIMIT, "%s", path);
    return OK;
  }
  return status ? fail(error, status, "%s", hidden.text) : OK;
}

static enum status too_many(struct db *db, int64_t count, struct error *error)
{
  if (!count) return fail(error, BAD_DATA, "%s holds no dataset yet: run build/stages/ingest first", db_path(db));
  return fail(error, BAD_USAGE, "%s holds %lld datasets: say which by --set dataset.train=DIR", db_path(db),
              (long long)count);
}

static enum status read_dataset(struct dataset_found *out, struct query *query, bool *found, struct error *error)
{
  enum status status = OK;
  *found = query_next(query, &status, error);
  if (!*found) return status;
  out->id = query_integer(query, 0);
  snprintf(out->fingerprint, sizeof out->fingerprint, "%s", query_text(query, 1));
  snprintf(out->name, sizeof out->name, "%s", query_text(query, 2));
  out->images = (uint64_t)query_integer(query, 3);
  return OK;
}

enum status dataset_find(struct dataset_found *out, struct db *db, const struct config *config, struct error *error)
{
  char root[PATH_LIMIT] = "";
  bool by_root = config_list_length(config, "dataset.train") > 0, found = false;
  enum status status = OK;
  if (by_root)
    status = known_root(config, root, error);
  else {
    int64_t count = 0;
    status = db_integer(db, &count, NULL, error, "SELECT count(*) FROM dataset", "");
    if (!status && count != 1) return too_many(db, count, error);
  }
  struct query *query = NULL;
  if (!status)
    status = query_open(&query, db, "SELECT id, fingerprint, name, images FROM dataset WHERE ?1 IS NULL OR root = ?1",
                        error);
  if (!status && by_root)
    status = query_bind(query, error, "b", root, strlen(root));
  else if (!status)
    status = query_bind(query, error, "n");
  if (!status) status = read_dataset(out, query, &found, error);
  query_close(query);
  if (status) return status;
  if (!found)
    return fail(error, BAD_DATA, "%s does not know the dataset %s yet: run build/stages/ingest first", db_path(db),
                root);
  if (!out->fingerprint[0])
    return fail(error, BAD_DATA, "the scan of dataset %s did not finish: run build/stages/ingest again", out->name);
  return OK;
}

// --- keys ----------------------------------------------------------------------------------------------------------

enum status key_add_key(struct stage_key *key, const char *name, key_maker *make, struct db *db,
                        const struct config *config, struct error *error)
{
  struct stage_key *other = NULL;
  enum status status = make(&other, db, config, error);
  if (!status) status = stage_key_add(key, name, stage_key_digest(other), error);
  stage_key_free(other);
  return status;
}

static bool is_among(const char *name, const char *const *names)
{
  for (; names && *names; names++)
    if (!strcmp(*names, name)) return true;
  return false;
}

enum status key_add_section(struct stage_key *key, const char *prefix, const char *const *except,
                            const struct config *config, struct error *error)
{
  enum status status = OK;
  for (size_t i = 0; i < config_key_count && !status; i++) {
    const char *name = config_keys[i].name;
    if (strncmp(name, prefix, strlen(prefix)) != 0 || is_among(name, except)) continue;
    status = stage_key_add_config(key, config, name, error);
  }
  return status;
}

enum status key_hand_over(struct stage_key **out, struct stage_key *key, enum status status, struct error *error)
{
  if (!status) status = stage_key_finish(key, error);
  if (status) stage_key_free(key);
  *out = status ? NULL : key;
  return status;
}

// A key that begins with its stage's code and the dataset's content.
static enum status begin(struct stage_key **key, int code, struct db *db, const struct config *config,
                         struct error *error)
{
  struct dataset_found dataset = {0};
  *key = NULL;
  enum status status = dataset_find(&dataset, db, config, error);
  if (!status) status = stage_key_new(key, code, error);
  if (!status) status = stage_key_add(*key, "dataset content", dataset.fingerprint, error);
  return status;
}

enum status split_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  enum status status = begin(&key, SPLIT_CODE, db, config, error);
  if (!status) status = key_add_section(key, "split.", NULL, config, error);
  if (!status) status = stage_key_add_config(key, config, "seed", error);
  return key_hand_over(out, key, status, error);
}

enum status resized_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  enum status status = begin(&key, RESIZED_CODE, db, config, error);
  if (!status) status = key_add_section(key, "resize.", NULL, config, error);
  return key_hand_over(out, key, status, error);
}

enum status augmented_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  enum status status = stage_key_new(&key, AUGMENTED_CODE, error);
  if (!status) status = key_add_key(key, "resized images", resized_key, db, config, error);
  if (!status) status = key_add_key(key, "split", split_key, db, config, error);
  if (!status) status = key_add_section(key, "augment.", (const char *const[]){"augment.mode", NULL}, config, error);
  if (!status) status = stage_key_add_config(key, config, "seed", error);
  return key_hand_over(out, key, status, error);
}

// --- what the configuration asks for -------------------------------------------------------------------------------

enum status split_wanted(struct split_found *out, struct db *db, const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  bool found = false;
  enum status status = split_key(&key, db, config, error);
  if (!status) status = split_find(db, stage_key_digest(key), out, &found, error);
  stage_key_free(key);
  if (!status && !found)
    status = fail(error, BAD_DATA, "no split for this configuration yet: run build/stages/split first");
  return status;
}

static enum status tensors_wanted(struct tensor_set *out, key_maker *make, const char *stage, struct db *db,
                                  const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  bool found = false;
  enum status status = make(&key, db, config, error);
  if (!status) status = tensor_set_find(db, stage_key_digest(key), 0, out, &found, error);
  stage_key_free(key);
  if (!status && !found)
    status = fail(error, BAD_DATA, "no images for this configuration yet: run build/stages/%s first", stage);
  if (!status && !out->done)
    status = fail(error, BAD_DATA, "%s did not finish for this configuration: run build/stages/%s again", stage, stage);
  return status;
}

enum status resized_wanted(struct tensor_set *out, struct db *db, const struct config *config, struct error *error)
{
  return tensors_wanted(out, resized_key, "resize", db, config, error);
}

enum status augmented_wanted(struct tensor_set *out, struct db *db, const struct config *config, struct error *error)
{
  return tensors_wanted(out, augmented_key, "augment", db, config, error);
}
