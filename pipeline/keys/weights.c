// Imported weights, and what model.weights came to.
#include <stdio.h>
#include <string.h>

#include "keys/keys.h"
#include "keys/parts.h"

bool weights_are_none(const struct config *config)
{
  return config_list_length(config, "model.weights") == 1 &&
         !strcmp(config_list_item(config, "model.weights", 0), "none");
}

enum status key_add_variant(struct stage_key *key, const struct config *config, struct error *error)
{
  const char *variant = config_text(config, "model.variant");
  return strcmp(variant, "v1") != 0 ? stage_key_add(key, "model.variant", variant, error) : OK;
}

void weights_model(const struct config *config, char out[WEIGHTS_MODEL_LIMIT])
{
  const char *variant = config_text(config, "model.variant");
  bool first = !strcmp(variant, "v1");
  snprintf(out, WEIGHTS_MODEL_LIMIT, "%s%s%s", config_text(config, "model.name"), first ? "" : " ",
           first ? "" : variant);
}

enum status weights_key(struct stage_key **out, const struct config *config, const char *source_sha256,
                        struct error *error)
{
  struct stage_key *key = NULL;
  enum status status = stage_key_new(&key, WEIGHTS_CODE, error);
  if (!status) status = stage_key_add_config(key, config, "model.name", error);
  if (!status) status = key_add_variant(key, config, error);
  if (!status) status = stage_key_add(key, "source", source_sha256, error);
  return key_hand_over(out, key, status, error);
}

enum status weights_listed(struct weights_row *out, struct db *db, const struct config *config, struct error *error)
{
  char wanted[WEIGHTS_WANTED_LIMIT], model[WEIGHTS_MODEL_LIMIT];
  bool found = false;
  *out = (struct weights_row){0};
  if (weights_are_none(config)) return OK;
  config_value_text(config, "model.weights", wanted, sizeof wanted);
  weights_model(config, model);
  enum status status = weights_chosen(db, model, wanted, out, &found, error);
  if (!status && !found)
    status = fail(error, BAD_DATA, "model.weights %s is not imported yet: run build/stages/weights first", wanted);
  return status;
}
