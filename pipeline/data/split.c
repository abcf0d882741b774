#include "data/split.h"

#include <string.h>

static const struct {
  const char *name;
  split_method *method;
} methods[] = {
    {"random", split_random}, {"grouped", split_grouped}, {"blocks", split_blocks}, {"folder", split_folder}};

split_method *split_method_find(const char *name)
{
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (!strcmp(methods[i].name, name)) return methods[i].method;
  return NULL;
}
