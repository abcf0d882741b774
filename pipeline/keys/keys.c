#include "keys/keys.h"

#include <stdio.h>
#include <string.h>

#include "config/keys_table.h"
#include "keys/parts.h"

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

// "what", "what 2", "what 3", ...
static void numbered(char out[64], const char *what, size_t index)
{
  if (index)
    snprintf(out, 64, "%s %zu", what, index + 1);
  else
    snprintf(out, 64, "%s", what);
}

enum status split_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error)
{
  static const char *const of_blocks[] = {"split.blocks", "split.gap", NULL};
  static const char *const of_draws[] = {"split.blocks", "split.gap", "split.val", "split.test", NULL};
  const char *method = config_text(config, "split.method");
  const char *const *not_read = !strcmp(method, "folder") ? of_draws : strcmp(method, "blocks") ? of_blocks : NULL;
  struct datasets datasets;
  struct stage_key *key = NULL;
  enum status status = datasets_find(&datasets, db, config, error);
  if (!status) status = stage_key_new(&key, SPLIT_CODE, error);
  for (size_t i = 0; !status && i < datasets.count; i++) {
    char name[64];
    numbered(name, "dataset content", i);
    status = stage_key_add(key, name, datasets.list[i].content, error);
  }
  if (!status) status = key_add_section(key, "split.", not_read, config, error);
  if (!status && not_read != of_draws) status = stage_key_add_config(key, config, "seed", error);
  return key_hand_over(out, key, status, error);
}

enum status resized_key(struct stage_key **out, const struct dataset_found *dataset, const struct config *config,
                        struct error *error)
{
  struct stage_key *key = NULL;
  enum status status = stage_key_new(&key, RESIZED_CODE, error);
  if (!status) status = stage_key_add(key, "dataset content", dataset->content, error);
  if (!status) status = key_add_section(key, "resize.", NULL, config, error);
  return key_hand_over(out, key, status, error);
}

enum status key_add_resized(struct stage_key *key, struct db *db, const struct config *config, struct error *error)
{
  struct datasets datasets;
  enum status status = datasets_find(&datasets, db, config, error);
  for (size_t i = 0; !status && i < datasets.count; i++) {
    struct stage_key *resized = NULL;
    char name[64];
    numbered(name, "resized images", i);
    status = resized_key(&resized, &datasets.list[i], config, error);
    if (!status) status = stage_key_add(key, name, stage_key_digest(resized), error);
    stage_key_free(resized);
  }
  return status;
}

enum status augmented_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  enum status status = stage_key_new(&key, AUGMENTED_CODE, error);
  if (!status) status = key_add_resized(key, db, config, error);
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
  if (!status) status = split_find(db, stage_key_digest(key), 0, out, &found, error);
  stage_key_free(key);
  if (!status && !found)
    status = fail(error, BAD_DATA, "no split for this configuration yet: run build/stages/split first");
  return status;
}

// The finished set of a key; `stage` makes it.
static enum status set_of(struct tensor_set *out, const struct stage_key *key, const char *stage, struct db *db,
                          struct error *error)
{
  bool found = false;
  enum status status = tensor_set_find(db, stage_key_digest(key), 0, out, &found, error);
  if (status) return status;
  if (!found) return fail(error, BAD_DATA, "no images for this configuration yet: run build/stages/%s first", stage);
  if (out->done) return OK;
  return fail(error, BAD_DATA, "%s did not finish for this configuration: run build/stages/%s again", stage, stage);
}

static void add_set(struct tensor_sets *sets, const struct tensor_set *set)
{
  sets->ids[sets->count++] = set->id;
  sets->height = set->height;
  sets->width = set->width;
  sets->channels = set->channels;
}

enum status resized_of(struct tensor_set *out, const struct dataset_found *dataset, struct db *db,
                       const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  enum status status = resized_key(&key, dataset, config, error);
  if (!status) status = set_of(out, key, "resize", db, error);
  stage_key_free(key);
  return status;
}

enum status resized_wanted(struct tensor_sets *out, struct db *db, const struct config *config, struct error *error)
{
  struct datasets datasets;
  struct tensor_set set;
  *out = (struct tensor_sets){.count = 0};
  enum status status = datasets_find(&datasets, db, config, error);
  for (size_t i = 0; !status && i < datasets.count; i++) {
    status = resized_of(&set, &datasets.list[i], db, config, error);
    if (!status) add_set(out, &set);
  }
  return status;
}

enum status augmented_wanted(struct tensor_sets *out, struct db *db, const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  struct tensor_set set;
  *out = (struct tensor_sets){.count = 0};
  enum status status = augmented_key(&key, db, config, error);
  if (!status) status = set_of(&set, key, "augment", db, error);
  if (!status) add_set(out, &set);
  stage_key_free(key);
  return status;
}
