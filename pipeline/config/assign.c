// From text to a checked value: the same for the file and for --set.
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "core/mem.h"
#include "core/utf8.h"

static void origin_text(const struct origin *origin, char *out, size_t size)
{
  if (origin->file)
    snprintf(out, size, "%s:%zu:%zu", origin->file, origin->line, origin->column);
  else
    snprintf(out, size, "--set %s", origin->set);
}

enum status config_refuse(struct error *error, const struct origin *origin, const char *format, ...)
{
  char where[512], text[768];
  origin_text(origin, where, sizeof where);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return fail(error, BAD_USAGE, "%s: %s", where, text);
}

bool config_is_section(const char *name, char *keys, size_t size)
{
  size_t length = strlen(name), used = 0;
  bool found = false;
  for (size_t i = 0; i < config_key_count; i++) {
    const char *known = config_keys[i].name;
    if (strncmp(known, name, length) != 0 || known[length] != '.') continue;
    if (keys && used < size)
      used += (size_t)snprintf(keys + used, size - used, "%s%s", found ? ", " : "", known + length + 1);
    found = true;
  }
  return found;
}

enum status config_find(int *index, const char *name, const struct origin *origin, struct error *error)
{
  char keys[256];
  *index = config_key_find(name);
  if (*index >= 0) return OK;
  if (config_is_section(name, keys, sizeof keys))
    return config_refuse(error, origin, "%s is a section; its keys: %s", name, keys);
  const char *likely = config_key_suggestion(name);
  if (likely) return config_refuse(error, origin, "unknown key %s; did you mean %s?", name, likely);
  return config_refuse(error, origin, "unknown key %s; --help-config lists all keys", name);
}

// BAD_USAGE: `"ten" is not a whole number; allowed: 1 to 100000`. A --set shows its key and value already.
static enum status refuse_value(struct error *error, const struct origin *origin, const struct config_key *key,
                                const char *text, const char *complaint)
{
  char allowed[256];
  config_key_allowed(key, allowed, sizeof allowed);
  if (origin->file)
    return config_refuse(error, origin, "%s: \"%.200s\" %s; allowed: %s", key->name, text, complaint, allowed);
  return config_refuse(error, origin, "\"%.200s\" %s; allowed: %s", text, complaint, allowed);
}

static int choice_of(const struct config_key *key, const char *text)
{
  for (int i = 0; key->choices[i]; i++)
    if (!strcmp(key->choices[i], text)) return i;
  return -1;
}

static enum status assign_integer(struct value *value, const struct config_key *key, const char *text,
                                  const struct origin *origin, struct error *error)
{
  const char *digits = text + (*text == '-' || *text == '+');
  if (!*digits || strspn(digits, "0123456789") != strlen(digits))
    return refuse_value(error, origin, key, text, "is not a whole number");
  errno = 0;
  int64_t integer = strtoll(text, NULL, 10);
  if (key->choices && choice_of(key, text) < 0) return refuse_value(error, origin, key, text, "is not one of them");
  if (!key->choices && (errno || (double)integer < key->low || (double)integer > key->high))
    return refuse_value(error, origin, key, text, "is out of range");
  value->integer = integer;
  return OK;
}

static enum status assign_real(struct value *value, const struct config_key *key, const char *text,
                               const struct origin *origin, struct error *error)
{
  char *end = NULL;
  // Only decimal digits: strtod also takes "nan", "inf" and hexadecimal.
  bool plain = *text && strspn(text, "0123456789+-.eE") == strlen(text);
  double real = plain ? strtod(text, &end) : 0;
  if (!plain || *end) return refuse_value(error, origin, key, text, "is not a number");
  bool low = key->ends == ENDS_OPEN_LOW ? real > key->low : real >= key->low;
  bool high = key->ends == ENDS_OPEN_HIGH ? real < key->high : real <= key->high;
  if (!isfinite(real) || !low || !high) return refuse_value(error, origin, key, text, "is out of range");
  value->real = real == 0 ? 0 : real; // -0 is 0: equal values have equal text
  return OK;
}

static enum status assign_flag(struct value *value, const struct config_key *key, const char *text,
                               const struct origin *origin, struct error *error)
{
  value->flag = !strcmp(text, "true");
  if (value->flag || !strcmp(text, "false")) return OK;
  return refuse_value(error, origin, key, text, "is neither");
}

static enum status assign_name(const struct config_key *key, const char *text, const struct origin *origin,
                               struct error *error)
{
  size_t plain = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
  if (!*text || text[plain] || plain > 64 || *text == '.' || *text == '-')
    return refuse_value(error, origin, key, text, "cannot name a folder");
  return OK;
}

static enum status append_item(struct value *value, const struct config_key *key, const char *text,
                               const struct origin *origin, struct error *error)
{
  if (!*text) return config_refuse(error, origin, "%s: an empty item", key->name);
  if (key->choices && choice_of(key, text) < 0) return refuse_value(error, origin, key, text, "is not one of them");
  enum status status =
      mem_grow((void **)&value->items, &value->capacity, value->count + 1, sizeof *value->items, "a list", error);
  if (!status) status = mem_text(&value->items[value->count], text, error);
  if (!status) value->count++;
  return status;
}

static void clear_items(struct value *value)
{
  for (size_t i = 0; i < value->count; i++) free(value->items[i]);
  value->count = 0;
}

void config_clear_list(struct config *config, int index)
{
  clear_items(&config->values[index]);
  config->values[index].set = true;
}

void config_value_release(struct value *value)
{
  clear_items(value);
  free(value->items);
  free(value->text);
  free(value->where);
}

enum status config_assign(struct config *config, int index, const char *text, bool append, const struct origin *origin,
                          struct error *error)
{
  const struct config_key *key = &config_keys[index];
  struct value *value = &config->values[index];
  enum status status = OK;
  if (!utf8_is_valid(text, strlen(text)))
    return config_refuse(error, origin, "%s: not valid UTF-8 text, which args.yaml could not hold", key->name);
  switch (key->type) {
  case KEY_INTEGER:
    status = assign_integer(value, key, text, origin, error);
    break;
  case KEY_REAL:
    status = assign_real(value, key, text, origin, error);
    break;
  case KEY_FLAG:
    status = assign_flag(value, key, text, origin, error);
    break;
  case KEY_CHOICE:
    value->choice = choice_of(key, text);
    if (value->choice < 0) value->choice = 0, status = refuse_value(error, origin, key, text, "is not one of them");
    break;
  case KEY_LIST:
    if (!append) clear_items(value);
    status = append_item(value, key, text, origin, error);
    break;
  case KEY_NAME:
    if ((status = assign_name(key, text, origin, error))) break;
    // fall through
  case KEY_TEXT:
    free(value->text);
    value->text = NULL;
    status = mem_text(&value->text, text, error);
    break;
  }
  if (status) return status;
  char where[512];
  origin_text(origin, where, sizeof where);
  free(value->where);
  value->where = NULL;
  value->set = true;
  return mem_text(&value->where, where, error);
}
