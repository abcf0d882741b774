#include "config/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "core/mem.h"

// --- loading -------------------------------------------------------------------------------------------------------

static enum status assign_list(struct config *config, int index, const char *text, const struct origin *origin,
                               struct error *error)
{
  enum status status = OK;
  char *copy = NULL, *rest = NULL;
  if ((status = mem_text(&copy, text, error))) return status;
  config_clear_list(config, index);
  for (char *item = strtok_r(copy, ",", &rest); item && !status; item = strtok_r(NULL, ",", &rest))
    status = config_assign(config, index, item, true, origin, error);
  free(copy);
  return status;
}

static enum status set_defaults(struct config *config, struct error *error)
{
  const struct origin origin = {.set = "a default"};
  enum status status = OK;
  for (int i = 0; !status && i < (int)config_key_count; i++) {
    const struct config_key *key = &config_keys[i];
    struct value *value = &config->values[i];
    if (key->type == KEY_LIST)
      status = assign_list(config, i, key->fallback, &origin, error);
    else if (!key->fallback[0])
      status = mem_text(&value->text, "", error);
    else
      status = config_assign(config, i, key->fallback, false, &origin, error);
    value->set = false;
    free(value->where);
    value->where = NULL;
  }
  return status;
}

// "configs/my cnn.yaml" -> "my cnn"
static enum status name_of(char **out, const char *path, struct error *error)
{
  if (!path) return mem_text(out, "default", error);
  const char *slash = strrchr(path, '/');
  enum status status = mem_text(out, slash ? slash + 1 : path, error);
  if (status) return status;
  char *dot = strrchr(*out, '.');
  if (dot && dot != *out) *dot = '\0';
  return OK;
}

// A run is called as its configuration unless `name` says otherwise; what would be odd in a folder's name becomes '_'.
static enum status default_run_name(struct config *config, struct error *error)
{
  struct value *value = &config->values[config_key_find("name")];
  if (value->set) return OK;
  free(value->text);
  enum status status = mem_text(&value->text, config->name, error);
  if (status) return status;
  for (char *c = value->text; *c; c++) {
    bool plain = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *c) != NULL;
    if (!plain || (c == value->text && (*c == '.' || *c == '-'))) *c = '_';
  }
  if (strlen(value->text) > 64) value->text[64] = '\0';
  return OK;
}

static enum status apply_set(struct config *config, const char *set, struct error *error)
{
  const struct origin origin = {.set = set};
  const char *equals = strchr(set, '=');
  char name[128];
  if (!equals || equals == set) return config_refuse(error, &origin, "not of the form key=value");
  bool append = equals[-1] == '+';
  size_t length = (size_t)(equals - set) - append;
  if (length >= sizeof name) return config_refuse(error, &origin, "unknown key");
  memcpy(name, set, length);
  name[length] = '\0';
  int index = -1;
  enum status status = config_find(&index, name, &origin, error);
  if (status) return status;
  const struct config_key *key = &config_keys[index];
  if (append && key->type != KEY_LIST)
    return config_refuse(error, &origin, "%s is not a list: += adds to a list, = sets a value", name);
  // Words have no commas: `evaluate.parts=val,test` is two items. A path may have any.
  if (key->type == KEY_LIST && key->choices && !append) {
    status = assign_list(config, index, equals + 1, &origin, error);
    if (!status && !config->values[index].count) status = config_refuse(error, &origin, "needs at least one value");
    return status;
  }
  return config_assign(config, index, equals + 1, append, &origin, error);
}

// What no single key can tell.
static enum status check_together(const struct config *config, struct error *error)
{
  double val = config_real(config, "split.val"), test = config_real(config, "split.test");
  if (val + test >= 1) {
    const char *where = config->values[config_key_find("split.test")].where;
    if (!where) where = config->values[config_key_find("split.val")].where;
    return fail(error, BAD_USAGE,
                "%s: split.val %g and split.test %g leave nothing to train on; allowed: below 1 together",
                where ? where : "split", val, test);
  }
  return OK;
}

enum status config_load(struct config **out, const char *path, char *const *sets, size_t set_count, struct error *error)
{
  *out = NULL;
  struct config *config = NULL;
  enum status status = mem_zeroed((void **)&config, 1, sizeof *config, "the configuration", error);
  if (status) return status;
  status = mem_zeroed((void **)&config->values, config_key_count, sizeof *config->values, "the configuration", error);
  config->has_file = path != NULL;
  if (!status) status = name_of(&config->name, path, error);
  if (!status) status = set_defaults(config, error);
  if (!status && path) status = config_read_yaml(config, path, error);
  for (size_t i = 0; !status && i < set_count; i++) status = apply_set(config, sets[i], error);
  if (!status) status = default_run_name(config, error);
  if (!status) status = check_together(config, error);
  if (status)
    config_free(config);
  else
    *out = config;
  return status;
}

bool config_draws(const struct config *config)
{
  for (size_t i = 0; i < config_key_count; i++)
    if (!strncmp(config_keys[i].name, "synth.", 6) && config->values[i].set) return true;
  return false;
}

enum status config_train_on_renders(struct config *config, const char *folder, struct error *error)
{
  char path[4096];
  const struct origin origin = {.set = "synth.out"};
  const char *out = config_text(config, "synth.out");
  const size_t named = config_list_length(config, "dataset.train");
  if (!config_draws(config) || (named > 0 && !config_flag(config, "synth.beside"))) return OK;
  int length = snprintf(path, sizeof path, out[0] ? "%s" : "%s/synth", out[0] ? out : folder);
  if (length < 0 || length >= (int)sizeof path) return config_refuse(error, &origin, "a path of %d bytes", length);
  for (size_t i = 0; i < named; i++)
    if (!strcmp(config_list_item(config, "dataset.train", i), path)) return OK;
  return config_assign(config, config_key_find("dataset.train"), path, true, &origin, error);
}

void config_free(struct config *config)
{
  if (!config) return;
  for (size_t i = 0; config->values && i < config_key_count; i++) config_value_release(&config->values[i]);
  free(config->values);
  free(config->name);
  free(config);
}

// --- values --------------------------------------------------------------------------------------------------------

static const struct value *value_of(const struct config *config, const char *key, enum key_type type)
{
  int index = config_key_find(key);
  assert(index >= 0 && config_keys[index].type == type);
  return &config->values[index];
}

int64_t config_integer(const struct config *config, const char *key)
{
  return value_of(config, key, KEY_INTEGER)->integer;
}

double config_real(const struct config *config, const char *key)
{
  return value_of(config, key, KEY_REAL)->real;
}

bool config_flag(const struct config *config, const char *key)
{
  return value_of(config, key, KEY_FLAG)->flag;
}

int config_choice(const struct config *config, const char *key)
{
  return value_of(config, key, KEY_CHOICE)->choice;
}

const char *config_text(const struct config *config, const char *key)
{
  int index = config_key_find(key);
  assert(index >= 0);
  const struct config_key *row = &config_keys[index];
  if (row->type == KEY_CHOICE) return row->choices[config->values[index].choice];
  assert(row->type == KEY_TEXT || row->type == KEY_NAME);
  return config->values[index].text;
}

size_t config_list_length(const struct config *config, const char *key)
{
  return value_of(config, key, KEY_LIST)->count;
}

const char *config_list_item(const struct config *config, const char *key, size_t index)
{
  const struct value *value = value_of(config, key, KEY_LIST);
  assert(index < value->count);
  return value->items[index];
}

bool config_is_set(const struct config *config, const char *key)
{
  int index = config_key_find(key);
  assert(index >= 0);
  return config->values[index].set;
}

const char *config_name(const struct config *config)
{
  return config->name;
}

bool config_has_file(const struct config *config)
{
  return config->has_file;
}
