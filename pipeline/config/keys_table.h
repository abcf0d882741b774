// The table of configuration keys: the one place that knows a key's type, range, default and help. To add a key, add a
// row to config/keys_table.c; the parser, --set, args.yaml, --help-config and the error messages follow.
#ifndef PIPELINE_CONFIG_KEYS_H
#define PIPELINE_CONFIG_KEYS_H

#include <stddef.h>

enum key_type {
  KEY_INTEGER, // a whole number in [low, high], or one of `choices`
  KEY_REAL,    // a number between low and high; `ends` says which end belongs to it
  KEY_FLAG,    // true or false
  KEY_TEXT,    // any text
  KEY_NAME, // a text that is safe as a file name: letters, digits, '.', '_', '-', at most 64, not starting with '.' or
            // '-'
  KEY_CHOICE, // one of `choices`
  KEY_LIST    // texts; each one of `choices` where there are any
};

enum key_ends { ENDS_CLOSED, ENDS_OPEN_LOW, ENDS_OPEN_HIGH }; // [low, high]; (low, high]; [low, high)

struct config_key {
  const char *name; // dotted
  enum key_type type;
  double low, high;
  enum key_ends ends;
  const char *const *choices; // ends with NULL; NULL: none
  const char *fallback;       // the default, as --set would take it; a list's items have commas between them
  const char *help;
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

// The index of a key's row, or -1.
int config_key_find(const char *name);

// What is allowed, for messages and help: "1 to 100000", "adam, adamw or sgd".
void config_key_allowed(const struct config_key *key, char *out, size_t size);

// The known key that a person most likely meant by `name`, or NULL.
const char *config_key_suggestion(const char *name);

#endif
