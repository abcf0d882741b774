// Inside the keys: what keys*.c share.
#ifndef PIPELINE_KEYS_PARTS_H
#define PIPELINE_KEYS_PARTS_H

#include "keys/keys.h"

// Adds the digest of another key, made by `make`.
typedef enum status key_maker(struct stage_key **out, struct db *db, const struct config *config, struct error *error);
enum status key_add_key(struct stage_key *key, const char *name, key_maker *make, struct db *db,
                        const struct config *config, struct error *error);

// Adds the keys of the resized images of all datasets: "resized images", "resized images 2", ...
enum status key_add_resized(struct stage_key *key, struct db *db, const struct config *config, struct error *error);

// Adds the digest of the weights to start from; where they are drawn, *drawn, what of model.zero_gamma is not the
// default.
enum status key_add_weights(struct stage_key *key, bool *drawn, struct db *db, const struct config *config,
                            struct error *error);

// What the list of model.weights came to; out->id is 0 for none.
enum status weights_listed(struct weights_row *out, struct db *db, const struct config *config, struct error *error);

// Adds the digest of what model.start names, where it is set.
enum status key_add_start(struct stage_key *key, struct db *db, const struct config *config, struct error *error);

// Adds model.variant where it is not the default: what there was before there was a choice has no such pair.
enum status key_add_variant(struct stage_key *key, const struct config *config, struct error *error);

// Adds all keys of the table that begin with `prefix`, but those in `except` (ends with NULL; may be NULL).
enum status key_add_section(struct stage_key *key, const char *prefix, const char *const *except,
                            const struct config *config, struct error *error);

// Finishes the key into *out if `status` is OK, else frees it. Returns the first status that is not OK.
enum status key_hand_over(struct stage_key **out, struct stage_key *key, enum status status, struct error *error);

#endif
