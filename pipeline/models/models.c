#include "models/models.h"

#include <string.h>

#include "models/seed_cnn.h"

static const struct model models[] = {
    {.name = "seed-cnn", .input = {100, 100, 3}, .build = seed_cnn},
};

enum { MODELS = sizeof models / sizeof *models };

const struct model *model_find(const char *name)
{
  for (int i = 0; i < MODELS; i++)
    if (strcmp(models[i].name, name) == 0) return &models[i];
  return NULL;
}

enum status model_build(const char *name, int classes, float dropout, struct net **net, struct error *error)
{
  const struct model *model = model_find(name);
  if (!model) return fail(error, BAD_USAGE, "model %s is unknown; there is %s", name, models[0].name);
  *net = model->build(model->input, classes, dropout);
  return *net ? OK : fail_memory(error, name, 0);
}
