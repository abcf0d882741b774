// Features: what the frozen part of a model makes of images.
#include <string.h>

#include "keys/keys.h"
#include "keys/parts.h"
#include "keys/settings.h"

// What the frozen part starts from.
static enum status add_start(struct stage_key *key, struct db *db, const struct config *config, struct error *error)
{
  bool drawn = false;
  enum status status = key_add_weights(key, &drawn, db, config, error);
  return drawn && !status ? stage_key_add_config(key, config, "seed", error) : status;
}

enum status calibration_key(struct stage_key **out, struct db *db, const struct config *config, struct error *error)
{
  static const char *const keys[] = {"model.name", "model.trainable", "features.calibrate"};
  struct stage_key *key = NULL;
  enum status status = stage_key_new(&key, CALIBRATION_CODE, error);
  for (size_t i = 0; !status && i < sizeof keys / sizeof *keys; i++)
    status = stage_key_add_config(key, config, keys[i], error);
  if (!status) status = key_add_variant(key, config, error);
  if (!status) status = key_add_key(key, "split", split_key, db, config, error);
  if (!status) status = key_add_resized(key, db, config, error);
  if (!status) status = add_start(key, db, config, error);
  return key_hand_over(out, key, status, error);
}

// What the frozen part is and computes in; then what it sees.
static enum status begin(struct stage_key **out, struct db *db, const struct config *config, struct error *error)
{
  static const char *const keys[] = {"model.name", "model.trainable", "train.kernels"};
  enum net_precision precision = NET_FP32;
  enum status status = settings_precision(config, &precision, error);
  if (!status) status = stage_key_new(out, FEATURES_CODE, error);
  for (size_t i = 0; !status && i < sizeof keys / sizeof *keys; i++)
    status = stage_key_add_config(*out, config, keys[i], error);
  if (!status) status = stage_key_add(*out, "train.precision", settings_precision_name(precision), error);
  if (!status) status = key_add_variant(*out, config, error);
  if (!status && settings_features_u8(config)) status = stage_key_add(*out, "features.storage", "u8", error);
  if (!status && settings_features_int8(config))
    status = key_add_key(*out, "calibration", calibration_key, db, config, error);
  return status ? status : add_start(*out, db, config, error);
}

enum status features_key(struct stage_key **out, const struct dataset_found *dataset, struct db *db,
                         const struct config *config, struct error *error)
{
  struct stage_key *key = NULL, *images = NULL;
  enum status status = begin(&key, db, config, error);
  if (!status)
    status = dataset ? resized_key(&images, dataset, config, error) : augmented_key(&images, db, config, error);
  if (!status) status = stage_key_add(key, "images", stage_key_digest(images), error);
  stage_key_free(images);
  return key_hand_over(out, key, status, error);
}

static enum status add_features(struct tensor_sets *out, const struct dataset_found *dataset, struct db *db,
                                const struct config *config, struct error *error)
{
  struct stage_key *key = NULL;
  struct tensor_set set;
  bool found = false;
  enum status status = features_key(&key, dataset, db, config, error);
  if (!status) status = tensor_set_find(db, stage_key_digest(key), 0, &set, &found, error);
  stage_key_free(key);
  if (!status && !(found && set.done))
    status = fail(error, BAD_DATA, "no %sfeatures for this configuration: run build/stages/features %s",
                  found ? "complete " : "", found ? "again" : "first");
  if (status) return status;
  out->ids[out->count++] = set.id;
  out->height = set.height, out->width = set.width, out->channels = set.channels;
  return OK;
}

enum status features_wanted(struct tensor_sets *out, bool augmented, struct db *db, const struct config *config,
                            struct error *error)
{
  struct datasets datasets;
  *out = (struct tensor_sets){.count = 0};
  if (augmented) return add_features(out, NULL, db, config, error);
  enum status status = datasets_find(&datasets, db, config, error);
  for (size_t i = 0; !status && i < datasets.count; i++)
    status = add_features(out, &datasets.list[i], db, config, error);
  return status;
}
