// A configuration as text: single values, the whole as YAML that loads back equal, and the table as help.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "core/utf8.h"

// The shortest decimal that reads back as the same number: 10, 0.001, 1.0e-07 (YAML 1.1 wants the point before an
// exponent).
static void real_text(double value, char *out, size_t size)
{
  char text[40], best[40] = "";
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value && (!best[0] || strlen(text) < strlen(best))) memcpy(best, text, sizeof best);
  }
  const char *exponent = strchr(best, 'e');
  if (exponent && !strchr(best, '.'))
    snprintf(out, size, "%.*s.0%s", (int)(exponent - best), best, exponent);
  else
    snprintf(out, size, "%s", best);
}

struct writer { // into a buffer of fixed size, always ended by a zero
  char *out;
  size_t size, used;
};

static void put(struct writer *writer, const char *text)
{
  int length = snprintf(writer->out + writer->used, writer->size - writer->used, "%s", text);
  writer->used += (size_t)length;
  if (writer->used >= writer->size) writer->used = writer->size - 1;
}

// Words that other YAML readers take for something else than text are quoted too.
static bool needs_quotes(const char *text)
{
  static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/_", *text)) return true;
  if (!*text || text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-")]) return true;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strcasecmp(text, words[i])) return true;
  return false;
}

static void put_text(struct writer *writer, const char *text)
{
  if (!needs_quotes(text)) {
    put(writer, text);
    return;
  }
  put(writer, "\"");
  size_t size = strlen(text), length;
  for (size_t at = 0; at < size; at += length) {
    uint32_t point = 0;
    char piece[16];
    length = utf8_decode(text + at, size - at, &point);
    if (!length) break; // config_assign lets only UTF-8 in
    bool shown = point >= 0x20 && !(point >= 0x7f && point <= 0xa0) && point != 0x2028 && point != 0x2029 &&
                 point != 0xfeff && (point & 0xfffe) != 0xfffe;
    if (point == '"' || point == '\\')
      snprintf(piece, sizeof piece, "\\%c", (char)point);
    else if (shown)
      snprintf(piece, sizeof piece, "%.*s", (int)length, text + at);
    else if (point <= 0xffff)
      snprintf(piece, sizeof piece, "\\u%04x", (unsigned)point);
    else
      snprintf(piece, sizeof piece, "\\U%08x", (unsigned)point);
    put(writer, piece);
  }
  put(writer, "\"");
}

static void put_value(struct writer *writer, const struct config_key *key, const struct value *value)
{
  char number[64];
  switch (key->type) {
  case KEY_INTEGER:
    snprintf(number, sizeof number, "%" PRId64, value->integer);
    put(writer, number);
    return;
  case KEY_REAL:
    real_text(value->real, number, sizeof number);
    put(writer, number);
    return;
  case KEY_FLAG:
    put(writer, value->flag ? "true" : "false");
    return;
  case KEY_CHOICE:
    put_text(writer, key->choices[value->choice]);
    return;
  case KEY_LIST:
    put(writer, "[");
    for (size_t i = 0; i < value->count; i++) {
      if (i) put(writer, ", ");
      put_text(writer, value->items[i]);
    }
    put(writer, "]");
    return;
  default:
    put_text(writer, value->text);
    return;
  }
}

void config_value_text(const struct config *config, const char *key, char *out, size_t size)
{
  int index = config_key_find(key);
  struct writer writer = {.out = out, .size = size};
  put(&writer, "");
  const struct config_key *row = &config_keys[index];
  // A word alone needs no quotes: "off", as --set takes it.
  if (row->type == KEY_CHOICE)
    put(&writer, row->choices[config->values[index].choice]);
  else if (row->type == KEY_TEXT || row->type == KEY_NAME)
    put(&writer, config->values[index].text);
  else
    put_value(&writer, row, &config->values[index]);
}

// The longest value: a list of paths, each byte of which may become "\u0001".
enum { VALUE_LIMIT = 256 * 1024 };

enum status config_write(const struct config *config, FILE *out, struct error *error)
{
  char *text = malloc(VALUE_LIMIT);
  if (!text) return fail_memory(error, "a value", VALUE_LIMIT);
  const char *section = "";
  size_t section_length = 0;
  enum status status = OK;
  for (size_t i = 0; i < config_key_count && !status; i++) {
    const struct config_key *key = &config_keys[i];
    const char *dot = strchr(key->name, '.');
    size_t length = dot ? (size_t)(dot - key->name) : 0;
    if (length && (length != section_length || strncmp(section, key->name, length) != 0))
      fprintf(out, "%.*s:\n", (int)length, key->name);
    section = key->name;
    section_length = length;
    struct writer writer = {.out = text, .size = VALUE_LIMIT};
    put(&writer, "");
    put_value(&writer, key, &config->values[i]);
    if (writer.used + 1 >= VALUE_LIMIT)
      status = fail(error, BAD_USAGE, "%s: longer than the %d characters that args.yaml takes", key->name, VALUE_LIMIT);
    else
      fprintf(out, "%s%s: %s\n", length ? "  " : "", dot ? dot + 1 : key->name, text);
  }
  free(text);
  if (!status && ferror(out)) status = fail_errno(error, "cannot write the configuration");
  return status;
}

void config_describe(FILE *out)
{
  char allowed[256];
  fprintf(out, "Configuration keys, as in a YAML file or --set key=value (in the file a dot is a section):\n");
  for (size_t i = 0; i < config_key_count; i++) {
    const struct config_key *key = &config_keys[i];
    config_key_allowed(key, allowed, sizeof allowed);
    fprintf(out, "\n%s: %s\n    %s", key->name, key->fallback[0] ? key->fallback : "(unset)", key->help);
    fprintf(out, "\n    allowed: %s\n", allowed);
  }
}
