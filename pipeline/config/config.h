// The configuration of an experiment: a YAML file and `--set key=value` over it, checked against one table of keys
// (config/keys_table.c) that holds each key's type, range, default and help. An unknown key is an error with a
// suggestion; a bad value names file, line, column, value and what is allowed. Keys are dotted: train.epochs.
#ifndef PIPELINE_CONFIG_H
#define PIPELINE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/status.h"

struct config;

// `path` may be NULL: defaults alone. Each of `sets` is "key=value", or "key+=value" to add to a list; later ones win.
// A list of words takes several at once (evaluate.parts=val,test); the value of another list is one item, whatever is
// in it. BAD_USAGE for everything that a person can mend in the file. Hostile files (aliases, depth over 64, more than
// 64 KiB, duplicate keys, NaN) are refused.
enum status config_load(struct config **out, const char *path, char *const *sets, size_t set_count,
                        struct error *error);
void config_free(struct config *config);

// A configuration that says what to draw (a synth section) and not what to train on is to train on what it draws:
// dataset.train becomes synth.out, or `folder`/synth. With synth.beside it is trained on beside what dataset.train
// names.
enum status config_train_on_renders(struct config *config, const char *folder, struct error *error);
bool config_draws(const struct config *config); // a key of synth is set

// Values. Asking for a key that the table does not have, or as another type, is our own mistake: an assertion.
int64_t config_integer(const struct config *config, const char *key);
double config_real(const struct config *config, const char *key);
bool config_flag(const struct config *config, const char *key);
const char *config_text(const struct config *config, const char *key);   // also enumerations; "" where unset
int config_choice(const struct config *config, const char *key);         // an enumeration's ordinal in the table
size_t config_list_length(const struct config *config, const char *key); // a list of texts
const char *config_list_item(const struct config *config, const char *key, size_t index);
bool config_is_set(const struct config *config, const char *key); // in the file or by --set, not by default

// The value as text, as args.yaml shows it and as keys digest it: equal values give equal text.
void config_value_text(const struct config *config, const char *key, char *out, size_t size);

// The name of the file without folder and ending ("cnn"); without a file "default", which a file may be called, too.
const char *config_name(const struct config *config);
bool config_has_file(const struct config *config);

// The whole merged configuration as YAML, in the table's order; and the table itself as documentation (--help-config).
enum status config_write(const struct config *config, FILE *out, struct error *error);
void config_describe(FILE *out);

#endif
