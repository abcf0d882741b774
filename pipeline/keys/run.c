// The key of a run. Apart from the others, because it asks the engine what "auto" means on this CPU.
#include <string.h>

#include "keys/keys.h"
#include "keys/parts.h"
#include "keys/settings.h"

static enum status add_images(struct stage_key *key, struct db *db, const struct config *config, const char *mode,
                              struct error *error)
{
  if (!strcmp(mode, "copies")) return key_add_key(key, "augmented images", augmented_key, db, config, error);
  return key_add_resized(key, db, config, error);
}

enum status run_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error)
{
  static const char *const apart[] = {"train.precision", "train.checkpoint_seconds", "train.lr_inputs", "train.muon_lr",
                                      NULL};
  // Of weights and start, what they came to counts.
  static const char *const initial[] = {"model.weights", "model.weights_url", "model.start", "model.trainable",
                                        "model.variant", "model.zero_gamma",  NULL};
  static const char *const copies[] = {"augment.mode", "augment.copies", NULL};
  const char *mode = config_text(config, "augment.mode");
  enum net_precision precision = NET_FP32;
  struct stage_key *key = NULL;
  bool drawn = false;
  enum status status = settings_precision(config, &precision, error);
  if (!status) status = stage_key_new(&key, RUN_CODE, error);
  if (!status) status = key_add_key(key, "split", split_key, db, config, error);
  if (!status) status = add_images(key, db, config, mode, error);
  if (!status) status = stage_key_add_config(key, config, "augment.mode", error);
  if (!status && !strcmp(mode, "online")) status = key_add_section(key, "augment.", copies, config, error);
  if (!status) status = key_add_section(key, "model.", initial, config, error);
  if (!status) status = key_add_variant(key, config, error);
  if (!status) status = key_add_weights(key, &drawn, db, config, error);
  if (!status) status = key_add_start(key, db, config, error);
  if (!status && strcmp(config_text(config, "model.trainable"), "all") != 0)
    status = stage_key_add_config(key, config, "model.trainable", error);
  if (!status && features_used(config) && settings_features_u8(config))
    status = stage_key_add(key, "features.storage", "u8", error);
  if (!status && features_used(config) && settings_features_int8(config))
    status = key_add_key(key, "calibration", calibration_key, db, config, error);
  if (!status) status = key_add_section(key, "train.", apart, config, error);
  if (!status && config_integer(config, "train.lr_inputs"))
    status = stage_key_add_config(key, config, "train.lr_inputs", error);
  if (!status && !strcmp(config_text(config, "train.optimizer"), "muon"))
    status = stage_key_add_config(key, config, "train.muon_lr", error);
  if (!status) status = stage_key_add(key, "train.precision", settings_precision_name(precision), error);
  if (!status) status = stage_key_add_config(key, config, "seed", error);
  return key_hand_over(out, key, status, error);
}

enum status run_wanted(struct run_found *out, struct db *db, const struct config *config, const char *name,
                       struct error *error)
{
  struct stage_key *key = NULL;
  bool found = false;
  enum status status = name ? OK : run_key(&key, db, config, error);
  if (!status) status = run_find(db, name ? NULL : stage_key_digest(key), name, out, &found, error);
  stage_key_free(key);
  if (status || found) return status;
  if (name) return fail(error, BAD_DATA, "%s has no run called %s", db_path(db), name);
  return fail(error, BAD_DATA, "no run for this configuration yet: run build/stages/train first");
}
