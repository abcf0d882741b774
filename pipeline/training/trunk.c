#include "training/trunk.h"

#include <stdio.h>

#include "keys/keys.h"
#include "keys/settings.h"
#include "models/models.h"
#include "training/network.h"

enum status trunk_build(struct net **out, const struct config *config, struct error *error)
{
  struct model_options model;
  *out = NULL;
  enum status status = network_model(&model, config, 2, MODEL_TRUNK, error);
  return status ? status : model_build(&model, out, error);
}

enum status trunk_start(struct net *trunk, struct stage *stage, enum net_precision precision, const float *ranges,
                        char source[TRUNK_SOURCE_LIMIT], struct error *error)
{
  const struct config *config = stage_config(stage);
  const uint64_t seed = (uint64_t)config_integer(config, "seed");
  const struct net_options plan = {.precision = precision,
                                   .kernels = settings_kernels(config),
                                   .threads = stage_threads(stage),
                                   .batch = TRUNK_BLOCK,
                                   .seed = seed,
                                   .ranges = ranges};
  struct weights_row initial;
  size_t loaded = 0;
  enum status status = net_plan(trunk, &plan, error);
  if (!status) status = weights_wanted(&initial, stage_db(stage), config, error);
  if (!status) status = network_start(trunk, seed, &initial, stage_folder(stage), &loaded, error);
  if (status) return status;
  if (initial.id && loaded != net_parameter_count(trunk))
    return fail(error, BAD_DATA, "%s has %zu of the %zu tensors of the frozen part", initial.path, loaded,
                net_parameter_count(trunk));
  snprintf(source, TRUNK_SOURCE_LIMIT, "%s", loaded ? initial.path : "weights drawn from the seed");
  return OK;
}
