// Inside the configuration: how values are held and set. For config*.c only.
#ifndef PIPELINE_CONFIG_VALUES_H
#define PIPELINE_CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/keys_table.h"
#include "core/status.h"

// Where a value stands, as messages begin: "configs/cnn.yaml:12:9: train.epochs" or "--set train.epochs=ten".
struct origin {
  const char *file; // NULL: a --set, whose whole text is `set`
  const char *set;
  size_t line, column; // from 1
};

struct value {
  bool set; // by the file or by --set
  int64_t integer;
  double real;
  bool flag;
  int choice;
  char *text;   // KEY_TEXT, KEY_NAME
  char **items; // KEY_LIST
  size_t count, capacity;
  char *where; // the origin as text, once set
};

struct config {
  char *name;
  bool has_file;
  struct value *values; // one per row of config_keys
};

// BAD_USAGE with the origin in front.
enum status config_refuse(struct error *error, const struct origin *origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The row of the key `name` into *index, or BAD_USAGE with a suggestion.
enum status config_find(int *index, const char *name, const struct origin *origin, struct error *error);
// Whether keys begin with `name` and a dot; `keys` (may be NULL) takes their last parts, for messages.
bool config_is_section(const char *name, char *keys, size_t size);

// Sets a key from text, replacing what it had. For a list: `text` becomes its only item, or one more with `append`.
enum status config_assign(struct config *config, int index, const char *text, bool append, const struct origin *origin,
                          struct error *error);
void config_clear_list(struct config *config, int index); // counts as set
void config_value_release(struct value *value);

// Reads a YAML file over the defaults.
enum status config_read_yaml(struct config *config, const char *path, struct error *error);

#endif
