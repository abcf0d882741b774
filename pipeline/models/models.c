#include "models/models.h"

#include <string.h>

#include "models/resnet50.h"
#include "models/seed_cnn.h"

static struct net *build_seed_cnn(const struct model_options *options)
{
  return seed_cnn(options->input, options->classes, options->dropout);
}

static const struct model models[] = {
    {.name = "seed-cnn",
     .input = {100, 100, 3},
     .preprocessing = {"RGB / 255, in the model's first layer"},
     .build = build_seed_cnn},
    {.name = "resnet50",
     .input = {224, 224, 3},
     .preprocessing = {"BGR - (103.939, 116.779, 123.68), in the model's first layer",
                       "(RGB / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225), in the model's first layer"},
     .build = resnet50,
     .features = resnet50_features},
};

enum { MODELS = sizeof models / sizeof *models };

const struct model *model_find(const char *name)
{
  for (int i = 0; i < MODELS; i++)
    if (strcmp(models[i].name, name) == 0) return &models[i];
  return NULL;
}

// The model and its options with what they leave open.
static enum status complete(const struct model_options *options, const struct model **model, struct model_options *out,
                            struct error *error)
{
  *model = model_find(options->name);
  if (!*model)
    return fail(error, BAD_USAGE, "model %s is unknown; there are %s and %s", options->name, models[0].name,
                models[1].name);
  if (!(*model)->features && (options->part != MODEL_WHOLE || options->trainable != TRAIN_ALL))
    return fail(error, BAD_USAGE, "model %s has no frozen part: all of it trains", options->name);
  *out = *options;
  if (out->input.h == 0) out->input = (*model)->input;
  return OK;
}

enum status model_build(const struct model_options *options, struct net **net, struct error *error)
{
  const struct model *model = NULL;
  struct model_options complete_options;
  enum status status = complete(options, &model, &complete_options, error);
  if (status) return status;
  if (options->part != MODEL_WHOLE && options->trainable == TRAIN_ALL)
    return fail(error, BAD_USAGE, "model %s: all of it trains, so it has no trunk and no head", options->name);
  *net = model->build(&complete_options);
  return *net ? OK : fail_memory(error, options->name, 0);
}

enum status model_features(const struct model_options *options, struct model_features *features, struct error *error)
{
  const struct model *model = NULL;
  struct model_options complete_options;
  enum status status = complete(options, &model, &complete_options, error);
  if (status) return status;
  if (options->trainable == TRAIN_ALL)
    return fail(error, BAD_USAGE, "model %s: all of it trains, so it has no features", options->name);
  return model->features(&complete_options, features, error);
}
