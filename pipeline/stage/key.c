// The key of derived work, and why a stage runs.
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "stage/parts.h"

struct stage_key {
  json_t *pairs; // an object of texts, in the order added
  char *parameters;
  char digest[DIGEST_TEXT];
};

enum { VALUE_LIMIT = 2048 };

enum status stage_key_new(struct stage_key **out, int code_version, struct error *error)
{
  char code[16];
  snprintf(code, sizeof code, "%d", code_version);
  enum status status = mem_zeroed((void **)out, 1, sizeof **out, "a key", error);
  if (status) return status;
  (*out)->pairs = json_object();
  status = (*out)->pairs ? stage_key_add(*out, "code", code, error) : fail_memory(error, "a key", sizeof **out);
  if (!status) return OK;
  stage_key_free(*out);
  *out = NULL;
  return status;
}

enum status stage_key_add(struct stage_key *key, const char *name, const char *value, struct error *error)
{
  assert(!key->parameters && !json_object_get(key->pairs, name));
  json_t *text = json_string(value);
  if (!text) return fail(error, BAD_DATA, "%s: not valid UTF-8 text", name);
  if (json_object_set_new(key->pairs, name, text)) return fail_memory(error, "a key", strlen(value));
  return OK;
}

enum status stage_key_add_config(struct stage_key *key, const struct config *config, const char *config_key,
                                 struct error *error)
{
  char value[VALUE_LIMIT];
  config_value_text(config, config_key, value, sizeof value);
  return stage_key_add(key, config_key, value, error);
}

enum status stage_key_finish(struct stage_key *key, struct error *error)
{
  key->parameters = json_dumps(key->pairs, JSON_COMPACT);
  if (!key->parameters) return fail_memory(error, "a key", VALUE_LIMIT);
  return digest_of(key->digest, key->parameters, strlen(key->parameters), error);
}

const char *stage_key_digest(const struct stage_key *key)
{
  assert(key->parameters);
  return key->digest;
}

const char *stage_key_parameters(const struct stage_key *key)
{
  assert(key->parameters);
  return key->parameters;
}

void stage_key_free(struct stage_key *key)
{
  if (!key) return;
  json_decref(key->pairs);
  free(key->parameters);
  free(key);
}

// --- why -----------------------------------------------------------------------------------------------------------

static bool is_digest(const char *text)
{
  return strlen(text) == DIGEST_TEXT - 1 && strspn(text, "0123456789abcdef") == DIGEST_TEXT - 1;
}

static void add_reason(char *out, size_t size, const char *reason)
{
  size_t used = strlen(out);
  int length = snprintf(out + used, size - used, "%s%s", used ? ", " : "", reason);
  if (length >= (int)(size - used) && size > 4) memcpy(out + size - 4, "...", 4);
}

static void add_change(char *out, size_t size, const char *name, const char *before, const char *after)
{
  char reason[256];
  if (!strcmp(name, "code"))
    snprintf(reason, sizeof reason, "the stage's code changed");
  else if (is_digest(before) && is_digest(after))
    snprintf(reason, sizeof reason, "%s changed", name);
  else
    snprintf(reason, sizeof reason, "%s changed from %.60s to %.60s", name, before, after);
  add_reason(out, size, reason);
}

// The pairs of `some` that `others` lacks, which a switch such as augment.mode brings or takes many at a time.
static void add_missing(char *out, size_t size, json_t *some, json_t *others, const char *one, const char *many)
{
  char reason[256];
  const char *name = NULL, *first = NULL;
  size_t count = 0;
  json_t *value = NULL;
  json_object_foreach(some, name, value)
  {
    if (json_is_string(json_object_get(others, name))) continue;
    if (!count++) first = name;
  }
  if (!first) return;
  if (count == 1)
    snprintf(reason, sizeof reason, "%s %s", first, one);
  else
    snprintf(reason, sizeof reason, "%s and %zu more %s", first, count - 1, many);
  add_reason(out, size, reason);
}

void stage_key_changes(const struct stage_key *key, const char *previous, char *out, size_t size)
{
  const char *name = NULL;
  json_t *value = NULL, *before = previous ? json_loads(previous, 0, NULL) : NULL;
  out[0] = '\0';
  if (!json_is_object(before)) {
    snprintf(out, size, "nothing like it was done yet");
    json_decref(before);
    return;
  }
  json_object_foreach(key->pairs, name, value)
  {
    const char *old = json_string_value(json_object_get(before, name)), *new = json_string_value(value);
    if (old && strcmp(old, new) != 0) add_change(out, size, name, old, new);
  }
  add_missing(out, size, key->pairs, before, "counts now", "count now");
  add_missing(out, size, before, key->pairs, "no longer counts", "no longer count");
  if (!out[0]) snprintf(out, size, "an earlier execution did not finish");
  json_decref(before);
}

void stage_uses_key(struct stage *stage, const struct stage_key *key)
{
  free(stage->parameters);
  stage->parameters = strdup(stage_key_parameters(key)); // NULL: the log row lacks it, no more
  memcpy(stage->key, key->digest, sizeof stage->key);
}

void stage_runs_because(struct stage *stage, struct stage_key *key, const char *previous)
{
  stage_uses_key(stage, key);
  stage_key_changes(key, previous, stage->why, sizeof stage->why);
  stage_say(stage, "%s: runs because %s", stage->definition->name, stage->why);
}
