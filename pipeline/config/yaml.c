// A configuration file by libyaml's events. The file is not trusted: no aliases (an alias bomb expands to gigabytes),
// no tags, a cap on size and depth (libyaml 0.2.5 takes quadratic time on nested brackets), one document, each key
// once.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/values.h"
#include "core/mem.h"

enum { FILE_LIMIT = 64 * 1024, DEPTH_LIMIT = 64, KEY_LIMIT = 256 };

struct reader {
  struct config *config;
  const char *path;
  yaml_parser_t parser;
  yaml_event_t event;
  bool has_event;
  bool *seen; // per key: in the file already
  int depth;
  struct error *error;
};

static struct origin origin_of(const struct reader *reader, yaml_mark_t mark)
{
  return (struct origin){.file = reader->path, .line = mark.line + 1, .column = mark.column + 1};
}

static enum status refuse_at(struct reader *reader, const char *text)
{
  struct origin origin = origin_of(reader, reader->event.start_mark);
  return config_refuse(reader->error, &origin, "%s", text);
}

static enum status refuse_syntax(struct reader *reader)
{
  const yaml_parser_t *parser = &reader->parser;
  struct origin origin = origin_of(reader, parser->problem_mark);
  if (parser->error == YAML_MEMORY_ERROR) return fail_memory(reader->error, "a configuration file", FILE_LIMIT);
  if (parser->error == YAML_READER_ERROR)
    return fail(reader->error, BAD_USAGE, "%s: %s at byte %zu", reader->path, parser->problem, parser->problem_offset);
  return config_refuse(reader->error, &origin, "not YAML: %s%s%s", parser->context ? parser->context : "",
                       parser->context ? ", " : "", parser->problem ? parser->problem : "unreadable");
}

// Reads the next event over the last, and refuses what no configuration needs.
static enum status next(struct reader *reader)
{
  if (reader->has_event) yaml_event_delete(&reader->event);
  reader->has_event = false;
  if (!yaml_parser_parse(&reader->parser, &reader->event)) return refuse_syntax(reader);
  reader->has_event = true;
  const yaml_event_t *event = &reader->event;
  switch (event->type) {
  case YAML_ALIAS_EVENT:
    return refuse_at(reader, "an alias (*name); allowed: plain values");
  case YAML_SCALAR_EVENT:
    if (event->data.scalar.anchor) return refuse_at(reader, "an anchor (&name); allowed: plain values");
    if (event->data.scalar.tag) return refuse_at(reader, "a tag (!name); allowed: plain values");
    if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
      return refuse_at(reader, "a text with a zero byte");
    return OK;
  case YAML_MAPPING_START_EVENT:
    if (event->data.mapping_start.anchor) return refuse_at(reader, "an anchor (&name); allowed: plain values");
    if (event->data.mapping_start.tag) return refuse_at(reader, "a tag (!name); allowed: plain values");
    return ++reader->depth > DEPTH_LIMIT ? refuse_at(reader, "nested deeper than 64") : OK;
  case YAML_SEQUENCE_START_EVENT:
    if (event->data.sequence_start.anchor) return refuse_at(reader, "an anchor (&name); allowed: plain values");
    if (event->data.sequence_start.tag) return refuse_at(reader, "a tag (!name); allowed: plain values");
    return ++reader->depth > DEPTH_LIMIT ? refuse_at(reader, "nested deeper than 64") : OK;
  case YAML_MAPPING_END_EVENT:
  case YAML_SEQUENCE_END_EVENT:
    reader->depth--;
    return OK;
  default:
    return OK;
  }
}

static const char *scalar(const struct reader *reader)
{
  return (const char *)reader->event.data.scalar.value;
}

// "train:" with nothing behind it. A quoted "" is an empty text instead.
static bool is_nothing(const struct reader *reader)
{
  const yaml_event_t *event = &reader->event;
  if (event->type != YAML_SCALAR_EVENT || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
  const char *text = scalar(reader);
  return !*text || !strcmp(text, "~") || !strcmp(text, "null");
}

static enum status read_list(struct reader *reader, int index)
{
  config_clear_list(reader->config, index);
  for (;;) {
    enum status status = next(reader);
    if (status) return status;
    if (reader->event.type == YAML_SEQUENCE_END_EVENT) return OK;
    struct origin origin = origin_of(reader, reader->event.start_mark);
    if (reader->event.type != YAML_SCALAR_EVENT)
      return config_refuse(reader->error, &origin, "%s: an item is a text, not a list or a section",
                           config_keys[index].name);
    status = config_assign(reader->config, index, scalar(reader), true, &origin, reader->error);
    if (status) return status;
  }
}

// The value of a known key is the event in hand.
static enum status read_value(struct reader *reader, int index)
{
  const struct config_key *key = &config_keys[index];
  struct origin origin = origin_of(reader, reader->event.start_mark);
  char allowed[256];
  config_key_allowed(key, allowed, sizeof allowed);
  if (reader->seen[index]) return config_refuse(reader->error, &origin, "%s is set twice", key->name);
  reader->seen[index] = true;
  switch (reader->event.type) {
  case YAML_SEQUENCE_START_EVENT:
    if (key->type == KEY_LIST) return read_list(reader, index);
    return config_refuse(reader->error, &origin, "%s: a list; allowed: %s", key->name, allowed);
  case YAML_SCALAR_EVENT:
    if (is_nothing(reader))
      return config_refuse(reader->error, &origin, "%s has no value; allowed: %s", key->name, allowed);
    return config_assign(reader->config, index, scalar(reader), false, &origin, reader->error);
  default:
    return config_refuse(reader->error, &origin, "%s: a section; allowed: %s", key->name, allowed);
  }
}

static enum status read_mapping(struct reader *reader, const char *prefix);

// A section is entered, a key is set; anything else is an error at the key's own place.
static enum status read_pair(struct reader *reader, const char *prefix)
{
  if (reader->event.type != YAML_SCALAR_EVENT) return refuse_at(reader, "a key must be a text");
  struct origin origin = origin_of(reader, reader->event.start_mark);
  char name[KEY_LIMIT], keys[256];
  int length = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", scalar(reader));
  if (length >= (int)sizeof name) return config_refuse(reader->error, &origin, "unknown key of %d characters", length);
  int index = config_key_find(name);
  if (index < 0 && !config_is_section(name, keys, sizeof keys))
    return config_find(&index, name, &origin, reader->error);
  enum status status = next(reader);
  if (status) return status;
  if (index >= 0) return read_value(reader, index);
  if (reader->event.type == YAML_MAPPING_START_EVENT) return read_mapping(reader, name);
  if (is_nothing(reader)) return OK; // a section whose keys are all commented out
  return config_refuse(reader->error, &origin, "%s is a section, not a value; its keys: %s", name, keys);
}

static enum status read_mapping(struct reader *reader, const char *prefix)
{
  for (;;) {
    enum status status = next(reader);
    if (status) return status;
    if (reader->event.type == YAML_MAPPING_END_EVENT) return OK;
    if ((status = read_pair(reader, prefix))) return status;
  }
}

static enum status read_stream(struct reader *reader)
{
  enum status status = OK;
  int documents = 0;
  while (!(status = next(reader))) {
    switch (reader->event.type) {
    case YAML_STREAM_END_EVENT:
      return OK;
    case YAML_DOCUMENT_START_EVENT:
      if (++documents > 1) return refuse_at(reader, "a second document; allowed: one");
      break;
    case YAML_MAPPING_START_EVENT:
      if ((status = read_mapping(reader, ""))) return status;
      break;
    case YAML_SCALAR_EVENT:
      if (is_nothing(reader)) break; // a file of comments
      // fall through
    case YAML_SEQUENCE_START_EVENT:
      return refuse_at(reader, "not a configuration; allowed: lines of key: value");
    default:
      break;
    }
  }
  return status;
}

// "configs/ has cnn.yaml, demo.yaml", or nothing.
static void list_neighbours(const char *path, char *out, size_t size)
{
  const char *slash = strrchr(path, '/');
  char folder[512] = ".";
  if (slash) snprintf(folder, sizeof folder, "%.*s", (int)(slash == path ? 1 : slash - path), path);
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, NULL, alphasort);
  size_t used = 0;
  out[0] = '\0';
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name, *dot = strrchr(name, '.');
    bool yaml = dot && dot != name && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
    if (yaml && used < size) {
      if (used)
        used += (size_t)snprintf(out + used, size - used, ", %s", name);
      else
        used += (size_t)snprintf(out, size, "; %s has %s", folder, name);
    }
    free(entries[i]);
  }
  free(entries);
}

static enum status read_bytes(unsigned char **out, size_t *size, const char *path, struct error *error)
{
  FILE *file = fopen(path, "rbe");
  if (!file) {
    enum status status = fail_errno(error, "cannot open %s", path);
    if (status == OUT_OF_MEMORY) return status;
    char neighbours[512], message[sizeof error->text];
    list_neighbours(path, neighbours, sizeof neighbours);
    snprintf(message, sizeof message, "cannot open %.300s: %s%s", path, strerror(errno), neighbours);
    return fail(error, BAD_USAGE, "%s", message);
  }
  enum status status = mem_zeroed((void **)out, FILE_LIMIT + 1, 1, "a configuration file", error);
  if (!status) {
    errno = 0;
    *size = fread(*out, 1, FILE_LIMIT + 1, file);
    if (ferror(file)) {
      fail_errno(error, "cannot read %s", path);
      status = errno == EISDIR ? BAD_USAGE : FAILED;
      if (error) error->status = status;
    } else if (*size > FILE_LIMIT)
      status = fail(error, BAD_USAGE, "%s: more than 64 KiB, which no configuration needs", path);
  }
  (void)fclose(file);
  return status;
}

enum status config_read_yaml(struct config *config, const char *path, struct error *error)
{
  unsigned char *bytes = NULL;
  size_t size = 0;
  struct reader reader = {.config = config, .path = path, .error = error};
  enum status status = read_bytes(&bytes, &size, path, error);
  if (!status) status = mem_zeroed((void **)&reader.seen, config_key_count, sizeof *reader.seen, "keys", error);
  if (!status && !yaml_parser_initialize(&reader.parser))
    status = fail_memory(error, "the YAML parser", FILE_LIMIT);
  else if (!status) {
    yaml_parser_set_input_string(&reader.parser, bytes, size);
    status = read_stream(&reader);
    if (reader.has_event) yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
  }
  free(reader.seen);
  free(bytes);
  return status;
}
