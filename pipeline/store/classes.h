// Class names: of one dataset, and the union of several, which are a split's classes and a network's outputs. Classes
// are matched by name everywhere; an ordinal means something only within its own list.
#ifndef STORE_CLASSES_H
#define STORE_CLASSES_H

#include <stddef.h>
#include <stdint.h>

#include "store/db.h"

struct class_names {
  char **list; // [count], sorted by bytes
  size_t count;
};

void class_names_release(struct class_names *names);

// The place of a name in the list; -1 if it is not there.
int class_names_place(const struct class_names *names, const char *name);

// The names of all the datasets' classes, each once. Release it whatever is returned.
enum status class_names_union(struct class_names *out, struct db *db, const int64_t *datasets, size_t count,
                              struct error *error);

// A split's classes in the order of their ordinals. Release it whatever is returned.
enum status class_names_of_split(struct class_names *out, struct db *db, int64_t split, struct error *error);

#endif
